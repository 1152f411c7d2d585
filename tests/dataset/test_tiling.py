"""Positions of tiles."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from beadctl.dataset.tiling import origins


@given(st.integers(1, 3000), st.integers(1, 600), st.data())
def test_origins_cover_an_axis_with_the_overlap_asked_for(length, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    starts = origins(length, size, overlap)
    covered = np.zeros(max(length, size), bool)
    for start in starts:
        covered[start : start + size] = True
    assert covered[:length].all()
    assert starts[0] == 0
    if length > size:
        assert starts[-1] + size == length
    assert all(0 < after - before <= size - overlap for before, after in itertools.pairwise(starts))
