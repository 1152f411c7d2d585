"""Every loss against a slow reference, pixel by pixel."""

import itertools
import math

import numpy as np
import pytest
import torch
from helpers.losses import FAMILY, PARAMETERS, WEIGHTS, band_by_hand, batch, built, with_gradient
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from beadctl.losses import Loss


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
