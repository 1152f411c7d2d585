"""Micro-batches: the same for any number of workers, whoever makes the views."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from helpers.training import TINY

from beadctl.dataset.manifest import read_manifest
from beadctl.images import InputName
from beadctl.training import device
from beadctl.training.dataset import Batches, Shuffled, Simulated
from beadctl.training.supply import Supply
from beadctl.training.tiles import Tiles

CPU = torch.device("cpu")


def source_of(kind, tiles):
    return Simulated(5, 32) if kind == "simulated" else Shuffled(Tiles(read_manifest(tiles), "train", tiles))


def epochs(source, workers, order=(0, 1)):
    """The micro-batches of these epochs, of 2, 2 and 1 samples."""
    supply = Supply(TINY, source, Batches(5, 2), CPU, workers)
    return [[(images.clone(), wanted.clone()) for images, wanted in supply.epoch(number)] for number in order]


@pytest.fixture(params=["processes", "device"])
def maker(request, monkeypatch):
    """Who makes the views; here the CPU is the device."""
    monkeypatch.setattr(device, "makes_views", lambda target: request.param == "device")
    return request.param


@pytest.mark.parametrize("kind", ["tiles", "simulated"])
def test_they_depend_neither_on_the_workers_nor_on_what_came_before(tiles, kind, maker):
    source = source_of(kind, tiles)
    first, second = epochs(source, 0)
    assert [len(images) for images, _ in first] == [2, 2, 1]
    for others in (epochs(source, 2)[1], *epochs(source, 1, order=[1])):
        for (images, wanted), (other, again) in zip(second, others, strict=True):
            assert torch.equal(images, other)
            assert torch.equal(wanted, again)
    assert not any(torch.equal(first[0][0], images) for images, _ in second)


def test_they_are_as_the_network_takes_them(tiles, maker):
    ((images, wanted), *_), _ = epochs(source_of("tiles", tiles), 0)
    assert images.shape == (2, 3, 32, 32)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert wanted.shape[1] in ((4,) if maker == "device" else (3, 4))
    for plane in (images, wanted):
        assert plane.dtype == torch.float32
        assert plane.isfinite().all()
    assert set(wanted[:, 0].unique().tolist()) == {0, 1}
    assert np.isclose(wanted[:, 1].max(), 1)


@dataclass(frozen=True)
class Mosaic:
    """A source whose images have values in the last 30 rows alone."""

    input = InputName.LOCAL

    def scene(self, seed, epoch, index):
        image, labels = np.random.default_rng(index).normal(size=(100, 100)), np.zeros((100, 100), np.int32)
        image[:70], labels[60:80, 20:40] = np.nan, 1
        return image.astype(np.float32), labels


def test_gaps_of_any_depth_are_finite_and_do_not_count(maker):
    views = [pair for epoch in epochs(Mosaic(), 0) for pair in epoch]
    assert all(images.isfinite().all() for images, _ in views)
    assert any(wanted.shape[1] > 3 and wanted[:, 3].min() == 0 for _, wanted in views)


def test_views_of_both_makers_are_alike(tiles, monkeypatch):
    """Over some hundred views: bead area, marker, contacts, and the intensities of each channel."""
    means = {}
    for maker in ("processes", "device"):
        monkeypatch.setattr(device, "makes_views", lambda target, maker=maker: maker == "device")
        drawn = [pair for epoch in epochs(source_of("tiles", tiles), 0, range(60)) for pair in epoch]
        planes = torch.cat([torch.cat((images, wanted[:, :3]), 1) for images, wanted in drawn])
        means[maker] = torch.cat((planes.mean((0, 2, 3))[3:], planes.std((0, 2, 3))[:3])).numpy()
    assert means["device"] == pytest.approx(means["processes"], rel=0.08)
