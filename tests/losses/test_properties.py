"""What holds for every loss of the family: samples are judged alone, and being right pays."""

import numpy as np
import pytest
import torch
from helpers.losses import FAMILY, with_gradient
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from beadctl.losses import Loss, LossParameters

maps = hnp.arrays(np.float64, (2, 1, 4, 4), elements=st.floats(-30, 30))


masks = hnp.arrays(np.float64, (2, 1, 4, 4), elements=st.sampled_from([0.0, 1.0]))


moves = hnp.arrays(np.float64, (2, 1, 4, 4), elements=st.sampled_from([0.0, 0.0, 0.01, 1.0, 5.0]))


CLOSE = {"rtol": 1e-12, "atol": 1e-14}


@pytest.mark.parametrize("loss", Loss)
@settings(max_examples=60, deadline=None)
@given(logits=maps, target=masks)
def test_a_sample_is_judged_alone(loss, logits, target):
    z, y = torch.from_numpy(logits), torch.from_numpy(target)
    value, gradient = with_gradient(FAMILY[loss], z, y)
    turned, turned_gradient = with_gradient(FAMILY[loss], z.flip(0), y.flip(0))
    torch.testing.assert_close(turned.flip(0), value, **CLOSE)
    torch.testing.assert_close(turned_gradient.flip(0), gradient, **CLOSE)
    alone, alone_gradient = with_gradient(FAMILY[loss], z[:1], y[:1])
    torch.testing.assert_close(alone, value[:1], **CLOSE)
    torch.testing.assert_close(alone_gradient, gradient[:1], **CLOSE)
    other = torch.stack((z[0], torch.full_like(z[1], 30.0)))
    torch.testing.assert_close(FAMILY[loss](other, y)[0], value[0], **CLOSE)
    torch.testing.assert_close(FAMILY[loss](z[:, 0], y[:, 0]), value, **CLOSE)


@pytest.mark.parametrize("loss", Loss)
@settings(max_examples=60, deadline=None)
@given(logits=maps, target=masks, move=moves, flipped=masks)
def test_being_right_pays(loss, logits, target, move, flipped):
    """For every loss of the family and every pixel; the masks stay as they are, and so does the band.

    For Dice that rests on its plain sums, and for the hinge on the Jaccard loss growing with every error.
    """
    z, y = torch.from_numpy(logits), torch.from_numpy(target)
    truth, value = 2 * y - 1, FAMILY[loss](z, y)
    assert (value >= 0).all()
    # Any logits moved towards the truth never cost more.
    assert (FAMILY[loss](z + torch.from_numpy(move) * truth, y) <= value + 1e-12).all()
    # Right pixels made as wrong as they were right never cost less.
    worse = torch.where((torch.from_numpy(flipped) > 0) & (z * truth > 0), -z, z)
    assert (FAMILY[loss](worse, y) >= value - 1e-12).all()
    # A perfect answer costs nothing, to what a logit of 40 leaves.
    assert (FAMILY[loss](40 * truth, y) < 1e-9).all()


@pytest.mark.parametrize("loss", Loss)
def test_padding_does_not_count(loss):
    """A padded sample has the value and the gradient of the sample without its padding."""
    generator = torch.Generator().manual_seed(4)
    # The padding continues the mask, as reflection does, so that it makes no edge for the boundary term.
    target = (torch.rand(2, 12, 9, generator=generator, dtype=torch.float64) < 0.3).double()
    target = target.repeat_interleave(4, 1)
    logits = torch.randn(2, 48, 9, generator=generator, dtype=torch.float64)
    padded_target = torch.cat((target, target[:, -4:]), 1)
    padded_logits = torch.cat((logits, torch.randn(2, 4, 9, generator=generator, dtype=torch.float64)), 1)
    inside = torch.ones_like(padded_target)
    inside[:, 48:] = 0
    for term in loss.load()(LossParameters()):
        own, padded = logits.clone().requires_grad_(), padded_logits.clone().requires_grad_()
        want, got = term.loss(own, target), term.loss(padded, padded_target, inside)
        torch.testing.assert_close(got, want)
        (slope,) = torch.autograd.grad(want.sum(), own)
        (padded_slope,) = torch.autograd.grad(got.sum(), padded)
        torch.testing.assert_close(padded_slope[:, :48], slope)
        assert not padded_slope[:, 48:].any()
        whole = torch.ones_like(target)
        torch.testing.assert_close(term.loss(logits, target, whole), term.loss(logits, target))
