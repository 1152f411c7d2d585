"""Borders between basins: against a loop over all pairs of neighbouring pixels, whatever the bands."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beadctl import scratch
from beadctl.segmentation.passes import Borders, borders_of

STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))


def by_loop(labels, probability, marker):
    """Pass, number of pairs of pixels, and sums of lower marker and probability, of each pair of basins."""
    height, width = labels.shape
    found = {}
    for row in range(height):
        for column in range(width):
            for down, across in STEPS:
                other = row + down, column + across
                if not (other[0] < height and 0 <= other[1] < width):
                    continue
                pair = tuple(sorted((int(labels[row, column]), int(labels[other]))))
                if pair[0] == pair[1] or pair[0] == 0:
                    continue
                lower = [int(min(plane[row, column], plane[other])) for plane in (marker, probability)]
                highest, contact, marks, likely = found.get(pair, (0, 0, 0, 0))
                found[pair] = max(highest, lower[0]), contact + 1, marks + lower[0], likely + lower[1]
    return found


def as_table(borders: Borders):
    columns = borders.passes, borders.contact, borders.marker, borders.probability
    return {tuple(pair): values for pair, *values in zip(borders.pairs.tolist(), *columns, strict=True)}


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_borders_are_those_of_the_pixels(seed, rows):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (8, 6)).astype(np.uint32)
    probability, marker = rng.integers(0, 256, (2, 8, 6)).astype(np.uint8)
    bands = [slice(top, min(top + rows, 8)) for top in range(0, 8, rows)]
    with mock.patch.object(scratch, "bands", return_value=bands):
        borders = borders_of(labels, np.arange(4), 4, probability, marker)
    expected = by_loop(labels, probability, marker)
    assert as_table(borders) == {pair: pytest.approx(values) for pair, values in expected.items()}
    assert (np.diff(borders.passes) <= 0).all()


def test_borders_of_joined_basins_are_those_of_their_pixels():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 6, (20, 30)).astype(np.uint32)
    probability, marker = rng.integers(0, 256, (2, 20, 30)).astype(np.uint8)
    number = np.array([0, 1, 1, 3, 4, 3])
    joined = borders_of(labels, np.arange(6), 6, probability, marker).renamed(number, 6)
    expected = borders_of(number[labels].astype(np.uint32), np.arange(6), 6, probability, marker)
    assert as_table(joined) == as_table(expected)
