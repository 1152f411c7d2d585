"""The training loop: `train` prepares, `_Run.train_epoch` is one pass over the data, top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from beadctl.dataset.manifest import fingerprint, read_manifest
from beadctl.devices import usable_cpus
from beadctl.errors import ModelError, TrainingError
from beadctl.losses import Loss, weighted
from beadctl.training import checkpoint, device, gradients
from beadctl.training.augment import Augmentation
from beadctl.training.checkpoint import Checkpoint
from beadctl.training.dataset import Batches, SceneSource, Shuffled, Simulated, Views, held_out, load
from beadctl.training.ema import WeightAverage
from beadctl.training.import_onnx import reopen
from beadctl.training.objective import gradient_energies, objective
from beadctl.training.options import DEFAULT_OPTIONS, NO_CALLBACKS, TrainCallbacks, TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.records import EpochRecord, RunResult, StepRecord
from beadctl.training.run_folder import RunFolder, now
from beadctl.training.schedule import cosine, learning_rate, plateau
from beadctl.training.start import Start
from beadctl.training.tiles import Tiles
from beadctl.training.unet import UNet
from beadctl.training.validation import score

Scenes = Sequence[tuple[NDArray[np.float32], NDArray[Any]]]

# The log-variances of a learned weighting move this much faster than the network's weights: they are few,
# each gets its gradient from every sample, and they should settle within the first epochs.
WEIGHTING_RATE = 10.0

# Samples that batch normalisation is opened again on: a few alone would give it their own statistics.
OPENING = 32

# Tiles of a batch that are named where it broke the training.
NAMED = 4

# On a CPU the workers and the network share the cores; a GPU leaves all of them to the workers.
MOST_WORKERS = {"cpu": 2, "cuda": 8}


def train(
    plan: TrainingPlan,
    run_dir: Path,
    *,
    tiles: Path | None = None,
    start: Start | None = None,
    options: TrainOptions = DEFAULT_OPTIONS,
    callbacks: TrainCallbacks = NO_CALLBACKS,
) -> RunResult:
    """Train a network and leave its checkpoints, history and learning curve in a folder.

    Parameters
    ----------
    plan : TrainingPlan
        What is computed.
    run_dir : Path
        Folder of the run: ``best.pt``, ``last.pt``, ``history.csv``, ``run.json``, ``learning_curve.png``.
    tiles : Path, optional
        Folder that ``beadctl tile`` wrote; not needed when the plan simulates.
    start : Start, optional
        Weights to start from, those of `plan`; by default random ones. A resumed run has its own.
    options : TrainOptions
        Device, processes, resumption.
    callbacks : TrainCallbacks
        Progress and early stop.

    Returns
    -------
    RunResult
        How the run ended, and its best epoch.

    Raises
    ------
    OutputError, ModelError
        If `run_dir` holds a run and `options.resume` is off, or the other way round.
    DeviceError
        If the device or the precision cannot be had.
    TrainingError, AnnotationError
        If the tiles cannot be used, the resumed run was another one, or the loss stops being a number.
    ValueError
        If `plan` starts from something else than `start`.
    """
    resume = options.resume
    if not resume and plan.start != (start.origin if start else None):
        raise ValueError(f"the plan starts from {plan.start}, not from what was given")
    folder = RunFolder(run_dir, resume=resume)
    target = device.resolve(options.device)
    threads_before = torch.get_num_threads()
    torch.set_num_threads(options.threads or usable_cpus())
    started = now()
    try:
        source, scenes, data = _data(plan, tiles)
        processes = _workers(options.workers, target)
        begin = None if resume else start
        run = _Run(plan, folder, target, source, scenes, data, processes, options.gradient_audit, begin)
        if resume:
            run.restore(checkpoint.load(folder.last))
        facts = {
            "settings": dict(options.settings),
            "plan": plan.as_dict(),
            "device": {
                "asked": options.device,
                "used": str(target),
                "precision": str(run.dtype).split(".")[1],
            },
            "threads": torch.get_num_threads(),
            "workers": processes,
            "data": {
                "tiles": tiles,
                "fingerprint": data,
                "samples": run.batches.samples,
                "validation": len(scenes),
            },
            "started": started,
        }
        folder.describe(facts)
        result = run.go(callbacks.on_epoch, callbacks.on_step, callbacks.should_stop)
        outcome = {"ended": now(), "stopped": result.stopped, "epochs": result.epochs}
        folder.describe(facts | outcome | {"best": result.record and asdict(result.record)})
        return result
    finally:
        torch.set_num_threads(threads_before)


@dataclass(frozen=True)
class Epoch:
    """What one pass over the data leaves, before it is validated; the fields are those of `EpochRecord`."""

    train_loss: float
    mask_loss: float
    marker_loss: float
    lr: float
    images_per_s: float
    weights: dict[str, float]


class _Run:
    """The state of a run: all that changes from step to step."""

    def __init__(
        self,
        plan: TrainingPlan,
        folder: RunFolder,
        target: torch.device,
        source: SceneSource,
        scenes: Scenes,
        data: str,
        workers: int,
        gradient_audit: bool = False,
        start: Start | None = None,
    ) -> None:
        self.plan, self.folder, self.device, self.scenes, self.data = plan, folder, target, scenes, data
        self.dtype = device.arithmetic(plan.precision, target)
        samples = plan.steps_per_epoch * plan.group if plan.steps_per_epoch else len(source)
        self.batches = Batches(samples, plan.batch_size)
        self.source = source
        views = Views(source, plan.size, plan.seed, Augmentation() if plan.augment else None)
        torch.manual_seed(plan.seed)
        # Channels last is the layout that vectorised and tensor-core convolutions want: 1.7x on a CPU.
        self.network = UNet(plan.architecture).to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if start:
            self.begin(start, views)
        self.average = WeightAverage(self.network, plan.ema_decay)
        self.objective = objective(plan.loss, plan.loss_parameters, plan.marker_weight, plan.contact_weight)
        self.weighting = plan.weighting.load()(self.objective.weights, plan.weighting_parameters)
        self.weighting.to(target)
        groups = _groups(self.network, plan.weight_decay)
        if learned := list(self.weighting.parameters()):
            groups.append({"params": learned, "weight_decay": 0.0, "rate": WEIGHTING_RATE})
        self.optimizer = torch.optim.AdamW(groups, lr=plan.lr)
        # Only float16 underflows so early that its gradients need scaling; elsewhere this does nothing.
        self.scaler = torch.amp.GradScaler(target.type, enabled=self.dtype == torch.float16)
        own = replace(plan.loss_parameters, weights=None)
        family = {str(loss): weighted(loss.load()(own)) for loss in Loss}
        parts = {term.name: term.loss for term in plan.loss.load()(plan.loss_parameters)}
        self.audited = parts | family if gradient_audit else {}

        self.loader = load(views, self.batches, workers=workers, pin_memory=target.type == "cuda")
        self.steps_per_epoch = math.ceil(samples / plan.group)

        self.epoch = self.step = self.best_epoch = 0
        self.best_jaccard = -1.0
        self.history: list[dict[str, Any]] = []
        self.gradients: list[gradients.GradientRecord] = []
        self.spent_s, self.session_start = 0.0, time.monotonic()

    def begin(self, start: Start, views: Views) -> None:
        """Take over the weights of the start, before anything is made of the network's own."""
        assert start.state_dict is not None
        self.network.load_state_dict(start.state_dict)
        if start.folded:
            parts = Batches(OPENING, self.plan.batch_size)
            reopen(
                self.network,
                (torch.stack([views[key][0] for key in part]).to(self.device) for part in parts),
            )

    def go(
        self,
        on_epoch: Callable[[EpochRecord], None],
        on_step: Callable[[StepRecord], None],
        should_stop: Callable[[], bool],
    ) -> RunResult:
        stopped = "finished"
        while self.epoch < self.plan.epochs:
            if self.out_of_time():
                stopped = "time limit"
                break
            if self.history and self.epoch - self.best_epoch >= self.plan.patience:
                stopped = f"no better for {self.plan.patience} epochs"
                break
            began = time.monotonic()
            epoch = self.train_epoch(on_step, should_stop)
            if epoch is None:
                stopped = "interrupted"
                break
            on_epoch(self.finish_epoch(began, epoch))
        best = EpochRecord(**self.history[self.best_epoch - 1]) if self.best_epoch else None
        return RunResult(
            self.folder.best if best else None,
            best,
            self.epoch,
            stopped,
            str(self.device),
            sum(record["seconds"] for record in self.history),
        )

    def train_epoch(
        self, on_step: Callable[[StepRecord], None], should_stop: Callable[[], bool]
    ) -> Epoch | None:
        """One pass over the data; None when told to stop."""
        plan, samples = self.plan, self.batches.samples
        self.network.train()
        self.batches.epoch = self.epoch
        terms, channels = len(self.objective.names), self.objective.channels
        began, seen = time.monotonic(), 0
        # Of the epoch and of the step: each term's value over the samples, as it is and as it was weighed.
        sums = torch.zeros(2, terms, device=self.device, dtype=torch.float64)
        step_sums, energies = torch.zeros_like(sums), torch.zeros_like(sums[0])
        for images, wanted in self.loader:
            if should_stop():
                return None
            images = images.to(self.device, non_blocking=True, memory_format=torch.channels_last)
            wanted = wanted.to(self.device, non_blocking=True)
            # The group of this optimiser step, which may be the short one at the end of the epoch. Dividing
            # every sample by its size makes micro-batches of any number and length give the gradient of
            # one large batch.
            group = min(plan.group, samples - seen // plan.group * plan.group)

            # Convolutions in half precision where asked; the losses widen to float32 by themselves.
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                logits = self.network(images)
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            if self.audited and not seen:
                self.gradients += [
                    gradients.GradientRecord(epoch=self.epoch + 1, step=self.step, **asdict(shares))
                    for shares in gradients.measure(logits[:, 0], wanted[:, 0], self.audited)
                ]
            values = self.objective.values(logits, wanted)
            # The weights move only between steps, so that every micro-batch of a step is weighed alike.
            weights = self.weighting.weights(self.step / self.steps_per_epoch)
            total = (weights.to(values.dtype) @ values.sum(1)) / group
            total = total + self.weighting.regulariser().to(values.dtype) * (len(images) / group)
            if self.weighting.measures:
                energies += gradient_energies(values, logits, channels, self.network.head.weight)
            self.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
            plain = values.detach().sum(1).double()
            step_sums += torch.stack((plain, plain * weights.detach()))
            seen += len(images)
            if seen % plan.group and seen < samples:
                continue

            rate = learning_rate(
                self.step,
                warmup_steps=plan.warmup_epochs * self.steps_per_epoch,
                fall=self.fall(),
                peak=plan.lr,
            )
            for settings in self.optimizer.param_groups:
                settings["lr"] = rate * settings.get("rate", 1.0)
            # One wild batch must not undo many good ones; the norm is that of the unscaled gradient.
            self.scaler.unscale_(self.optimizer)
            norm = nn.utils.clip_grad_norm_(self.network.parameters(), plan.clip_norm)
            loss = float(step_sums[1].sum() / group)
            # An infinite gradient is the scaler's daily bread, but without a scaler it would become weights.
            if not math.isfinite(loss) or not (self.scaler.is_enabled() or bool(norm.isfinite())):
                raise TrainingError(self.diverged(loss, rate, range(seen - group, seen)))
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad(set_to_none=True)
            self.step += 1
            self.average.update(self.network, self.step)
            if self.weighting.measures:
                self.weighting.observe(energies.sqrt() / group)
                energies.zero_()

            sums += step_sums
            step_sums.zero_()
            on_step(
                StepRecord(self.epoch + 1, math.ceil(seen / plan.group), self.steps_per_epoch, loss, rate)
            )
            if self.out_of_time():
                break
        (*_, seed), (*mask, weighted_marker) = (sums / seen).tolist()
        return Epoch(
            train_loss=sum(mask) + weighted_marker,
            mask_loss=sum(mask),
            marker_loss=seed,
            lr=rate,
            images_per_s=seen / (time.monotonic() - began),
            weights=dict(zip(self.objective.names, weights.tolist(), strict=True)),
        )

    def fall(self) -> float:
        """Share of the peak learning rate for the next step."""
        plan = self.plan
        if plan.schedule == "plateau":
            scores = [record["val_jaccard"] for record in self.history]
            return plateau(scores, plan.plateau_epochs, plan.plateau_factor, plan.final_lr_fraction)
        # The cosine goes by steps, or by the clock when that will end the run first.
        progress = max((self.step + 1) / (plan.epochs * self.steps_per_epoch), self.time_share())
        return cosine(progress, plan.final_lr_fraction)

    def finish_epoch(self, began: float, epoch: Epoch) -> EpochRecord:
        """Validate the averaged weights, and save everything."""
        plan = self.plan
        scores = score(
            self.average.network,
            self.scenes,
            self.device,
            threshold=plan.threshold,
            marker_threshold=plan.marker_threshold,
            min_area_px=plan.min_area_px,
        )
        self.epoch += 1
        best = scores.jaccard > self.best_jaccard
        if best:
            self.best_epoch, self.best_jaccard = self.epoch, scores.jaccard
        record = EpochRecord(
            epoch=self.epoch,
            **vars(epoch),
            val_jaccard=scores.jaccard,
            val_dice=scores.dice,
            val_f1=scores.f1,
            count_mae=scores.count_mae,
            count_mape=scores.count_mape,
            count_bias=scores.count_bias,
            seconds=time.monotonic() - began,
            best=best,
        )
        self.history.append(asdict(record))
        self.folder.save(self.state(), best=best)
        if self.gradients:
            gradients.write(self.folder.gradients, self.gradients)
        return record

    def state(self) -> Checkpoint:
        """Everything that going on needs."""
        architecture = self.plan.architecture
        return Checkpoint(
            architecture=architecture.as_dict(),
            model=self.network.state_dict(),
            average=self.average.network.state_dict(),
            optimizer=self.optimizer.state_dict(),
            scaler=self.scaler.state_dict(),
            rng=checkpoint.random_state(self.device),
            epoch=self.epoch,
            step=self.step,
            best_epoch=self.best_epoch,
            best_jaccard=self.best_jaccard,
            elapsed_s=self.elapsed_s(),
            history=self.history,
            weighting=dict(self.weighting.state_dict()),
            gradients=[asdict(record) for record in self.gradients],
            settings=self.plan.as_dict(),
            facts={
                "data": self.data,
                "stride": architecture.stride,
                "halo_px": architecture.halo_px,
                "diameter_px": _median_diameter(self.scenes),
                "polarity_augmented": self.plan.augment,
            },
        )

    def restore(self, state: Checkpoint) -> None:
        """Go back to where a checkpoint was made."""
        source = str(self.folder.last)
        self.plan.require_same(state.settings, source)
        if state.facts.get("data") != self.data:
            raise TrainingError(
                f"{source}: was started on other tiles; resume with the same, or start a new run"
            )
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
        self.epoch, self.step, self.history = state.epoch, state.step, list(state.history)
        self.gradients = [gradients.GradientRecord(**record) for record in state.gradients]
        self.best_epoch, self.best_jaccard, self.spent_s = (
            state.best_epoch,
            state.best_jaccard,
            state.elapsed_s,
        )

    def elapsed_s(self) -> float:
        return self.spent_s + time.monotonic() - self.session_start

    def time_share(self) -> float:
        return self.elapsed_s() / (60 * self.plan.max_minutes) if self.plan.max_minutes else 0.0

    def out_of_time(self) -> bool:
        return self.time_share() >= 1

    def diverged(self, loss: float, rate: float, batch: range) -> str:
        kept = f"{self.folder.last} holds epoch {self.epoch}" if self.epoch else "no epoch was finished"
        names = [self.source.name(self.plan.seed, self.epoch, index) for index in batch]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return (
            f"training diverged in epoch {self.epoch + 1}, step {self.step + 1}, lr = {rate:.2g} "
            f"(loss {loss:.3g}) on {', '.join(names[:NAMED])}{more}; {kept}; start again with a lower --lr"
        )


def _data(plan: TrainingPlan, tiles: Path | None) -> tuple[SceneSource, Scenes, str]:
    """Training source, validation scenes and a fingerprint of both."""
    if plan.simulate:
        scenes = held_out(plan.validation_scenes, plan.size)
        return Simulated(plan.simulate, plan.size), scenes, "simulated"
    if tiles is None:
        raise TrainingError("nothing to train on: give a folder of tiles, or --simulate N")
    rows = read_manifest(tiles)
    return Shuffled(Tiles(rows, "train", tiles)), Tiles(rows, "val", tiles), fingerprint(tiles)


def _workers(asked: int | None, target: torch.device) -> int:
    return min(MOST_WORKERS[target.type], usable_cpus() - 1) if asked is None else asked


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Decay kernels only: a bias or a normalisation scale near 0 shrinks the signal, not the model."""
    kernels = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _median_diameter(scenes: Scenes) -> float | None:
    """Median over the validation beads of the diameter of the disc with the same area, px."""
    areas = [np.unique(labels[labels > 0], return_counts=True)[1] for _, labels in scenes]
    together = np.concatenate(areas)
    return float(np.median(np.sqrt(4 * together / np.pi))) if together.size else None
