"""Where gradients fall: against a slow reference, the algebra of the focal loss, and what must not matter."""

import csv
import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from beadctl.files import write_csv
from beadctl.losses import Loss, LossParameters, weighted
from beadctl.losses.focal import focal
from beadctl.training.gradients import COLUMNS, measure

REGIONS = "boundary", "interior", "background"
CONFIDENCES = {"090": (0.85, 0.95), "070": (0.65, 0.75), "050": (0.45, 0.55), "030": (0.25, 0.35)}
FAMILY = {loss.value: weighted(loss.load()(LossParameters())) for loss in Loss}


def cross_entropy(logits, target):
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").flatten(1).mean(1)


def scene(samples=2, size=24, seed=0, dtype=torch.float64):
    """Beads, one of them cut by the border, under logits that are half right."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((size, size))
    mask = np.zeros((samples, 1, size, size))
    for sample in mask[:, 0]:
        sample[(y - 2) ** 2 + (x - 3) ** 2 <= 36] = 1
        cy, cx = rng.uniform(8, size, 2)
        sample[(y - cy) ** 2 + (x - cx) ** 2 <= 30] = 1
    logits = 1.5 * (2 * mask - 1) + rng.normal(0, 2, mask.shape)
    return torch.from_numpy(logits).to(dtype), torch.from_numpy(mask).to(dtype)


def by_hand(name, logits, target, loss, band_px):
    """The same figures pixel by pixel, from scipy's morphology and float64 autograd."""
    z = logits.double().clone().requires_grad_()
    loss(z, target.double()).mean().backward()
    gradient = z.grad.abs().numpy()
    square = np.ones((2 * band_px + 1,) * 2, bool)
    sums, pixels = dict.fromkeys(REGIONS, 0.0), dict.fromkeys(REGIONS, 0)
    cells = {}
    for pull, plane, values in zip(gradient, target.numpy(), logits.double().numpy(), strict=True):
        pull, bead, values = np.squeeze(pull), np.squeeze(plane) > 0, np.squeeze(values)
        dilated = ndimage.binary_dilation(bead, square, border_value=0)
        eroded = ndimage.binary_erosion(bead, square, border_value=1)
        for place in np.ndindex(bead.shape):
            region = (
                "boundary" if dilated[place] != eroded[place] else "interior" if bead[place] else "background"
            )
            sums[region] += pull[place]
            pixels[region] += 1
            probability = 1 / (1 + math.exp(-values[place]))
            right = probability if bead[place] else 1 - probability
            for label, (low, high) in CONFIDENCES.items():
                if low <= right < high:
                    top, bottom = cells.get((bead[place], label), (0.0, 0.0))
                    cells[bead[place], label] = top + pull[place], bottom + (1 - right) / gradient.size
    total = sum(sums.values())
    figures = {"loss": name, "gradient_sum": total}
    figures |= {f"share_{region}": value / total for region, value in sums.items()}
    figures |= {f"pixels_{region}": number / gradient.size for region, number in pixels.items()}
    for kind, bead in (("bead", True), ("background", False)):
        for label in CONFIDENCES:
            top, bottom = cells.get((bead, label), (math.nan, math.nan))
            figures[f"{kind}_{label}"] = top / bottom
    return figures


def numbers(figures):
    return {key: value for key, value in figures.items() if key != "loss"}


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("band_px", [1, 2, 4])
def test_agrees_with_a_slow_reference(name, band_px):
    logits, target = scene()
    (got,) = measure(logits, target, {name: FAMILY[name]}, band_px=band_px)
    want = by_hand(name, logits, target, FAMILY[name], band_px)
    assert got["loss"] == want.pop("loss")
    assert numbers(got) == pytest.approx(want, rel=1e-9, abs=1e-12, nan_ok=True)


def test_image_border_is_no_edge_and_a_corner_is_as_near_as_a_side():
    """One bead in the corner of 8 x 8 px: its inner sides are edges, its outer ones are not."""
    target = torch.zeros(1, 1, 8, 8)
    target[..., :4, :4] = 1
    (got,) = measure(torch.zeros(1, 1, 8, 8), target, {"bce": cross_entropy}, band_px=1)
    # Within a pixel of the other class: rows and columns 3 and 4 up to the crossing of both, corner in.
    assert got["pixels_boundary"] == (2 * 5 + 2 * 5 - 4) / 64
    assert got["pixels_interior"] == 9 / 64
    # All logits are 0, so cross-entropy pulls everywhere alike.
    assert got["share_boundary"] == pytest.approx(got["pixels_boundary"])
    assert got["gradient_sum"] == pytest.approx(0.5)


def test_edge_of_the_band_is_band_px_from_the_other_class():
    target = torch.zeros(1, 1, 9, 20)
    target[..., 10:] = 1
    for band_px in range(1, 5):
        (got,) = measure(torch.zeros_like(target), target, {"bce": cross_entropy}, band_px=band_px)
        assert got["pixels_boundary"] == pytest.approx(2 * band_px / 20)


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_without_an_edge_there_is_no_boundary(fill):
    target = torch.full((2, 1, 6, 6), fill)
    (got,) = measure(torch.zeros_like(target), target, {"bce": cross_entropy})
    assert got["pixels_boundary"] == got["share_boundary"] == 0
    assert got["share_interior"] == fill
    assert got["bead_050"] == pytest.approx(1.0 if fill else math.nan, nan_ok=True)
    assert got["background_050"] == pytest.approx(math.nan if fill else 1.0, nan_ok=True)
    assert math.isnan(got["bead_090"])


def closed_form(right, weight, gamma):
    """Effective weight of the focal loss as the module's docstring derives it."""
    return weight * (1 - right) ** (gamma - 1) * ((1 - right) - gamma * right * math.log(right))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("alpha", [0.25, 0.5])
@pytest.mark.parametrize("percent", [90, 70, 50, 30])
def test_focal_has_the_weight_of_its_closed_form(alpha, gamma, percent):
    right = percent / 100
    target = torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]]], dtype=torch.float64)
    logits = math.log(right / (1 - right)) * (2 * target - 1)
    (got,) = measure(logits, target, {"focal": partial(focal, alpha=alpha, gamma=gamma)})
    figures = numbers(got)
    assert figures[f"bead_{percent:03d}"] == pytest.approx(closed_form(right, alpha, gamma))
    assert figures[f"background_{percent:03d}"] == pytest.approx(closed_form(right, 1 - alpha, gamma))
    others = {key for key, value in figures.items() if key[-3:].isdigit() and not math.isnan(value)}
    assert others == {f"bead_{percent:03d}", f"background_{percent:03d}"}


@pytest.mark.parametrize(
    ("right", "weight", "factor"),
    [(0.9, 0.029, 0.01), (0.7, 0.240, 0.09), (0.5, 0.597, 0.25), (0.3, 0.996, 0.49)],
)
def test_weight_of_a_focal_pixel_is_not_its_modulating_factor(right, weight, factor):
    assert closed_form(right, 1.0, 2.0) == pytest.approx(weight, abs=5e-4)
    assert (1 - right) ** 2 == pytest.approx(factor)


def test_cross_entropy_weighs_one_and_dice_more_on_beads():
    logits, target = scene(samples=4)
    entropy, dice = measure(logits, target, {"bce": cross_entropy, "dice": FAMILY["dice"]})
    weights = [value for key, value in numbers(entropy).items() if key[-3:].isdigit()]
    assert weights == pytest.approx([1.0] * 8)
    for label in CONFIDENCES:
        assert dice[f"bead_{label}"] > dice[f"background_{label}"]


def test_confidence_bins_hold_their_lower_end_only():
    """A probability of 0.5 +- 0.05, written as logits that give it exactly or just miss it."""
    target = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    for probability, inside in ((0.4499, False), (0.4501, True), (0.5499, True), (0.5501, False)):
        logits = torch.full_like(target, math.log(probability / (1 - probability)))
        (got,) = measure(logits, target, {"bce": cross_entropy})
        assert math.isnan(got["bead_050"]) != inside


def test_a_loss_without_gradient_has_no_shares():
    logits, target = scene()
    (got,) = measure(logits, target, {"none": lambda z, _: 0 * z.flatten(1).sum(1)})
    assert got["gradient_sum"] == 0
    assert all(math.isnan(got[f"share_{region}"]) for region in REGIONS)
    assert got["bead_090"] == got["background_030"] == 0
    assert got["pixels_boundary"] > 0


def test_order_of_the_losses_is_kept_and_none_sees_another():
    logits, target = scene()
    together = measure(logits, target, FAMILY)
    assert [one["loss"] for one in together] == list(FAMILY)
    for name, one in zip(FAMILY, together, strict=True):
        assert measure(logits, target, {name: FAMILY[name]}) == [one]


def test_a_channel_axis_changes_nothing():
    logits, target = scene()
    assert measure(logits[:, 0], target[:, 0], FAMILY) == measure(logits, target, FAMILY)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened_before_anything_else(half):
    """Under autocast, which would give the losses half floats again."""
    logits, target = scene(dtype=half)
    seen = []

    def matrix_product(z, y):
        seen.extend({z.dtype, y.dtype, (z.flatten(1) @ y.flatten(1).T).dtype})
        return cross_entropy(z, y)

    with torch.autocast("cpu", torch.bfloat16):
        got = measure(logits, target, {**FAMILY, "seen": matrix_product})
    assert set(seen) == {torch.float32}
    assert got[:-1] == measure(logits.float(), target.float(), FAMILY)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_leaves_the_caller_as_it_was(mode):
    weight = torch.tensor(1.5, requires_grad=True)
    values, target = scene(dtype=torch.float32)
    random = torch.get_rng_state()
    with mode():
        logits = values * weight
        before = logits.detach().clone()
        got = measure(logits, target.clone(), FAMILY)
        assert torch.is_grad_enabled() == (mode is torch.enable_grad)
    assert got == measure(values * 1.5, target, FAMILY)
    torch.testing.assert_close(logits, before, rtol=0, atol=0)
    assert weight.grad is None
    assert torch.equal(torch.get_rng_state(), random)
    if mode is torch.enable_grad:
        logits.sum().backward()
        torch.testing.assert_close(weight.grad, values.sum())


maps = hnp.arrays(np.float64, (3, 1, 7, 6), elements=st.floats(-8, 8))
masks = hnp.arrays(np.float64, (3, 1, 7, 6), elements=st.sampled_from([0.0, 1.0]))


@pytest.mark.parametrize("name", FAMILY)
@given(
    logits=maps,
    target=masks,
    band_px=st.integers(1, 3),
    scale=st.floats(0.01, 100),
    order=st.permutations(range(3)),
)
def test_properties(name, logits, target, band_px, scale, order):
    z, y = torch.from_numpy(logits), torch.from_numpy(target)
    loss = FAMILY[name]
    one, scaled = measure(z, y, {name: loss, "scaled": lambda z, y: scale * loss(z, y)}, band_px=band_px)
    shares = [one[f"share_{region}"] for region in REGIONS]
    pixels = [one[f"pixels_{region}"] for region in REGIONS]
    assert sum(pixels) == pytest.approx(1)
    if one["gradient_sum"] > 0:
        assert sum(shares) == pytest.approx(1)
        assert min(shares) >= 0
    # A factor before a loss moves the sum and the weights, never where the gradient falls.
    for key, value in numbers(one).items():
        factor = scale if key == "gradient_sum" or key[-3:].isdigit() else 1.0
        assert scaled[key] == pytest.approx(factor * value, rel=1e-6, abs=1e-12, nan_ok=True)
    # The order of the samples is nobody's business.
    (shuffled,) = measure(z[list(order)], y[list(order)], {name: loss}, band_px=band_px)
    assert numbers(shuffled) == pytest.approx(numbers(one), rel=1e-9, abs=1e-12, nan_ok=True)


def test_table_reads_back(tmp_path):
    logits, target = scene()
    shares = measure(logits, target, FAMILY)
    records = [{"epoch": 3, "step": 120, **one} for one in shares]
    records.append(records[0] | {"epoch": 4, "share_boundary": math.nan})
    path = tmp_path / "run" / "gradients.csv"
    write_csv(path, COLUMNS, records, rounded=True)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "step", *shares[0]]
    assert [row["loss"] for row in rows] == [*FAMILY, "dice"]
    for row, record in zip(rows, records, strict=True):
        assert (int(row["epoch"]), int(row["step"])) == (record["epoch"], record["step"])
        got = {key: float(row[key] or "nan") for key in row if key not in {"epoch", "step", "loss"}}
        want = {key: record[key] for key in got}
        assert got == pytest.approx(want, rel=1e-5, nan_ok=True)
    assert list(path.parent.iterdir()) == [path]
