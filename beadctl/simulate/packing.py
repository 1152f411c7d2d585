"""Layers of beads that fill the image or end at a front: lattices and disordered packings."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from beadctl.simulate.drawing import Beads, Floats, Shape, circles
from beadctl.simulate.layout import Arrangement, draw_radii, pushed_apart, uncrowded
from beadctl.simulate.texture import smooth_field

PACKINGS = ("crystal", "packed")


def pack(rng: np.random.Generator, plan: Arrangement, shape: Shape) -> Beads:
    """Fill an image of a height and width `shape`, px, with round beads; every third layer ends at a front.

    `plan.layout` is one of `PACKINGS`. A crystal has the pitch `closest` times the diameter; in a packed
    layer `plan.count` beads are pushed apart.
    """
    if plan.layout == "crystal":
        y, x = _crystal(rng, plan.diameter_px * plan.closest, shape, plan.diameter_px)
        r = draw_radii(rng, replace(plan, count=len(y)), shape)
        closest = 0.8 * min(plan.closest, 1.0)
    else:
        r = draw_radii(rng, plan, shape)
        y, x = _disordered(rng, r, plan.closest, shape)
        closest = 0.85 * plan.closest
    order = rng.permutation(len(y))
    y, x, r = y[order], x[order], r[order]
    near = (y > -r) & (y < shape[0] + r) & (x > -r) & (x < shape[1] + r)
    y, x, r = y[near], x[near], r[near]
    if rng.random() < 0.33:
        kept = _behind_front(rng, y, x, shape)
        if rng.random() < 0.5:
            # Some beads lie alone in front of the layer.
            kept |= rng.random(len(y)) < rng.uniform(0.01, 0.08)
        y, x, r = y[kept], x[kept], r[kept]
    keep = uncrowded(y, x, r, closest)
    # A bead of which less than a fifth of the diameter is visible has no recognisable outline.
    rim = 0.6 * r
    keep &= (y > -rim) & (y < shape[0] - 1 + rim) & (x > -rim) & (x < shape[1] - 1 + rim)
    return circles(y[keep], x[keep], r[keep])


def _crystal(rng: np.random.Generator, pitch: float, shape: Shape, margin: float) -> tuple[Floats, Floats]:
    """Return the points of a rotated hexagonal or square lattice with jitter, vacancies and slow strain."""
    half = 0.5 * float(np.hypot(*shape)) + margin + pitch
    hexagonal = rng.random() < 0.75
    row = pitch * (np.sqrt(0.75) if hexagonal else 1.0)
    rows, columns = int(np.ceil(half / row)), int(np.ceil(half / pitch)) + 1
    i, j = (a.ravel() for a in np.mgrid[-rows : rows + 1, -columns : columns + 1])
    v, u = row * i, pitch * (j + (0.5 * (i % 2) if hexagonal else 0.0))
    jitter = pitch * rng.choice([rng.uniform(0.0, 0.03), rng.uniform(0.02, 0.1)])
    u, v = u + jitter * rng.standard_normal(len(u)), v + jitter * rng.standard_normal(len(u))
    angle, shift = rng.uniform(0, np.pi), rng.uniform(0, pitch, 2)
    y = 0.5 * shape[0] + shift[0] + np.sin(angle) * u + np.cos(angle) * v
    x = 0.5 * shape[1] + shift[1] + np.cos(angle) * u - np.sin(angle) * v
    if rng.random() < 0.5:
        present = rng.random(len(y)) >= rng.uniform(0.0, 0.12)
        y, x = y[present], x[present]
    return y.astype(np.float32), x.astype(np.float32)


def _disordered(rng: np.random.Generator, r: Floats, closest: float, shape: Shape) -> tuple[Floats, Floats]:
    """Scatter beads evenly over the image and a margin around it, then push them apart."""
    margin = 2 * float(np.median(r))
    height, width = shape[0] + 2 * margin, shape[1] + 2 * margin
    # One bead for each place of a coarse hexagonal grid: an even start, so that few pushes suffice.
    down = max(1, int(np.ceil(np.sqrt(len(r) * height / (width * np.sqrt(0.75))))))
    across = int(np.ceil(len(r) / down))
    places = rng.permutation(down * across)[: len(r)]
    row, column = places // across, places % across + 0.5 * (places // across % 2)
    loose = rng.uniform(0.3, 0.5)
    y = (row + rng.uniform(-loose, loose, len(r))) * height / down - margin
    x = (column + rng.uniform(-loose, loose, len(r))) * width / across - margin
    return pushed_apart(y, x, r, closest, 20)


def _behind_front(rng: np.random.Generator, y: Floats, x: Floats, shape: Shape) -> NDArray[np.bool_]:
    """Return which centres belong to a layer that ends at a wavy line, or has holes."""
    rows = np.clip(y, 0, shape[0] - 1).astype(np.intp)
    columns = np.clip(x, 0, shape[1] - 1).astype(np.intp)
    height = smooth_field(rng, shape, 0.4 * max(shape))[rows, columns] * rng.uniform(0.0, 0.15)
    if rng.random() < 0.7:
        angle = rng.uniform(0, 2 * np.pi)
        height = height + (np.sin(angle) * y / shape[0] + np.cos(angle) * x / shape[1]).astype(np.float32)
    else:
        height = smooth_field(rng, shape, rng.uniform(0.15, 0.4) * max(shape))[rows, columns]
    if not len(height):
        return np.zeros(0, bool)
    return np.asarray(height <= np.quantile(height, rng.uniform(0.35, 0.9)))
