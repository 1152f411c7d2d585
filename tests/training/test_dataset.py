"""Samples: the same for any number of workers, each once an epoch, and workers that end with the run."""

import contextlib
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers.training import TINY, go, one_line

from beadctl.dataset.manifest import read_manifest
from beadctl.errors import TrainingError
from beadctl.training.augment import Augmentation
from beadctl.training.dataset import Batches, Shuffled, Simulated, Views, held_out, load
from beadctl.training.tiles import Tiles


def batches_of(source, workers, epochs=2):
    batches = Batches(5, 2)
    loader = load(Views(source, 32, 7, Augmentation()), batches, workers=workers, pin_memory=False)
    result = []
    for epoch in range(epochs):
        batches.epoch = epoch
        result += [(images.clone(), wanted.clone()) for images, wanted in loader]
    return result


@pytest.mark.parametrize("kind", ["tiles", "simulated"])
def test_samples_do_not_depend_on_the_workers(tiles, kind):
    source = (
        Simulated(5, 32) if kind == "simulated" else Shuffled(Tiles(read_manifest(tiles), "train", tiles))
    )
    alone, together = batches_of(source, 0), batches_of(source, 2)
    assert [len(images) for images, _ in alone] == [2, 2, 1, 2, 2, 1]
    for (a, b), (c, d) in zip(alone, together, strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)
    images, wanted = alone[0]
    assert images.shape == (2, 3, 32, 32)
    assert wanted.shape == (2, 4, 32, 32)
    assert not any(torch.equal(alone[0][0][0], other[0][0]) for other in alone[1:])


def test_every_tile_is_seen_once_an_epoch_in_changing_order(tiles):
    source = Shuffled(Tiles(read_manifest(tiles), "train", tiles))
    seen = [[source.scene(3, epoch, index)[0].tobytes() for index in range(10)] for epoch in range(4)]
    for views in seen:
        assert len(set(views[:5])) == len(set(views[5:])) == 5
    assert len({tuple(views) for views in seen}) > 1


@pytest.mark.parametrize("augmentation", [None, Augmentation(warp_probability=0)])
def test_gaps_of_a_tile_do_not_count(tiles, augmentation):
    """The network is shown a mirror there, whose beads nobody marked."""

    class Torn(Shuffled):
        def scene(self, seed, epoch, index):
            image, labels = super().scene(seed, epoch, index)
            image[: index * len(image) // 2] = np.nan
            return image, labels

    source = Torn(Tiles(read_manifest(tiles), "train", tiles))
    size = min(source.scene(0, 0, 0)[0].shape)
    counts = []
    for index in range(3):
        image, wanted = Views(source, size, 0, augmentation)[0, index]
        assert torch.isfinite(image).all()
        counts.append(int(wanted[3].sum()))
    # Where no pixel has a value, all count, as a mean over none is NaN.
    assert counts[0] == counts[2] == size**2
    assert abs(counts[1] - size**2 // 2) <= 6 * size


def test_validation_scenes_are_the_same_for_every_seed_and_never_trained_on():
    first, second = held_out(3, 32), held_out(2, 32)
    for (a, b), (c, d) in zip(first, second, strict=False):
        assert np.array_equal(a, c)
        assert np.array_equal(b, d)
    trained = Simulated(3, 32)
    crops = [trained.scene(seed, 0, index)[0][:32, :32] for seed in range(2) for index in range(3)]
    assert not any(np.array_equal(crop, image) for crop in crops for image, _ in first)


def test_nothing_to_train_on(tmp_path):
    with pytest.raises(TrainingError, match="--simulate") as error:
        go(TINY, None, tmp_path / "run")
    one_line(error)


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_process_that_ends_with_workers_left_does_not_wait_for_them(tmp_path):
    """As after an exception that keeps the loader alive; multiprocessing sends workers SIGTERM and waits."""
    code = """
from beadctl.training.dataset import Batches, Simulated, Views, load
batches = Batches(8, 2)
loader = load(Views(Simulated(8, 32), 32, 0, None), batches, workers=1, pin_memory=False)
kept = iter(loader)
next(kept)
import builtins
builtins.kept = kept
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, start_new_session=True)
    try:
        assert process.wait(60) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
