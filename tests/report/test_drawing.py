"""Outlines for the page: filled again, they are the beads."""

import json
import zlib

import numpy as np
import pytest
from helpers.images import discs

from beadctl.annotations.outline import filled
from beadctl.report.drawing import PARTS_PER_PX, outlines, packed
from beadctl.segmentation.bead_table import FLAGS


def overlap(line, mask):
    """Return the overlap (IoU) of an outline, from the corner of the first pixel, with a mask."""
    x, y = np.cumsum(np.reshape(line, (-1, 2)), axis=0).T / PARTS_PER_PX
    patch = filled([np.column_stack([y, x]) - 0.5], mask.shape)
    drawn = np.zeros(mask.shape, bool)
    drawn[patch.slices] = patch.mask
    return (drawn & mask).sum() / (drawn | mask).sum()


def bead(label, labels, **more):
    y, x = (float(axis.mean()) for axis in np.nonzero(labels == label))
    diameter = float(np.sqrt(4 / np.pi * (labels == label).sum()))
    text = {"label": label, "y_px": y, "x_px": x, "diameter_px": diameter, "confidence": "", "flags": ""}
    return {name: str(value) for name, value in {**text, **more}.items()}


@pytest.mark.parametrize("radius", [1.5, 3, 8, 40])
def test_outlines_are_those_of_discs_of_any_size(radius):
    rows, columns = np.indices((100, 100))
    labels = ((rows - 48.3) ** 2 + (columns - 50.6) ** 2 <= radius**2).astype(np.uint32)
    (line,) = outlines(labels, [1])
    assert overlap(line, labels == 1) > 0.93
    # Two numbers a vertex: on large beads far fewer than pixels on the outline.
    assert len(line) <= 2 * 15 * np.sqrt(radius)


def test_beads_that_touch_and_lie_at_the_border_keep_their_outlines():
    labels = np.zeros((40, 60), np.uint32)
    labels[:20, :30], labels[:20, 30:], labels[20:, 10:50] = 1, 7, 3
    for number, line in zip((1, 3, 7), outlines(labels, [1, 3, 7]), strict=True):
        assert overlap(line, labels == number) > 0.9
    assert outlines(labels, [5, 9]) == [[], []]


def test_columns_are_in_the_order_of_the_beads():
    labels = discs(6)[1].astype(np.uint32)
    beads = [bead(n, labels, confidence=n / 10, flags=" ".join(FLAGS[:n])) for n in range(1, 7)]
    content, count = packed(beads, labels)
    found = json.loads(zlib.decompress(content))
    assert count == 6
    assert found["label"] == [1, 2, 3, 4, 5, 6]
    assert found["c"] == [10, 20, 30, 40, 50, 60]
    assert found["f"] == [2 ** min(n, len(FLAGS)) - 1 for n in range(1, 7)]
    assert found["x"] == [round(10 * (float(one["x_px"]) + 0.5)) for one in beads]
    assert [overlap(line, labels == n) > 0.93 for n, line in enumerate(found["o"], 1)] == [True] * 6


def test_beads_are_circles_without_a_label_image():
    labels = discs(6)[1].astype(np.uint32)
    beads = [bead(n, labels) for n in range(1, 7)]
    content, count = packed(beads, None)
    found = json.loads(zlib.decompress(content))
    assert count == 6
    assert "o" not in found
    assert found["d"] == [round(10 * float(one["diameter_px"])) for one in beads]
    assert found["c"] == [None] * 6
