"""Positions of beads."""

import numpy as np

from beadctl.simulate.layout import uncrowded


def test_beads_are_left_out_only_if_too_close() -> None:
    rng = np.random.default_rng(4)
    y, x = rng.uniform(0, 100, (2, 200)).astype(np.float32)
    r = rng.uniform(2, 6, 200).astype(np.float32)
    keep = uncrowded(y, x, r, 0.9)
    near = np.hypot(y[:, None] - y, x[:, None] - x) < 0.9 * (r[:, None] + r)
    np.fill_diagonal(near, False)
    assert not near[np.ix_(keep, keep)].any()
    assert near[np.ix_(~keep, keep)].any(axis=1).all()
