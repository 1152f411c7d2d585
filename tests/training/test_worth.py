"""What `train` says of a finished run against the default model."""

import re

import numpy as np
import pytest
from helpers.training import write_tiles
from PIL import Image

pytest.importorskip("torch")

from beadctl.console import Messages
from beadctl.evaluation import scoring
from beadctl.evaluation.scoring import Score
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.training import worth
from beadctl.training.trained_model import TrainedModel

FLAGS = (
    *("--width", 4, "--depth", 2, "--batch-size", 2, "--epochs", 1, "--steps-per-epoch", 1),
    *("--workers", 0, "--threads", 1, "--device", "cpu"),
)


def test_a_run_says_what_it_is_worth_and_draws_its_worst_tiles(run, tmp_path):
    tiles = write_tiles(tmp_path / "tiles")
    said = run("train", "--tiles", tiles, "-o", "run", *FLAGS)
    assert said.code == 0, said.err
    line = next(text for text in said.err.splitlines() if text.startswith("on 2 validation tiles"))
    figures = re.findall(r"F1@0.5 (\S+), count error (\S+)%, (\d+) mistakes?", line)
    held = worth.validation_samples(tiles)
    for model, (f1, error, _) in zip(
        (TrainedModel(tmp_path / "run/best.pt", "cpu"), Model(DEFAULT_MODEL, "cpu")), figures, strict=True
    ):
        scored = scoring.evaluate(held, model, SegmentOptions.of(model.facts), Messages(-1))
        total = sum((one.score for one in scored), Score())
        assert (f1, error) == (f"{total.instances.f1(0.5):.3f}", f"{100 * total.counts.mape:.1f}")
        assert f"with {sum(total.counts.true)} beads" in line
    # One step of training is no match for the default model.
    assert "the default model is as good or better here" in said.err
    with Image.open(tmp_path / "run/worst_tiles.png") as picture:
        assert np.asarray(picture.convert("RGB")).std() > 5


def test_of_many_tiles_some_are_compared_evenly_spread(tmp_path):
    tiles = write_tiles(tmp_path / "tiles", splits=("train", *("val",) * 7))
    held = worth.validation_samples(tiles)
    assert [len(worth.spread(held, most)) for most in (1, 3, 7, 64)] == [1, 3, 7, 7]
    assert [held.index(one) for one in worth.spread(held, 3)] == [0, 3, 6]
