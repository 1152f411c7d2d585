"""Every loss against a slow reference and foreign libraries, its limits, and the family's bookkeeping."""

import itertools
import math
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

import beadctl.losses
from beadctl.losses import Loss, LossParameters, Term, checked_weights, weighted
from beadctl.losses.multi_term import band, boundary

WEIGHTS = {Loss.COMBINED: (0.6, 0.5), Loss.MULTI_TERM: (0.5, 0.4, 0.3)}
PARAMETERS = LossParameters(
    focal_alpha=0.3,
    focal_gamma=1.5,
    tversky_alpha=0.8,
    tversky_beta=0.4,
    tversky_gamma=0.6,
    boundary_px=1,
)
FAMILY = {loss: weighted(loss.load()(LossParameters())) for loss in Loss}
HALVES = [torch.float16, torch.bfloat16]


def built(loss, parameters=PARAMETERS):
    return weighted(loss.load()(replace(parameters, weights=WEIGHTS.get(loss))))


# --- the slow reference --------------------------------------------------------------------------------


def band_by_hand(target, width_px):
    """Pixels with a pixel of the other class in the square around them, by scipy's morphology."""
    bead, square = target > 0, np.ones((2 * width_px + 1,) * 2, bool)
    dilated = ndimage.binary_dilation(bead, square, border_value=0)
    return dilated & ~ndimage.binary_erosion(bead, square, border_value=1)


def lovasz_by_hand(z, y):
    """The Lovasz extension from its definition: what each pixel adds to the Jaccard loss of a set."""
    beads = {i for i, true in enumerate(y) if true}

    def jaccard_loss(wrong):
        return len(wrong) / len(beads | wrong) if wrong else 0.0

    errors = [max(0.0, 1 - (1 if true else -1) * logit) for logit, true in zip(z, y, strict=True)]
    total, before = 0.0, set()
    for i in sorted(range(len(z)), key=lambda i: -errors[i]):
        total += errors[i] * (jaccard_loss(before | {i}) - jaccard_loss(before))
        before = before | {i}
    return total


def by_hand(loss, logits, target, parameters=PARAMETERS):
    """One sample's loss, pixel by pixel in float64 from the textbook, without any vector trick."""
    z, y = logits.ravel().tolist(), target.ravel().tolist()
    near = band_by_hand(target.squeeze(0), parameters.boundary_px).ravel().tolist()
    overlap = truth = belief = missed = false = focal = entropy = edge = 0.0
    for logit, true, at_edge in zip(z, y, near, strict=True):
        # Both probabilities from the logit: 1 - p would be rounding where the network is certain.
        p, no = 1 / (1 + math.exp(-logit)), 1 / (1 + math.exp(logit))
        overlap, truth, belief = overlap + true * p, truth + true, belief + p
        missed, false = missed + true * no, false + (1 - true) * p
        if true:
            cost, weight, doubt = -math.log(p), parameters.focal_alpha, no
        else:
            cost, weight, doubt = -math.log(no), 1 - parameters.focal_alpha, p
        focal += weight * doubt**parameters.focal_gamma * cost
        entropy += cost
        edge += cost * at_edge
    dice = 1 - (2 * overlap + 1) / (truth + belief + 1)
    hit_or_wrong = overlap + parameters.tversky_alpha * missed + parameters.tversky_beta * false
    tversky = 1 - (overlap + 1) / (hit_or_wrong + 1)
    parts = {
        "dice": dice,
        "focal": focal / len(z),
        "tversky": tversky,
        "focal-tversky": tversky**parameters.tversky_gamma,
        "bce": entropy / len(z),
        "boundary": edge / sum(near) if any(near) else 0.0,
        "lovasz": lovasz_by_hand(z, y),
    }
    return sum(
        weight * parts[name] for name, weight in zip(loss.weights, WEIGHTS.get(loss, (1.0,)), strict=True)
    )


def slope_by_hand(loss, logits, target):
    """The reference's gradient by central differences."""
    slope, step = np.zeros_like(logits), 1e-5
    for place in np.ndindex(logits.shape):
        up, down = logits.copy(), logits.copy()
        up[place] += step
        down[place] -= step
        slope[place] = (by_hand(loss, up, target) - by_hand(loss, down, target)) / (2 * step)
    return slope


def batch(shape=(3, 1, 5, 7), dtype=torch.float64, seed=0, share=0.3):
    generator = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(shape, generator=generator, dtype=torch.float64)
    target = (torch.rand(shape, generator=generator) < share).to(dtype)
    return logits.to(dtype), target


def with_gradient(function, logits, target):
    """Values and the gradient of their sum."""
    logits = logits.detach().clone().requires_grad_()
    value = function(logits, target)
    value.sum().backward()
    return value.detach(), logits.grad


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("share", [0.0, 0.03, 0.3, 1.0], ids="beads {}".format)
def test_agrees_with_the_textbook(loss, dtype, share):
    logits, target = batch(dtype=dtype, share=share)
    value, gradient = with_gradient(built(loss), logits, target)
    assert value.shape == (3,)
    assert value.dtype == gradient.dtype == dtype
    pairs = [(z.double().numpy(), y.double().numpy()) for z, y in zip(logits, target, strict=True)]
    tight = dtype == torch.float64
    want = [by_hand(loss, z, y) for z, y in pairs]
    np.testing.assert_allclose(value, want, rtol=1e-6, atol=1e-12 if tight else 1e-6)
    want = np.stack([slope_by_hand(loss, z, y) for z, y in pairs])
    np.testing.assert_allclose(gradient, want, rtol=0, atol=1e-8 if tight else 1e-5)


@pytest.mark.parametrize("loss", Loss)
def test_single_precision_loses_nothing_on_large_samples(loss):
    """Sums over 65,536 pixels, and pixels of which each moves a ratio by little."""
    target = torch.zeros(1, 1, 256, 256, dtype=torch.float64)
    for y, x in torch.randint(0, 248, (15, 2), generator=torch.Generator().manual_seed(1)):
        target[0, 0, y : y + 8, x : x + 8] = 1
    logits = batch(target.shape)[0] / 2 + 2 * (2 * target - 1)
    # Both start from what float32 holds, so that equal places are equally ranked.
    logits = logits.float().double()
    value, gradient = with_gradient(FAMILY[loss], logits, target)
    narrow, slope = with_gradient(FAMILY[loss], logits.float(), target.float())
    torch.testing.assert_close(narrow.double(), value, rtol=1e-6, atol=0)
    assert (slope - gradient).norm() < 3e-6 * gradient.norm()


@settings(max_examples=100, deadline=None)
@given(
    target=hnp.arrays(
        np.float64,
        st.tuples(st.just(2), st.integers(1, 9), st.integers(1, 9)),
        elements=st.sampled_from([0.0, 1.0]),
    ),
    width_px=st.integers(1, 4),
)
def test_band_is_where_the_other_class_is_near(target, width_px):
    got = band(torch.from_numpy(target), width_px).numpy()
    rows, columns = target.shape[1:]
    for n, y, x in np.ndindex(target.shape):
        others = (
            target[n, v, u] != target[n, y, x]
            for v in range(max(0, y - width_px), min(rows, y + width_px + 1))
            for u in range(max(0, x - width_px), min(columns, x + width_px + 1))
        )
        assert got[n, y, x] == any(others)
    np.testing.assert_array_equal(band(torch.from_numpy(target[:, None]), width_px).numpy()[:, 0], got)


@settings(max_examples=30, deadline=None)
@given(
    logits=hnp.arrays(np.float64, 5, elements=st.floats(-3, 3)),
    target=hnp.arrays(np.float64, 5, elements=st.sampled_from([0.0, 1.0])),
)
def test_lovasz_is_the_largest_of_all_orders(logits, target):
    """The Jaccard loss is submodular, so its extension is the maximum over the orders of the pixels."""
    errors = np.maximum(0, 1 - (2 * target - 1) * logits)

    def jaccard_loss(wrong):
        return len(wrong) / np.count_nonzero(target + np.isin(range(5), wrong)) if wrong else 0.0

    best = max(
        sum(errors[order[i]] * (jaccard_loss(order[: i + 1]) - jaccard_loss(order[:i])) for i in range(5))
        for order in itertools.permutations(range(5))
    )
    got = FAMILY[Loss.LOVASZ](torch.from_numpy(logits)[None, None], torch.from_numpy(target)[None, None])
    assert got.item() == pytest.approx(best, abs=1e-12)


# --- foreign libraries ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def monai_losses():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from monai import losses
    return losses


def torch_bce(logits, target):
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").flatten(1).mean(1)


def foreign(name, losses):
    """The loss of another library with our numbers and our one pixel of smoothing, a value per sample."""
    p, smooth = PARAMETERS, {"sigmoid": True, "reduction": "none", "smooth_nr": 1.0, "smooth_dr": 1.0}
    match name:
        case "bce":
            return torch_bce
        case "dice":
            function = losses.DiceLoss(**smooth)
        case "focal":
            function = losses.FocalLoss(gamma=p.focal_gamma, alpha=p.focal_alpha, reduction="none")
        case "tversky":
            # Its alpha is the price of false pixels, its beta that of missed ones.
            function = losses.TverskyLoss(alpha=p.tversky_beta, beta=p.tversky_alpha, **smooth)
        case "focal-tversky":
            tversky = foreign("tversky", losses)
            return lambda z, y: tversky(z, y) ** p.tversky_gamma
        case "boundary":
            return lambda z, y: torch.stack(
                [
                    F.binary_cross_entropy_with_logits(
                        one,
                        true,
                        torch.from_numpy(band_by_hand(true[0].numpy(), p.boundary_px))[None].to(one),
                        reduction="sum",
                    )
                    / max(1, band_by_hand(true[0].numpy(), p.boundary_px).sum())
                    for one, true in zip(z, y, strict=True)
                ]
            )
    return lambda z, y: function(z, y).flatten(1).mean(1)


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0], ids="beads {}".format)
@pytest.mark.parametrize("loss", [loss for loss in Loss if loss != Loss.LOVASZ])
def test_agrees_with_other_libraries(loss, share, monai_losses):
    """MONAI computes in float32; it has no hinge, whose oracle is its definition."""
    logits, target = batch((4, 1, 32, 24), torch.float32, share=share)
    parts = [
        Term(name, weight, foreign(name, monai_losses))
        for name, weight in zip(loss.weights, WEIGHTS.get(loss, (1.0,)), strict=True)
    ]
    value, gradient = with_gradient(built(loss), logits, target)
    other, slope = with_gradient(weighted(parts), logits, target)
    torch.testing.assert_close(value, other, rtol=0, atol=1e-6)
    torch.testing.assert_close(gradient, slope, rtol=0, atol=1e-5)
    # The gradients of means over 768 pixels are small numbers.
    assert (gradient - slope).norm() <= 1e-4 * slope.norm()


# --- half precision, certainty -------------------------------------------------------------------------


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("dtype", [*HALVES, torch.float32])
@pytest.mark.parametrize("fill", ["beads", "empty", "full"])
@pytest.mark.parametrize("answer", ["right", "wrong", "yes", "no"])
def test_stays_finite_where_the_network_is_certain(loss, dtype, fill, answer):
    target = torch.full((2, 1, 16, 16), float(fill == "full"), dtype=dtype)
    if fill == "beads":
        target[:, :, 4:9, 3:12] = 1
    truth = 2 * target - 1
    signs = {"right": truth, "wrong": -truth, "yes": torch.ones_like(truth), "no": -torch.ones_like(truth)}
    value, gradient = with_gradient(FAMILY[loss], 50 * signs[answer], target)
    assert value.dtype == torch.float32
    assert gradient.dtype == dtype
    assert value.isfinite().all()
    assert gradient.isfinite().all()
    if torch.equal(signs[answer], truth):
        assert (value < 1e-6).all()
    else:
        # Of the gradient no more is asked: where the sigmoid has ended, that of Dice and its kin has too.
        assert (value > 0.05).all()


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("dtype", HALVES)
def test_sums_of_more_pixels_than_half_precision_can_count(loss, dtype):
    target = torch.zeros(2, 1, 512, 512, dtype=dtype)
    target[:, :, 256:] = 1
    logits = torch.full_like(target, 50.0)
    logits[1] = -50.0
    value, gradient = with_gradient(FAMILY[loss], logits, target)
    assert value.isfinite().all()
    assert gradient.isfinite().all()
    wide, _ = with_gradient(FAMILY[loss], logits.double(), target.double())
    torch.testing.assert_close(value.double(), wide, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_focal_gradient_is_finite_for_small_exponents_where_the_answer_is_certain(gamma):
    focal = weighted(Loss.FOCAL.load()(LossParameters(focal_gamma=gamma)))
    logits = torch.tensor([[[-300.0, 300.0, 0.0]]])
    assert with_gradient(focal, logits, torch.tensor([[[0.0, 1.0, 1.0]]]))[1].isfinite().all()


def test_focal_without_focus_is_half_of_cross_entropy():
    logits, target = batch()
    focal = weighted(Loss.FOCAL.load()(LossParameters(focal_alpha=0.5, focal_gamma=0.0)))
    torch.testing.assert_close(focal(logits, target), 0.5 * torch_bce(logits, target))


@pytest.mark.parametrize("gamma", [0.1, 0.75, 1.0, 2.0])
def test_focal_tversky_leaves_a_perfect_sample_alone(gamma):
    function = weighted(Loss.FOCAL_TVERSKY.load()(LossParameters(tversky_gamma=gamma)))
    logits, target = batch((2, 1, 8, 8), torch.float32)
    logits[0] = 200 * (2 * target[0] - 1)
    value, gradient = with_gradient(function, logits, target)
    assert value[0] == 0
    assert (gradient[0] == 0).all()
    assert (gradient[1] != 0).all()
    assert gradient.isfinite().all()
    tversky, slope = with_gradient(FAMILY[Loss.TVERSKY], logits[1:], target[1:])
    torch.testing.assert_close(value[1:], tversky**gamma)
    torch.testing.assert_close(gradient[1:], gamma * tversky ** (gamma - 1) * slope)


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_a_mask_without_edges_has_no_boundary_term(fill):
    logits = batch()[0]
    value, gradient = with_gradient(boundary, logits, torch.full_like(logits, fill))
    assert (value == 0).all()
    assert (gradient == 0).all()


# --- properties ----------------------------------------------------------------------------------------

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


# --- the family's bookkeeping --------------------------------------------------------------------------


def test_every_loss_has_a_file_and_every_file_a_loss():
    files = {path.stem for path in Path(beadctl.losses.__file__).parent.glob("[!_]*.py")}
    assert files == {loss.value.replace("-", "_") for loss in Loss}


def test_listing_the_losses_does_not_import_torch():
    listing = "from beadctl.losses import Loss; [loss.weights for loss in Loss]"
    code = f"import sys; {listing}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("loss", Loss)
def test_terms_are_those_that_the_loss_names(loss):
    own = loss.load()(LossParameters())
    assert {term.name: term.weight for term in own} == loss.weights
    assert [term.name for term in own] == list(loss.weights)
    assert sum(term.weight for term in own) == pytest.approx(1)
    asked = tuple(0.25 * (place + 1) for place in range(len(own)))
    given_weights = loss.load()(LossParameters(weights=asked))
    assert tuple(term.weight for term in given_weights) == asked
    logits, target = batch()
    by_term = [term.loss(logits, target) for term in given_weights]
    want = sum(weight * value for weight, value in zip(asked, by_term, strict=True))
    torch.testing.assert_close(weighted(given_weights)(logits, target), want)


def test_loss_weights_cannot_be_changed_from_outside():
    with pytest.raises(TypeError):
        Loss.COMBINED.weights["dice"] = 1.0


@pytest.mark.parametrize("loss", Loss)
def test_weights_are_checked(loss):
    count = len(loss.weights)
    assert checked_weights(loss, None) == tuple(loss.weights.values())
    assert checked_weights(loss, [1] * count) == (1.0,) * count
    for wrong in ((), (1.0,) * (count + 1)):
        with pytest.raises(ValueError, match=rf"{loss.value} has {count} term.*not {len(wrong)}"):
            checked_weights(loss, wrong)
    for bad in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match="at least 0"):
            checked_weights(loss, (*(1.0,) * (count - 1), bad))
    with pytest.raises(ValueError, match="not all"):
        checked_weights(loss, (0.0,) * count)
    with pytest.raises(ValueError, match="term"):
        loss.load()(LossParameters(weights=(1.0,) * (count + 1)))


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
