"""Training on a GPU against the CPU: the same losses, whole batches and micro-batches, export and resumption.

Each test runs on a CUDA device where there is one; some also run on the CPU, so that they are known to work.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.training import TINY, go, history

from beadctl.errors import DeviceError
from beadctl.images import InMemory
from beadctl.losses import Loss
from beadctl.model.session import Model
from beadctl.simulate import render
from beadctl.training import checkpoint
from beadctl.training.choices import ArchName
from beadctl.training.export import TOLERANCE, export
from beadctl.weighting import WeightingName

CUDA = pytest.param(
    "cuda",
    marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")],
)
ON_CUDA = pytest.mark.parametrize("device", [CUDA])
ON_BOTH = pytest.mark.parametrize("device", ["cpu", CUDA])
# One epoch of three steps in single precision, without what is random on the device.
STEPS = replace(TINY, epochs=1, dropout=0.0, augment=False, precision="fp32", lr=1e-3)


def losses(run_dir):
    return [float(row["train_loss"]) for row in history(run_dir)]


def both(plan, tiles, tmp_path, device):
    """The losses of a run on the CPU and of one on the device."""
    for name in ("cpu", device):
        go(plan, tiles, tmp_path / f"on-{name}", device=name)
    return losses(tmp_path / "on-cpu"), losses(tmp_path / f"on-{device}")


@pytest.fixture(autouse=True)
def single_precision():
    """Products without the ten-bit mantissas that GPUs use for speed."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.parametrize("loss", Loss)
@ON_CUDA
def test_every_loss_is_that_of_the_cpu(tiles, tmp_path, device, loss):
    on_cpu, on_device = both(replace(STEPS, loss=loss), tiles, tmp_path, device)
    assert on_device == pytest.approx(on_cpu, rel=1e-2)


@pytest.mark.parametrize("weighting", WeightingName)
@ON_CUDA
def test_every_weighting_is_that_of_the_cpu(tiles, tmp_path, device, weighting):
    on_cpu, on_device = both(replace(STEPS, weighting=weighting), tiles, tmp_path, device)
    assert on_device == pytest.approx(on_cpu, rel=1e-2)


@pytest.mark.parametrize("arch", ArchName)
@ON_CUDA
def test_every_architecture_is_that_of_the_cpu(tiles, tmp_path, device, arch):
    on_cpu, on_device = both(replace(STEPS, arch=arch), tiles, tmp_path, device)
    assert on_device == pytest.approx(on_cpu, rel=1e-2)


@ON_BOTH
def test_micro_batches_have_the_loss_of_one_batch(tiles, tmp_path, device):
    """Batch normalisation sees other batches, so not its gradient to the last digit."""
    go(replace(STEPS, batch_size=4), tiles, tmp_path / "whole", device=device)
    go(replace(STEPS, batch_size=2, accumulate=2), tiles, tmp_path / "parts", device=device)
    whole, parts = (checkpoint.load(tmp_path / name / "last.pt").step for name in ("whole", "parts"))
    assert whole == parts == 2
    assert losses(tmp_path / "parts") == pytest.approx(losses(tmp_path / "whole"), rel=0.2)


@ON_BOTH
def test_augmented_training_in_the_device_s_own_precision_is_finite_and_resumes(tiles, tmp_path, device):
    plan = replace(TINY, epochs=2)
    done = []
    go(plan, tiles, tmp_path / "run", device=device, on_epoch=done.append, should_stop=lambda: len(done) >= 1)
    assert len(losses(tmp_path / "run")) == 1
    result = go(plan, tiles, tmp_path / "run", device=device, resume=True, workers=1)
    assert result.epochs == 2
    assert np.isfinite(losses(tmp_path / "run")).all()
    # A checkpoint of any device loads on a machine without it.
    state = checkpoint.load(tmp_path / "run" / "last.pt")
    assert {value.device.type for value in state.model.values()} == {"cpu"}


@ON_BOTH
def test_a_run_is_exported_and_runs_on_the_device(tiles, tmp_path, device):
    go(TINY, tiles, tmp_path / "run", device=device)
    report = export(tmp_path / "run", tmp_path / "bead.onnx")
    assert report.largest_difference <= TOLERANCE
    try:
        model = Model(tmp_path / "bead.onnx", device, 1)
    except DeviceError as error:
        pytest.skip(str(error))
    plane = InMemory(render(np.random.default_rng(8), (64, 96)).image)
    wanted = Model(tmp_path / "bead.onnx", "cpu", 1).maps(plane)
    for found, one in zip(model.maps(plane).planes, wanted.planes, strict=True):
        assert np.abs(found.astype(int) - one).max() <= 2
