"""Maps on which the rise of a peak does not tell the parts of a bead from touching beads."""

import numpy as np

from beadctl.model.session import Maps


def scene(seed, *, long):
    """Maps and truth of pairs of peaks: one long bead each where `long`, with a shallow dip, else two."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:96, :128]
    marker, truth = np.zeros((2, 96, 128))
    for k, (row, column) in enumerate((r, c) for r in range(16, 96, 32) for c in range(24, 128, 40)):
        is_long = (k + seed) % 2 == 0 if long is None else long
        apart = rng.uniform(5.5, 7)
        left, right = (np.hypot(y - row, x - column - side * apart) for side in (-1, 1))
        peaks = np.maximum(1 - left / 8, 1 - right / 8)
        if is_long:
            peaks = np.maximum(
                peaks, 0.75 * (np.hypot((y - row), np.maximum(np.abs(x - column) - apart, 0)) < 4)
            )
        inside = (np.minimum(left, right) < 8) & (peaks > 0)
        marker = np.where(inside, np.maximum(peaks, 0.01), marker)
        truth[inside & (left <= right)] = 2 * k + 1
        truth[inside & (left > right)] = 2 * k + 1 if is_long else 2 * k + 2
    byte = np.rint(255 * marker).astype(np.uint8)
    return Maps(np.where(truth > 0, 240, 0).astype(np.uint8), byte), truth.astype(np.uint32)
