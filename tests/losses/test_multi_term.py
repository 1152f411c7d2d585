"""The boundary term: its band, and masks without edges."""

import numpy as np
import pytest
import torch
from helpers.losses import batch, with_gradient
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from beadctl.losses.multi_term import band, boundary


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


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_a_mask_without_edges_has_no_boundary_term(fill):
    logits = batch()[0]
    value, gradient = with_gradient(boundary, logits, torch.full_like(logits, fill))
    assert (value == 0).all()
    assert (gradient == 0).all()
