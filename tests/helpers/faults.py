"""Faults of annotations, to plant in the label image of a pair."""

import numpy as np
from scipy import ndimage

from beadctl.simulate import render


def scene(seed, number, size=384, least=10):
    """Return a simulated scene with enough beads for a fault to show, at most 5 % of it overexposed."""
    for attempt in range(1000):
        found = render(np.random.default_rng([seed, number, attempt]), size)
        if found.labels.max() >= least and (found.image == found.image.max()).mean() <= 0.05:
            return found
    raise AssertionError("no such scene")


def shifted(labels, dy, dx):
    """Return a label image moved by whole pixels, filled with 0."""
    return ndimage.shift(labels, (dy, dx), order=0)


def _warped(labels, source):
    height, width = labels.shape
    y, x = source(*np.mgrid[:height, :width].astype(float))
    return labels[
        np.clip(np.rint(y), 0, height - 1).astype(int), np.clip(np.rint(x), 0, width - 1).astype(int)
    ]


def shift(rng, labels):
    """Shift by 1 to 20 px in any direction."""
    length, angle = rng.uniform(1, 20), rng.uniform(0, 2 * np.pi)
    dy, dx = round(length * np.sin(angle)), round(length * np.cos(angle))
    return shifted(labels, dy or int(dx == 0), dx)


def drift(rng, labels):
    """Shift by an amount that grows over the image from 0 to between 3 and 8 px."""
    most, angle, across = rng.uniform(3, 8), *rng.uniform(0, 2 * np.pi, 2)
    height, width = labels.shape

    def source(y, x):
        share = np.cos(across) * y / height + np.sin(across) * x / width
        return y + most * np.sin(angle) * share, x + most * np.cos(angle) * share

    return _warped(labels, source)


def scale(rng, labels):
    """Scale by 3 % up or down."""
    by = 1.03 if rng.random() < 0.5 else 1 / 1.03
    height, width = labels.shape
    return _warped(
        labels, lambda y, x: ((y - height / 2) * by + height / 2, (x - width / 2) * by + width / 2)
    )


def flip(rng, labels):
    """Mirror, transpose or rotate by 180 degrees."""
    turned = (labels[::-1], labels[:, ::-1], labels.T, labels[::-1, ::-1])
    return np.ascontiguousarray(turned[rng.integers(len(turned))])


def merged(_rng, labels):
    """Give touching beads one label, as a binary mask does."""
    return ndimage.label(labels > 0, np.ones((3, 3)))[0].astype(np.uint32)


def missing(rng, labels):
    """Leave out a tenth of the beads."""
    count = int(labels.max())
    gone = rng.choice(count, max(1, round(count / 10)), replace=False) + 1
    return np.where(np.isin(labels, gone), 0, labels).astype(np.uint32)


FAULTS = {
    "shift": shift,
    "drift": drift,
    "scale": scale,
    "flip": flip,
    "merged": merged,
    "missing": missing,
}
