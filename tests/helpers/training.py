"""A tiny training run: its plan, its tiles, and what it leaves."""

import csv
import dataclasses
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from beadctl.dataset.manifest import TileRow, read_manifest
from beadctl.errors import BeadctlError
from beadctl.images import levels_of
from beadctl.training.dataset import Shuffled, TrainingData
from beadctl.training.options import TrainCallbacks, TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.run_folder import RunFolder
from beadctl.training.tiles import Tiles
from beadctl.training.train import train
from beadctl.training.training_run import TrainingRun

COLUMNS = [field.name for field in dataclasses.fields(TileRow)]


# Small enough for seconds: 32 px samples through a network of two levels.
TINY = TrainingPlan(
    size=32,
    epochs=2,
    batch_size=2,
    width=4,
    depth=2,
    dropout=0.1,
    lr=1e-2,
    warmup_epochs=0.5,
    ema_decay=0.9,
    min_area_px=3,
)
# One step of plain descent, by `gradient`.
DESCENT = replace(
    TINY,
    epochs=1,
    warmup_epochs=0,
    dropout=0.0,
    lr=1.0,
    final_lr_fraction=1.0,
    clip_norm=math.inf,
    # Weights for which no two pixels have nearly equal errors: their ranks are a kink of the Lovász loss.
    seed=1,
)


def write_tiles(folder: Path, splits=("train",) * 5 + ("val",) * 2, size=40) -> Path:
    """Bright discs on dark, as `beadctl tile` would leave them."""
    rows = []
    for number, split in enumerate(splits):
        rng = np.random.default_rng(number)
        y, x = np.indices((size, size))
        labels = np.zeros((size, size), np.uint16)
        for bead in range(1, 4):
            cy, cx = rng.uniform(4, size - 4, 2)
            labels[(y - cy) ** 2 + (x - cx) ** 2 <= rng.uniform(9, 25)] = bead
        image = np.clip(50 + 120 * (labels > 0) + rng.normal(0, 6, labels.shape), 0, 255).astype(np.uint8)
        names = f"images/{number}.tif", f"masks/{number}.tif"
        for name, plane in zip(names, (image, labels), strict=True):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(folder / name, plane, compression="zlib")
        beads = len(np.unique(labels)) - 1
        place = (
            f"field{number}",
            0,
            0,
            size,
            size,
            beads,
            *vars(levels_of(image)).values(),
            f"{number:064x}",
            0,
        )
        rows.append((split, *names, *place))
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return folder


def go(plan, tiles, run_dir, **more):
    callbacks = {name: more.pop(name) for name in ("on_epoch", "on_step", "should_stop") if name in more}
    options = TrainOptions(**{"workers": 0, "threads": 1} | more)
    return train(plan, run_dir, tiles=tiles, options=options, callbacks=TrainCallbacks(**callbacks))


def one_line(error: pytest.ExceptionInfo[BeadctlError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def history(run_dir):
    with (run_dir / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def gradient(plan, tiles, samples, tmp_path, device="cpu"):
    """The gradient of the one step of an epoch of `samples` tiles, and its losses; for `DESCENT`.

    Normalisation is frozen: micro-batches change its batch statistics, and nothing else.
    """
    source = Shuffled(Tiles(read_manifest(tiles), "train", tiles))

    class Some:
        input = source.input
        scene = source.scene
        __len__ = lambda self: samples  # noqa: E731

    folder = RunFolder(tmp_path / f"{plan.batch_size}x{plan.accumulate}", resume=False)
    data, options = TrainingData(Some(), [], ""), TrainOptions(workers=0)
    run = TrainingRun(plan, data, folder, torch.device(device), options)
    network = run.learner.network.eval()
    network.train = lambda: None
    run.learner.optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    before = {name: value.clone() for name, value in network.named_parameters()}
    epoch = run.train_epoch()
    after = dict(network.named_parameters())
    steps = [(before[name] - after[name]).detach().cpu() for name in before]
    losses = [epoch[name] for name in ("train_loss", "mask_loss", "marker_loss")]
    return torch.cat([step.flatten() for step in steps]), losses
