"""Pieces of a mask are those of scipy's label, in the same order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from beadctl.segmentation.pieces import pieces_of

MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@pytest.mark.parametrize("diagonal", [False, True])
@given(mask=MASKS)
def test_pieces_are_those_of_scipy(diagonal, mask):
    expected, count = ndimage.label(mask, np.ones((3, 3)) if diagonal else None)
    pieces = pieces_of(mask, diagonal=diagonal)
    found = np.zeros(mask.size, int)
    found[pieces.pixels] = pieces.of_pixels
    assert pieces.count == count
    np.testing.assert_array_equal(found.reshape(mask.shape), expected)
    assert pieces.pixels.tolist() == np.flatnonzero(mask).tolist()


def test_some_runs_keep_the_numbers_of_their_pieces():
    pieces = pieces_of(np.array([[1, 0, 1, 1], [0, 0, 0, 0], [1, 1, 0, 0]], bool), diagonal=True)
    some = pieces.only(pieces.length == 2)
    assert (some.pixels.tolist(), some.of_pixels.tolist()) == ([2, 3, 8, 9], [2, 2, 3, 3])
