"""The network with everything that an optimiser step changes."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from beadctl.errors import ModelError
from beadctl.training import checkpoint, device
from beadctl.training.checkpoint import Checkpoint
from beadctl.training.ema import WeightAverage
from beadctl.training.import_onnx import reopen
from beadctl.training.objective import gradient_energies, objective
from beadctl.training.plan import TrainingPlan
from beadctl.training.start import Start
from beadctl.training.unet import UNet
from beadctl.training.world import ALONE, World

# Rate of a learned weighting, as a multiple of the network's: its few numbers settle within the first epochs.
WEIGHTING_RATE = 10.0


@dataclass(frozen=True)
class StepGradient:
    """The gradient of one optimiser step, before it is applied.

    Attributes
    ----------
    terms : Tensor
        (2, K), sums over the step's samples of each term: plain, and multiplied by its weight.
    loss, finite : float and bool
        Mean weighted loss of the samples, and whether the step may be applied.
    """

    terms: Tensor
    loss: float
    finite: bool


class Learner:
    """Network, moving average, weighting, optimiser and loss scaler of a run.

    Parameters
    ----------
    plan, target : TrainingPlan and torch.device
        What is computed, and where.
    start : Start, optional
        Weights to start from; by default random ones.
    samples : iterable of Tensor
        Batches (N, C, S, S), read where `start` is a model file: its batch normalisations need statistics.
    world : World
        The processes that train the same network.

    Attributes
    ----------
    network, average : UNet and WeightAverage
        As trained, and what is validated and exported.
    step : int
        Optimiser steps done.
    weights : Tensor
        (K,), weights of the terms in the latest micro-batch.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        target: torch.device,
        start: Start | None = None,
        samples: Iterable[Tensor] = (),
        world: World = ALONE,
    ) -> None:
        self.plan, self.device, self.world, self.step = plan, target, world, 0
        self.dtype = device.arithmetic(plan.precision, target)
        torch.manual_seed(plan.seed)
        # Channels last is the layout of vectorised and tensor-core convolutions: 1.7 times as fast on a CPU.
        self.network = UNet(plan.architecture).to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if start:
            assert start.state_dict is not None
            self.network.load_state_dict(start.state_dict)
            if start.folded:
                reopen(self.network, (batch.to(target) for batch in samples))
        world.follow_first(self.network.state_dict().values())
        self.average = WeightAverage(self.network, plan.ema_decay)
        self.objective = objective(plan.loss, plan.loss_parameters, plan.marker_weight, plan.contact_weight)
        self.weighting = plan.weighting.load()(self.objective.weights, plan.weighting_parameters)
        self.weighting.to(target)
        groups = _parameter_groups(self.network, plan.weight_decay)
        if learned := list(self.weighting.parameters()):
            groups.append({"params": learned, "weight_decay": 0.0, "rate": WEIGHTING_RATE})
        self.optimizer = torch.optim.AdamW(groups, lr=plan.lr, fused=True)
        # Found once: each walk through all modules takes a millisecond of every step.
        self._parameters = list(self.network.parameters())
        self._statistics = [held for held in self.network.buffers() if held.is_floating_point()]
        # Only float16 has so small a range that gradients need scaling; elsewhere the scaler does nothing.
        self.scaler = torch.amp.GradScaler(target.type, enabled=self.dtype == torch.float16)
        self._sums = torch.zeros(2, len(self.objective.names), device=target, dtype=torch.float64)
        self._energies = torch.zeros_like(self._sums[0])
        self.weights = self._sums.new_tensor(self.objective.weights)

    def accumulate(self, images: Tensor, wanted: Tensor, group: int, epoch: float) -> Tensor:
        """Add the gradient of a micro-batch to that of the step; return its logits (N, 2, S, S).

        Parameters
        ----------
        images, wanted : Tensor
            (N, C, S, S), normalised, and targets as `Objective` takes them; on the device.
        group : int
            Samples of the whole step, of all processes. Every sample is divided by it, so micro-batches of
            any number and length give the gradient of one large batch.
        epoch : float
            Epochs since the start of the run, for the weighting.
        """
        # Convolutions in half precision where asked; the losses widen to float32 themselves.
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            logits: Tensor = self.network(images)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        values = self.objective.values(logits, wanted)
        # The weighting changes between steps only, so all micro-batches of a step have the same weights.
        weights = self.weighting.weights(epoch)
        total = (weights.to(values.dtype) @ values.sum(1)) / group
        total = total + self.weighting.regulariser().to(values.dtype) * (len(images) / group)
        if self.weighting.measures:
            head = self.network.head.weight
            self._energies += gradient_energies(values, logits, self.objective.channels, head)
        self.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        self.weights = weights.detach()
        plain = values.detach().sum(1).double()
        self._sums += torch.stack((plain, plain * self.weights))
        return logits

    def gradient(self, group: int) -> StepGradient:
        """Add up the gradients of all processes, clip that of the step, of `group` samples, and check it."""
        self.world.sum_gradients((*self._parameters, *self.weighting.parameters()), self._statistics)
        self.world.add(self._sums, self._energies)
        # One extreme batch must not undo many good ones; the norm is that of the unscaled gradient.
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self._parameters, self.plan.clip_norm)
        # Both at once: each reading waits for a GPU.
        loss, length = torch.stack((self._sums[1].sum() / group, norm.double())).tolist()
        # GradScaler skips infinite gradients; without it they corrupt the weights.
        finite = math.isfinite(loss) and (self.scaler.is_enabled() or math.isfinite(length))
        return StepGradient(self._sums.clone(), loss, finite)

    def update(self, rate: float, group: int) -> None:
        """Apply the gradient of the step, of `group` samples, at a learning rate."""
        for settings in self.optimizer.param_groups:
            settings["lr"] = rate * settings.get("rate", 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.average.update(self.step)
        if self.weighting.measures:
            self.weighting.observe(self._energies.sqrt() / group)
            self._energies.zero_()
        self._sums.zero_()

    def state(self) -> dict[str, Any]:
        """Return the fields of `Checkpoint` that belong to the learner."""
        return {
            "architecture": self.plan.architecture.as_dict(),
            "model": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "rng": checkpoint.random_state(self.device),
            "step": self.step,
            "weighting": dict(self.weighting.state_dict()),
        }

    def restore(self, state: Checkpoint, source: str) -> None:
        """Go back to where a checkpoint was made; `source` is its file, for messages.

        Raises
        ------
        ModelError
            If it is of another network or device.
        """
        try:
            self.network.load_state_dict(state.model)
            self.average.network.load_state_dict(state.average)
            self.optimizer.load_state_dict(state.optimizer)
            self.scaler.load_state_dict(state.scaler)
            self.weighting.load_state_dict(state.weighting)
            checkpoint.restore_random_state(state.rng, self.device)
        except (RuntimeError, ValueError, KeyError, TypeError, IndexError):
            raise ModelError(
                f"{source}: does not fit this run's network or device; start a new run"
            ) from None
        self.step = state.step


def _parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Decay kernels only: decay of a bias or a normalisation scale shrinks the signal, not the model."""
    kernels = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
