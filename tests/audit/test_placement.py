"""Masks that are moved, scaled, rotated, flipped or drift."""

import numpy as np
import pytest
from helpers.audited import detects, faults, field
from helpers.faults import shifted
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from beadctl.audit.check import check
from beadctl.audit.drift import drift_from_edges
from beadctl.audit.faults import Fault, Verdict
from beadctl.audit.fit import PairFeatures


@settings(max_examples=25, deadline=None)
@given(st.integers(-15, 15), st.integers(-15, 15))
def test_a_shift_is_measured(dy, dx):
    image, labels = field()
    found = check(image, shifted(labels, dy, dx))
    assert abs(found.fit.dy + dy) < 0.4
    assert abs(found.fit.dx + dx) < 0.4
    assert (Fault.SHIFTED in faults(found)) == bool(dy or dx)
    assert (found.verdict is Verdict.BAD) == (np.hypot(dy, dx) >= 2)


@pytest.mark.parametrize(("count", "verdict"), [(1, Verdict.CHECK), (2, Verdict.CHECK), (3, Verdict.BAD)])
def test_a_shift_of_one_or_two_beads_is_a_reason_to_look(count, verdict):
    image, labels = field(count=count, radius_px=12.0)
    found = check(image, shifted(labels, 6, 0))
    assert faults(found) == {Fault.SHIFTED}
    assert found.verdict is verdict


@pytest.mark.parametrize("by", [0.96, 0.98, 1.02, 1.04])
def test_a_scale_is_measured(by):
    image, labels = field(shape=(400, 400), count=150)
    y, x = np.mgrid[:400, :400]
    source = [np.clip(np.rint((axis - 200) / by + 200), 0, 399).astype(int) for axis in (y, x)]
    drift = drift_from_edges(PairFeatures.of(image, labels[tuple(source)]))
    assert drift is not None
    assert drift.scale == pytest.approx(1 / by - 1, abs=0.004)
    assert Fault.SCALED in faults(check(image, labels[tuple(source)]))


@pytest.mark.parametrize("angle", [-2, -1, 1, 2])
def test_a_rotated_mask_is_told_how_to_rotate_it(angle):
    image, labels = field(shape=(400, 400), count=150)
    # scipy rotates from y towards x: counter-clockwise as displayed.
    rotated = ndimage.rotate(labels, angle, reshape=False, order=0)
    (finding,) = [finding for finding in check(image, rotated).findings if finding.fault is Fault.TURNED]
    assert finding.message.endswith("° clockwise" if angle > 0 else "° counter-clockwise")
    assert f" {abs(angle)}" in finding.message


@pytest.mark.parametrize(
    ("flip", "words"),
    [
        (np.flipud, "mirrored top to bottom"),
        (np.rot90, "rotated by 90° clockwise"),
        (np.transpose, "transposed (rows and columns swapped)"),
    ],
)
def test_a_flipped_mask_is_told_how_to_flip_it(flip, words):
    image, labels = field()
    (finding,) = check(image, np.ascontiguousarray(flip(labels))).findings
    assert finding.message == f"the mask fits when it is {words}"


def drifted(labels, most_px):
    """Compress a label image along y by so much in all."""
    y, x = np.indices(labels.shape)
    share = y / labels.shape[0] - 0.5
    return labels[np.clip(np.rint(y + most_px * share).astype(int), 0, labels.shape[0] - 1), x]


def test_detections_show_a_drift_too_small_for_edges_and_may_rule_one_out():
    image, labels = field()
    slight, much = drifted(labels, 2.1), drifted(labels, 3.5)
    assert check(image, slight).findings == ()
    assert faults(check(image, slight, detector=detects(labels))) == {Fault.DRIFT}
    assert faults(check(image, much)) == {Fault.DRIFT}
    assert check(image, much, detector=detects(much)).findings == ()
