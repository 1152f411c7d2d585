"""Tiles of a few bright discs, which no test changes, and runs to start from."""

from dataclasses import replace
from functools import cache

import pytest
from helpers.starting import TINY, go
from helpers.training import write_tiles

from beadctl.training.choices import ArchName
from beadctl.training.export import export

# Steps of training: a U-Net learns to find beads; of the others it matters only that their maps vary.
STEPS = {ArchName.UNET: 100}


@pytest.fixture(scope="session")
def tiles(tmp_path_factory):
    return write_tiles(tmp_path_factory.mktemp("tiles"))


@pytest.fixture(scope="session")
def learned(tmp_path_factory):
    """A function that returns a run of a kind of network, with its model file beside it."""

    @cache
    def made(kind):
        run_dir = tmp_path_factory.mktemp(f"trained-{kind}") / "run"
        plan = replace(TINY, epochs=1, batch_size=4, lr=2e-2, validation_scenes=8)
        dilation = 1 if kind == ArchName.UNET else 2
        go(replace(plan, arch=kind, dilation=dilation, steps_per_epoch=STEPS.get(kind, 20)), run_dir)
        export(run_dir, run_dir.parent / "tiny.onnx")
        return run_dir

    return made


@pytest.fixture(params=list(ArchName))
def trained(request, learned):
    """A run of each kind of network, ``tiny.onnx`` beside it."""
    return learned(request.param)


@pytest.fixture
def tiny(learned):
    """A run of a U-Net that finds beads, ``tiny.onnx`` beside it."""
    return learned(ArchName.UNET)
