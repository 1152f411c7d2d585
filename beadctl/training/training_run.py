"""A training run: epochs of optimiser steps, each followed by validation and a checkpoint."""

import math
import time
from dataclasses import asdict
from itertools import islice
from typing import Any

import torch

import beadctl
from beadctl.errors import TrainingError
from beadctl.training import device, gradients
from beadctl.training.architecture import Architecture
from beadctl.training.checkpoint import Checkpoint
from beadctl.training.dataset import Batches, TrainingData
from beadctl.training.learner import Learner
from beadctl.training.options import DEFAULT_OPTIONS, NO_CALLBACKS, TrainCallbacks, TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.records import EpochRecord, RunResult, StepRecord, selected
from beadctl.training.run_folder import RunFolder
from beadctl.training.schedule import cosine, learning_rate, plateau
from beadctl.training.start import Start
from beadctl.training.supply import Supply
from beadctl.training.validation import label_options, score
from beadctl.words import first_names, number_of

# Samples that the batch normalisations of a model file take their statistics from.
OPENING = 32

# Tiles of a batch that the message of a diverged run names.
NAMED = 4


class TrainingRun:
    """Epochs of optimiser steps, each followed by validation and a checkpoint.

    Parameters
    ----------
    plan, start, options
        As `train` takes them.
    data, folder, target : TrainingData, RunFolder and torch.device
        Samples and validation images, what takes checkpoints and history, where the network is.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        data: TrainingData,
        folder: RunFolder,
        target: torch.device,
        options: TrainOptions = DEFAULT_OPTIONS,
        start: Start | None = None,
    ) -> None:
        self.plan, self.data, self.folder, self.device, self.world = plan, data, folder, target, options.world
        # Micro-batches and samples of an optimiser step, of all processes.
        self.micro_batches = plan.accumulate * self.world.size
        self.group = plan.group * self.world.size
        samples = plan.steps_per_epoch * self.group if plan.steps_per_epoch else len(data.source)
        self.steps_per_epoch = math.ceil(samples / self.group)
        self.batches = Batches(samples, plan.batch_size, self.world)
        workers = device.workers(options.workers, target)
        self.supply = Supply(plan, data.source, self.batches, target, workers)
        self.learner = Learner(plan, target, start, self.supply.opening(OPENING), self.world)
        self.audited = (
            gradients.audited_losses(plan.loss, plan.loss_parameters)
            if options.gradient_audit and self.world.leads
            else {}
        )
        self.joiner = start.joiner if start else None
        self.epoch = self.best_epoch = 0
        self.best_score = -math.inf
        self.history: list[dict[str, Any]] = []
        self.gradients: list[dict[str, Any]] = []
        self.spent_s, self.session_start = 0.0, time.monotonic()

    def go(self, callbacks: TrainCallbacks) -> RunResult:
        """Train to the last epoch, the time limit, the end of patience, or the request to stop.

        However short the limit, one epoch is finished, so a run that was not stopped has a best epoch.
        """
        stopped = "finished"
        while self.epoch < self.plan.epochs:
            if self.history and self.time_share() >= 1:
                stopped = "time limit"
                break
            if self.history and self.epoch - self.best_epoch >= self.plan.patience:
                stopped = f"no better for {number_of(self.plan.patience, 'epoch')}"
                break
            began = time.monotonic()
            epoch = self.train_epoch(callbacks)
            record = epoch and self.finish_epoch(began, epoch, callbacks)
            if not record:
                stopped = "interrupted"
                break
            callbacks.on_epoch(record)
        best = EpochRecord(**self.history[self.best_epoch - 1]) if self.best_epoch else None
        path, seconds = self.folder.best if best else None, sum(record["seconds"] for record in self.history)
        return RunResult(path, best, self.epoch, stopped, str(self.device), seconds)

    def train_epoch(self, callbacks: TrainCallbacks = NO_CALLBACKS) -> dict[str, Any] | None:
        """Make one pass over the data: its fields of `EpochRecord`, or None when asked to stop."""
        learner, world, samples = self.learner, self.world, self.batches.samples
        learner.network.train()
        world.draw_apart(self.plan.seed, self.epoch)
        began, audited, own = time.monotonic(), self.audited, self.supply.epoch(self.epoch)
        sums = torch.zeros(2, len(learner.objective.names), device=self.device, dtype=torch.float64)
        for number in range(self.steps_per_epoch):
            # Samples of this optimiser step, of all processes; the last one of the epoch may have fewer.
            first, done = number * self.group, min((number + 1) * self.group, samples)
            step, stop = self.epoch * self.steps_per_epoch + number, False
            for images, wanted in islice(own, self.batches.among(first, done)):
                if stop := callbacks.should_stop():
                    break
                logits = learner.accumulate(images, wanted, done - first, step / self.steps_per_epoch)
                if audited:
                    inside = wanted[:, 3] if wanted.shape[1] > 3 else None
                    rows = gradients.measure(logits[:, 0], wanted[:, 0], audited, inside=inside)
                    self.gradients += [{"epoch": self.epoch + 1, "step": learner.step, **row} for row in rows]
                    audited = {}
            if world.any(stop):
                return None

            rate, gradient = self.learning_rate(step), learner.gradient(done - first)
            if not gradient.finite:
                raise TrainingError(self.diverged(gradient.loss, rate, range(first, done)))
            learner.update(rate, done - first)
            sums += gradient.terms
            callbacks.on_step(
                StepRecord(self.epoch + 1, number + 1, self.steps_per_epoch, gradient.loss, rate)
            )
            if self.time_share() >= 1:
                break
        if self.epoch + 1 < self.plan.epochs:
            # Workers prepare the first samples of the next epoch during validation.
            self.supply.epoch(self.epoch + 1)
        (*_, marker), (*mask, weighted_marker) = (sums / done).tolist()
        return {
            "train_loss": sum(mask) + weighted_marker,
            "mask_loss": sum(mask),
            "marker_loss": marker,
            "lr": rate,
            "images_per_s": done / (time.monotonic() - began),
            "weights": dict(zip(learner.objective.names, learner.weights.tolist(), strict=True)),
        }

    def finish_epoch(
        self, began: float, epoch: dict[str, Any], callbacks: TrainCallbacks
    ) -> EpochRecord | None:
        """Validate the averaged weights after the pass `epoch`, and save all; or None when asked to stop."""
        left = list(self.world.own(range(len(self.data.validation))))
        asked = (self.data.validation[left.pop(0)] for _ in range(len(left)) if not callbacks.should_stop())
        network = self.learner.average.network
        options = label_options(vars(self.plan), self.joiner)
        scores = score(network, asked, self.device, options, self.world)
        if self.world.any(bool(left)):
            return None
        self.epoch += 1
        value = selected(scores.columns(), self.plan.select)
        # As long as no bead is right, the pixels tell which epoch is better.
        before = self.history[self.best_epoch - 1]["val_jaccard"] if self.best_epoch else -math.inf
        best = (value, scores.jaccard) > (self.best_score, before)
        if best:
            self.best_epoch, self.best_score = self.epoch, value
        figures = epoch | scores.columns()
        record = EpochRecord(epoch=self.epoch, **figures, seconds=time.monotonic() - began, best=best)
        self.history.append(asdict(record))
        self.folder.save(self.state())
        return record

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step, by its place in the plan, from 0."""
        plan = self.plan
        if plan.schedule == "plateau":
            scores = [selected(record, plan.select) for record in self.history]
            fall = plateau(scores, plan.plateau_epochs, plan.plateau_factor, plan.final_lr_fraction)
        else:
            # The cosine goes by steps, or by the clock when that will end the run first.
            progress = max((step + 1) / (plan.epochs * self.steps_per_epoch), self.time_share())
            fall = cosine(progress, plan.final_lr_fraction)
        warmup_steps = plan.warmup_epochs * self.steps_per_epoch
        return learning_rate(step, warmup_steps=warmup_steps, fall=fall, peak=plan.lr)

    def state(self) -> Checkpoint:
        """Return everything that a resumed run needs."""
        return Checkpoint(
            **self.learner.state(),
            epoch=self.epoch,
            best_epoch=self.best_epoch,
            best_score=self.best_score,
            elapsed_s=self.elapsed_s(),
            history=self.history,
            gradients=self.gradients,
            settings=self.plan.as_dict(),
            facts={
                "data": self.data.fingerprint,
                "diameter_px": self.data.median_diameter,
                "processes": self.world.size,
                "joiner": self.joiner and self.joiner.to_json(),
            },
        )

    def restore(self, state: Checkpoint) -> None:
        """Go back to where a checkpoint was made.

        Raises
        ------
        TrainingError, ModelError
            If it is of another plan, other tiles, or another network or device.
        """
        source = str(self.folder.last)
        if Architecture(**state.architecture).inputs != self.plan.inputs:
            raise TrainingError(
                f"{source}: was started by an earlier beadctl, whose networks see the grey level alone; "
                "start a new run from it with --from"
            )
        self.plan.require_same(self.before(state), source)
        if state.facts.get("data") != self.data.fingerprint:
            raise TrainingError(
                f"{source}: was started on other tiles; resume with the same, or start a new run"
            )
        self.learner.restore(state, source)
        self.joiner = state.joiner
        self.epoch, self.history, self.gradients = state.epoch, list(state.history), list(state.gradients)
        self.best_epoch, self.best_score = state.best_epoch, state.best_score
        self.spent_s = state.elapsed_s
        self.folder.complete(state)

    def before(self, state: Checkpoint) -> dict[str, Any]:
        """Return the plan that a run was started with, accumulating as now if a step has as many samples."""
        micro_batches = state.settings.get("accumulate", 1) * state.facts.get("processes", 1)
        same = {"accumulate": self.plan.accumulate} if micro_batches == self.micro_batches else {}
        return state.settings | same

    def shared_facts(self) -> dict[str, Any]:
        """Return what is the same in all processes of a training."""
        facts = {"tiles": self.data.fingerprint, "device": self.device.type, "precision": self.learner.dtype}
        return self.plan.as_dict() | facts | {"resumed epoch": self.epoch, "version": beadctl.__version__}

    def elapsed_s(self) -> float:
        """Return the seconds spent, over all sessions of the run."""
        return self.spent_s + time.monotonic() - self.session_start

    def time_share(self) -> float:
        """Return the share of the time limit that is spent, by the clock of all processes; 0 without one."""
        minutes = self.plan.max_minutes
        return self.world.largest(self.elapsed_s()) / (60 * minutes) if minutes else 0.0

    def diverged(self, loss: float, rate: float, batch: range) -> str:
        """Return the message for a loss or gradient that is not finite, on these samples of the epoch."""
        kept = f"{self.folder.last} holds epoch {self.epoch}" if self.epoch else "no epoch was finished"
        names = [self.data.source.name(self.plan.seed, self.epoch, index) for index in batch]
        return (
            f"training diverged in epoch {self.epoch + 1}, step {self.learner.step + 1}, lr = {rate:.2g} "
            f"(loss {loss:.3g}) on {first_names(names, NAMED)}; {kept}; start again with a lower --lr"
        )
