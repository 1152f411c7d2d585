"""Training on a GPU against the CPU: the same losses, whole batches and micro-batches, export and resumption.

Each test runs on a CUDA device where there is one; some also run on the CPU, so that they are known to work.
"""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.training import DESCENT, TINY, go, gradient, history
from helpers.world import ended, frozen_training, started

from beadctl.dataset.manifest import read_manifest
from beadctl.errors import DeviceError
from beadctl.images import InMemory
from beadctl.losses import Loss
from beadctl.model.session import Model
from beadctl.simulate import render
from beadctl.training import checkpoint
from beadctl.training.choices import ArchName, PrecisionName
from beadctl.training.export import TOLERANCE, export
from beadctl.training.tiles import Tiles
from beadctl.training.validation import maps
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


@pytest.mark.parametrize("loss", Loss)
@ON_CUDA
def test_every_loss_leaves_out_the_pixels_that_the_cpu_does(tiles, tmp_path, device, loss):
    """Of samples larger than the tiles, which are mirrored to size."""
    on_cpu, on_device = both(replace(STEPS, loss=loss, size=48), tiles, tmp_path, device)
    assert on_device == pytest.approx(on_cpu, rel=1e-2)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("weighting", WeightingName)
@ON_CUDA
def test_every_weighting_is_that_of_the_cpu(tiles, tmp_path, device, weighting, accumulate):
    """In the second epoch the weights follow from the gradients of the first; with 2 one step is short."""
    plan = replace(STEPS, weighting=weighting, accumulate=accumulate, epochs=2)
    on_cpu, on_device = both(plan, tiles, tmp_path, device)
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


@pytest.mark.parametrize("loss", Loss)
@ON_CUDA
def test_accumulation_is_the_gradient_of_one_large_batch(tiles, tmp_path, device, loss):
    """With frozen normalisation, of micro-batches of two, two and one sample; as on the CPU."""
    plan = replace(DESCENT, loss=loss, precision="fp32")
    on_cpu, _ = gradient(replace(plan, batch_size=5), tiles, 5, tmp_path)
    whole, whole_losses = gradient(replace(plan, batch_size=5), tiles, 5, tmp_path, device)
    parts, parts_losses = gradient(replace(plan, batch_size=2, accumulate=3), tiles, 5, tmp_path, device)
    largest = float(on_cpu.abs().max())
    assert float((whole - on_cpu).abs().max()) < 1e-3 * largest
    assert float((parts - whole).abs().max()) < 1e-4 * largest
    assert parts_losses == pytest.approx(whole_losses, rel=1e-4)


@pytest.mark.parametrize("precision", PrecisionName)
@ON_CUDA
def test_every_precision_accumulates_and_learns(tiles, tmp_path, device, precision):
    """Also fp16, whose gradients are scaled, with weights that are learned."""
    plan = replace(STEPS, precision=precision, accumulate=2, weighting=WeightingName.UNCERTAINTY)
    plan = replace(plan, epochs=3, steps_per_epoch=6)
    go(plan, tiles, tmp_path / "run", device=device)
    found = losses(tmp_path / "run")
    assert np.isfinite(found).all()
    go(replace(plan, precision="fp32"), tiles, tmp_path / "on-cpu", device="cpu")
    # The first steps in fp16 are left out until the scale of the gradients fits.
    assert found[-1] == pytest.approx(losses(tmp_path / "on-cpu")[-1], rel=0.3)


@ON_CUDA
def test_validation_is_that_of_the_cpu(tiles, tmp_path, device):
    go(replace(STEPS, epochs=2), tiles, tmp_path / "run", device=device)
    network = checkpoint.load(tmp_path / "run" / "last.pt").network()
    for image, _ in Tiles(read_manifest(tiles), "val", tiles):
        pair = [
            maps(copy.deepcopy(network).to(name), image, torch.device(name)).planes
            for name in ("cpu", device)
        ]
        for wanted, found in zip(*pair, strict=True):
            assert np.abs(wanted.astype(int) - found).max() <= 1


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two CUDA devices here")
def test_two_gpus_give_the_weights_of_one_with_the_doubled_batch(tiles, tmp_path):
    """Over NCCL, with frozen normalisation, and an odd number of samples."""
    plan = replace(STEPS, batch_size=1, accumulate=2)
    for name, size, more in (("two", 2, plan), ("one", 1, replace(plan, batch_size=2))):
        (tmp_path / name).mkdir()
        with started(tmp_path / name, frozen_training, more, tiles, "cuda", size=size) as processes:
            codes, said = ended(processes, tmp_path / name)
        assert set(codes) == {0}, said
    two, one = (checkpoint.load(tmp_path / name / "run" / "last.pt") for name in ("two", "one"))
    assert two.step == one.step == 2
    torch.testing.assert_close(two.model, one.model, atol=1e-4, rtol=0)


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
