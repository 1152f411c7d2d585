"""Runs that start from weights: a small plan, and what is read of a model file."""

from beadctl.model.metadata import ModelFacts
from beadctl.model.session import Model
from beadctl.training.options import TrainCallbacks, TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.train import train

TINY = TrainingPlan(
    simulate=6,
    size=32,
    epochs=2,
    batch_size=2,
    width=4,
    depth=3,
    dropout=0.0,
    lr=1e-2,
    warmup_epochs=0,
    ema_decay=0.9,
    validation_scenes=2,
)


# Flags that fit it and do not set the network.
SMALL = ("--simulate", "4", "--size", "32", "--batch-size", "2", "--workers", "0", "--threads", "1")


def go(plan, run_dir, **more):
    """Train on the CPU in this process."""
    callbacks = {name: more.pop(name) for name in ("on_epoch", "should_stop") if name in more}
    options = TrainOptions(device="cpu", workers=0, threads=1, resume=more.pop("resume", False))
    return train(plan, run_dir, options=options, callbacks=TrainCallbacks(**callbacks), **more)


def facts_of(path) -> ModelFacts:
    """Return the metadata of a model file."""
    return Model(path, "cpu").facts
