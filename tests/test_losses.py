"""Every loss against a slow reference, its gradient, its limits, and the family's bookkeeping."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import beadctl.losses
from beadctl.losses import Loss, LossParameters

PARAMETERS = LossParameters(dice_weight=0.6, focal_weight=0.5, focal_alpha=0.3, focal_gamma=1.5)


def by_hand(loss, logits, target, parameters):
    """One sample's loss, pixel by pixel in float64 from the textbook, without any vector trick."""
    overlap = truth = belief = focal = 0.0
    for z, y in zip(logits.ravel().tolist(), target.ravel().tolist(), strict=True):
        p = 1 / (1 + np.exp(-z))
        overlap, truth, belief = overlap + y * p, truth + y, belief + p
        if y:
            focal -= parameters.focal_alpha * (1 - p) ** parameters.focal_gamma * np.log(p)
        else:
            focal -= (1 - parameters.focal_alpha) * p**parameters.focal_gamma * np.log(1 - p)
    focal /= logits.size
    dice = 1 - (2 * overlap + 1) / (truth + belief + 1)
    combined = parameters.dice_weight * dice + parameters.focal_weight * focal
    return {Loss.DICE: dice, Loss.FOCAL: focal, Loss.COMBINED: combined}[loss]


def batch(shape=(3, 1, 5, 7), dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(shape, generator=generator, dtype=torch.float64)
    target = (torch.rand(shape, generator=generator) < 0.3).to(dtype)
    return logits.to(dtype), target


def test_every_loss_has_a_file_and_every_file_a_loss():
    files = {path.stem for path in Path(beadctl.losses.__file__).parent.glob("[!_]*.py")}
    assert files == {str(loss) for loss in Loss}


def test_listing_the_losses_does_not_import_torch():
    code = "import sys; from beadctl.losses import Loss; list(Loss); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_agrees_with_the_textbook(loss, dtype):
    logits, target = batch(dtype=dtype)
    got = loss.load()(PARAMETERS)(logits, target)
    assert got.shape == (3,)
    want = [
        by_hand(loss, z.double().numpy(), y.numpy(), PARAMETERS) for z, y in zip(logits, target, strict=True)
    ]
    np.testing.assert_allclose(got.numpy(), want, atol=1e-6)


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_agrees_with_the_textbook_on_empty_and_full_masks(loss, fill):
    logits, target = batch()
    target.fill_(fill)
    got = loss.load()(PARAMETERS)(logits, target)
    want = [by_hand(loss, z.numpy(), y.numpy(), PARAMETERS) for z, y in zip(logits, target, strict=True)]
    np.testing.assert_allclose(got.numpy(), want, atol=1e-9)


@pytest.mark.parametrize("loss", Loss)
def test_gradient_is_that_of_the_value(loss):
    logits, target = batch((2, 1, 3, 4))
    function = loss.load()(PARAMETERS)
    assert torch.autograd.gradcheck(lambda z: function(z, target), logits.requires_grad_())


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("size", [8, 512])
def test_stays_finite_in_half_precision(loss, dtype, size):
    """512 x 512 pixels sum to more than float16 can hold."""
    logits = torch.full((2, 1, size, size), 50.0, dtype=dtype)
    logits[1] = -50.0
    logits.requires_grad_()
    target = torch.zeros(2, 1, size, size, dtype=dtype)
    target[:, :, size // 2 :] = 1
    value = loss.load()(PARAMETERS)(logits, target)
    value.sum().backward()
    assert value.dtype == torch.float32
    assert value.isfinite().all()
    assert logits.grad.isfinite().all()
    assert (value > 0.1).all()


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_focal_gradient_is_finite_for_small_exponents_where_the_answer_is_certain(gamma):
    logits = torch.tensor([[-300.0, 300.0, 0.0]], requires_grad=True)
    Loss.FOCAL.load()(LossParameters(focal_gamma=gamma))(
        logits, torch.tensor([[0.0, 1.0, 1.0]])
    ).sum().backward()
    assert logits.grad.isfinite().all()


def test_focal_without_focus_is_half_of_cross_entropy():
    logits, target = batch()
    got = Loss.FOCAL.load()(LossParameters(focal_alpha=0.5, focal_gamma=0.0))(logits, target)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    torch.testing.assert_close(got, 0.5 * entropy.flatten(1).mean(1))


maps = hnp.arrays(np.float64, (2, 1, 4, 4), elements=st.floats(-30, 30))
masks = hnp.arrays(np.float64, (2, 1, 4, 4), elements=st.sampled_from([0.0, 1.0]))


@pytest.mark.parametrize("loss", Loss)
@settings(max_examples=40, deadline=None)
@given(logits=maps, target=masks, shift=st.floats(0.01, 5))
def test_properties(loss, logits, target, shift):
    function = loss.load()(LossParameters())
    z, y = torch.from_numpy(logits), torch.from_numpy(target)
    value = function(z, y)
    assert (value >= -1e-12).all()
    # A sample's loss is its own: no neighbour in the batch and no order changes it.
    torch.testing.assert_close(function(z.flip(0), y.flip(0)).flip(0), value)
    torch.testing.assert_close(function(z[:1], y[:1]), value[:1])
    # Logits further towards the truth never cost more.
    assert (function(z + shift * (2 * y - 1), y) <= value + 1e-12).all()
    # A perfect answer costs nothing, to what a logit of 40 leaves.
    assert (function(40 * (2 * y - 1), y) < 1e-9).all()
