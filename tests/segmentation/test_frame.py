"""Counting frames: of those that tile the plane each bead counts in one; fields are counted without bias."""

import numpy as np
import pytest
from helpers.fields import LARGEST_PX, SHAPE, SPACING, field
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from beadctl.errors import ImageError, SettingsError
from beadctl.images import Window
from beadctl.segmentation.count_rule import CountRule
from beadctl.segmentation.frame import CountingFrame
from beadctl.segmentation.measure import measure


@given(arrays(np.uint32, (12, 15), elements=st.integers(0, 6)), st.integers(2, 12), st.integers(2, 15))
def test_of_frames_that_tile_the_plane_each_bead_counts_in_one(labels, height, width):
    """Also beads of several parts: no shape is counted twice or missed."""
    total = np.zeros(int(labels.max()) + 1, int)
    for top in range(0, 12, height):
        for left in range(0, 15, width):
            total += CountingFrame.counted(labels, Window(top, left, height, width))
    present = np.isin(np.arange(total.size), labels)
    present[0] = False
    np.testing.assert_array_equal(total, present)


RULES = {
    "frame": CountRule(frame=CountingFrame.parse(f"{2 * LARGEST_PX}px")),
    "all": CountRule(),
    "none at the border": CountRule(exclude_border=True),
}


def biases(fields: int) -> dict[str, float]:
    """The density by each rule over that of the specimen, minus one, over so many fields."""
    rng = np.random.default_rng(5)
    beads, area = dict.fromkeys(RULES, 0), dict.fromkeys(RULES, 0)
    for _ in range(fields):
        labels = field(rng)
        table = measure(labels)
        for name, rule in RULES.items():
            counted = rule.counted(labels, table)
            assert counted.quality == ()
            beads[name] += int(counted.kept.sum())
            area[name] += labels.size if counted.inside is None else int(counted.inside.sum())
    return {name: beads[name] / area[name] * SPACING**2 - 1 for name in RULES}


def test_a_frame_counts_without_bias_and_plain_rules_do_not():
    bias = biases(60)
    assert abs(bias["frame"]) < 0.02
    assert bias["all"] > 0.03
    assert bias["none at the border"] < -0.03


@pytest.mark.slow
def test_the_bias_of_a_frame_is_below_half_a_percent_over_a_thousand_fields():
    bias = biases(1000)
    assert abs(bias["frame"]) < 0.005
    # As the counting guide says.
    assert bias["all"] == pytest.approx(0.14, abs=0.005)
    assert bias["none at the border"] == pytest.approx(-0.15, abs=0.005)


@pytest.mark.parametrize(("rule", "bias"), [("frame", 0.0), ("all", -0.08), ("none at the border", -0.01)])
def test_beads_that_the_border_cuts_lower_the_mean_diameter(rule, bias):
    """By what the counting guide says."""
    rng, found = np.random.default_rng(5), []
    for _ in range(200):
        labels = field(rng)
        table = measure(labels, outlines=False)
        found.append(table.diameter_px[RULES[rule].counted(labels, table).kept])
    # Diameters are drawn evenly between two bounds.
    assert np.concatenate(found).mean() / (5 + LARGEST_PX) - 1 == pytest.approx(bias, abs=0.006)


def test_a_guard_that_is_too_narrow_is_flagged():
    labels = np.zeros((40, 40), np.uint32)
    labels[10:20, 30:40] = 1
    table = measure(labels)
    narrow = CountRule(frame=CountingFrame.parse("5"))
    assert narrow.counted(labels, table).quality == ("narrow-guard",)
    assert CountRule(frame=CountingFrame.parse("11")).counted(labels, table).quality == ()
    # What the exclusion line cuts does not count, whatever is unseen of it.
    assert narrow.counted(labels[:, ::-1], measure(labels[:, ::-1])).quality == ()


def test_a_guard_in_um_and_one_that_leaves_nothing():
    frame = CountingFrame.parse("5um")
    assert frame.in_px(0.5).window(SHAPE) == Window(10, 10, 180, 220)
    with pytest.raises(ImageError, match="pixel size is unknown"):
        frame.in_px(None)
    with pytest.raises(ImageError, match="leaves nothing of its 200 x 240 px"):
        CountingFrame.parse("100").window(SHAPE)


def test_a_rule_in_um_is_that_of_its_pixels():
    rule = CountRule.of({"min_area": "25um2"}, counting_frame="10um", link_z=True).in_px(0.5)
    assert rule == CountRule.of({"min_area": "100"}, counting_frame="20px", link_z=True)
    labels = field(np.random.default_rng(1))
    inside = rule.counted(labels, measure(labels)).inside
    assert np.argwhere(inside).min(axis=0).tolist() == [20, 20]
    assert np.argwhere(inside).max(axis=0).tolist() == [SHAPE[0] - 21, SHAPE[1] - 21]
    assert not CountRule.of({}).link_z


def test_rules_that_exclude_each_other():
    with pytest.raises(SettingsError, match="leave out --exclude-border"):
        CountRule.of({"exclude_border": True}, counting_frame="20px")
    with pytest.raises(SettingsError, match="--counting-frame wide: not a distance"):
        CountRule.of({}, counting_frame="wide")
