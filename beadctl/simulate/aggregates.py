"""Objects far brighter or darker than the beads: clots, rods, pieces and large drops, without labels."""

import numpy as np

from beadctl.simulate.canvas import canvas
from beadctl.simulate.drawing import Floats, Shape
from beadctl.simulate.sampling import log_uniform, pick
from beadctl.simulate.texture import blurred, smooth_field, widely_blurred

# Smallest size, in diameters of the beads: a small round object would be a bead.
_SHAPES = {"clot": 1.2, "rod": 0.5, "piece": 0.5, "drop": 4.5}


def _outline(rng: np.random.Generator, kind: str, half: int) -> Floats:
    """Return one object that fills a square of side 2 * half + 1."""
    side = 2 * half + 1
    if kind == "clot":
        rows = np.linspace(-1, 1, side, dtype=np.float32)
        away = np.hypot(rows[:, None], rows[None, :] * np.float32(rng.uniform(1, 2)))
        lumps = smooth_field(rng, (side, side), max(2.0, half * rng.uniform(0.2, 0.5)))
        return np.asarray(np.clip((0.75 - away + 0.25 * lumps) * half / 2, 0, 1), np.float32)
    picture, pen = canvas((side, side))
    angle = float(rng.uniform(0, np.pi))
    along = np.array([np.cos(angle), np.sin(angle)]) * half * 0.85
    across = np.array([-along[1], along[0]])
    if kind == "rod":
        width = max(2, int(half * rng.uniform(0.15, 0.4)))
        bend = across * rng.uniform(-0.4, 0.4)
        points = [tuple(float(v) for v in half + p) for p in (-along, bend, along)]
        pen.line(points, fill=1.0, width=width, joint="curve")
    elif kind == "piece":
        corners = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(4, 8))))
        reach = rng.uniform(0.35, 1.0, len(corners))
        flat = rng.uniform(0.25, 0.7)
        points = [
            tuple(float(v) for v in half + r * (np.cos(t) * along + flat * np.sin(t) * across))
            for t, r in zip(corners, reach, strict=True)
        ]
        pen.polygon(points, fill=1.0)
    else:
        pen.ellipse([1, 1, side - 2, side - 2], fill=1.0)
    return np.asarray(picture, np.float32)


def draw_aggregates(rng: np.random.Generator, shape: Shape, diameter_px: float) -> tuple[Floats, Floats]:
    """Draw one to four objects of 0.5 to 10 diameters of the beads.

    Return their brightness, about 0..1, and that of the light that they scatter; both float32 of `shape`.

    Parameters
    ----------
    rng, shape : Generator and tuple of int
        Source of randomness; height and width of the image, px.
    diameter_px : float
        Median diameter of the beads.
    """
    pad = max(shape)
    padded = np.zeros((shape[0] + 2 * pad, shape[1] + 2 * pad), np.float32)
    for _ in range(int(rng.choice([1, 2, 4], p=[0.6, 0.25, 0.15]))):
        kind = pick(rng, dict.fromkeys(_SHAPES, 1.0) | {"clot": 2.0, "drop": 0.6})
        size = diameter_px * log_uniform(rng, _SHAPES[kind], 10.0)
        half = int(np.clip(size / 2, 3, 0.22 * max(shape) + 3))
        y, x = pad + int(rng.integers(shape[0])), pad + int(rng.integers(shape[1]))
        box = slice(y - half, y + half + 1), slice(x - half, x + half + 1)
        lit = _outline(rng, kind, half) * np.float32(rng.uniform(0.5, 1.0))
        if rng.random() < 0.6:
            lit = lit * (1 + 0.25 * np.clip(smooth_field(rng, lit.shape, max(2.0, half / 4)), -2, 2))
        padded[box] = np.maximum(padded[box], lit)
    sharp = blurred(padded[pad:-pad, pad:-pad], log_uniform(rng, 0.7, max(0.8, 0.35 * diameter_px)))
    if rng.random() < 0.4:
        return sharp, np.zeros(shape, np.float32)
    glow = widely_blurred(sharp, 4, diameter_px * rng.uniform(0.5, 2.5) / 4 + 0.5)
    return sharp, np.asarray(rng.uniform(0.02, 0.2) * blurred(glow, 3.0), np.float32)
