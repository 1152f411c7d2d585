"""Nanoparticles on bright uneven supports, as in scanning transmission electron microscopy."""

from collections.abc import Callable

import numpy as np

from beadctl.simulate.canvas import canvas
from beadctl.simulate.drawing import Floats, Shape
from beadctl.simulate.layout import Arrangement
from beadctl.simulate.plan import ScenePlan
from beadctl.simulate.sampling import log_uniform, pick
from beadctl.simulate.texture import blurred, smooth_field, standardised


def support_plan(rng: np.random.Generator, shape: Shape) -> ScenePlan:
    """Draw the plan of small particles on a support of a height and width `shape`, px."""
    diameter = min(
        log_uniform(rng, 8, 24) if rng.random() < 0.7 else log_uniform(rng, 6, 40), 0.4 * min(shape)
    )
    diameter = max(diameter, 3.0)
    layout = pick(rng, {"singles": 5, "mixed": 2, "clumps": 1.5, "overlapping": 1.5})
    spread, closest = float(rng.uniform(0.05, 0.35)), float(rng.uniform(0.85, 1.1))
    cover = log_uniform(rng, 0.01, 0.3)
    count = int(cover * shape[0] * shape[1] / (np.pi / 4 * diameter**2 * np.exp(2 * spread**2)))
    look = pick(rng, {"dome": 4, "disc": 2, "blob": 2, "spot": 1.5})
    return ScenePlan(
        "fluorescent",
        look,
        Arrangement(min(max(count, 3), 800), diameter, spread, 1.0, layout, closest),
        melting=False,
        oval=float(rng.uniform(0.0, 0.3)),
        blur_px=max(0.4, diameter * float(rng.uniform(0.03, 0.12))),
    )


def _thickness(rng: np.random.Generator, shape: Shape, diameter_px: float) -> Floats:
    """Return uneven thickness at several scales, all larger than a particle."""
    total = np.zeros(shape, np.float32)
    slope = rng.uniform(0.3, 1.2)
    for scale in diameter_px * np.array([2.0, 4.0, 8.0, 16.0]):
        total += np.float32(scale**slope) * smooth_field(rng, shape, float(scale))
    return standardised(total)


def _lumps(rng: np.random.Generator, shape: Shape, diameter_px: float) -> Floats:
    """Agglomerates: domes with an edge, one behind the other."""
    total = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 5))):
        height = smooth_field(rng, shape, diameter_px * log_uniform(rng, 2.5, 9)) - rng.uniform(-0.4, 0.7)
        total += np.float32(rng.uniform(0.4, 1)) * np.maximum(height, 0.0) ** np.float32(
            rng.uniform(0.4, 1.2)
        )
    return total


def _flakes(rng: np.random.Generator, shape: Shape, diameter_px: float) -> Floats:
    """Flakes of nearly constant thickness with ragged edges, sharp or soft."""
    total = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        scale = diameter_px * log_uniform(rng, 4, 14)
        outline = smooth_field(rng, shape, scale) + rng.uniform(0.0, 0.25) * smooth_field(
            rng, shape, scale / 4
        )
        steep = log_uniform(rng, 4, 60)
        inside = 1 / (1 + np.exp(np.clip((rng.uniform(-0.5, 0.6) - outline) * steep, -30, 30)))
        total += np.asarray(
            inside * (rng.uniform(0.5, 1) + 0.25 * _thickness(rng, shape, diameter_px)), np.float32
        )
    return total


def _plates(rng: np.random.Generator, shape: Shape, diameter_px: float) -> Floats:
    """Angular plates, one on the other, with steps of thickness."""
    total = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(2, 9))):
        picture, pen = canvas(shape)
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        length, flat, turn = diameter_px * log_uniform(rng, 4, 25), rng.uniform(0.2, 1), rng.uniform(0, np.pi)
        at = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(4, 8))))
        u, v = length * np.cos(at), flat * length * np.sin(at)
        points = zip(
            x + u * np.cos(turn) - v * np.sin(turn), y + u * np.sin(turn) + v * np.cos(turn), strict=True
        )
        pen.polygon([(float(a), float(b)) for a, b in points], fill=float(rng.uniform(0.3, 1)))
        total += np.asarray(picture, np.float32)
    return total


def _lace(rng: np.random.Generator, shape: Shape, diameter_px: float) -> Floats:
    """Holey film: a net of strands around empty holes."""
    field = np.abs(smooth_field(rng, shape, diameter_px * log_uniform(rng, 4, 12)))
    width = rng.uniform(0.25, 0.8)
    inside = 1 / (1 + np.exp(np.clip((field - width) * log_uniform(rng, 6, 40), -30, 30)))
    return np.asarray(inside * (1 + 0.3 * _thickness(rng, shape, diameter_px)), np.float32)


SUPPORTS: dict[str, Callable[[np.random.Generator, Shape, float], Floats]] = {
    draw.__name__[1:]: draw for draw in (_thickness, _lumps, _flakes, _plates, _lace)
}
_WEIGHTS = {"thickness": 1.0, "lumps": 3.0, "flakes": 2.0, "plates": 1.0, "lace": 1.0}


def draw_support(rng: np.random.Generator, shape: Shape, diameter_px: float) -> tuple[Floats, str]:
    """Draw a support; return its brightness, at least 0, with a standard deviation of 1, and its name.

    Parameters
    ----------
    rng, shape : Generator and tuple of int
        Source of randomness; height and width of the image, px.
    diameter_px : float
        Median diameter of the particles: the support is uneven at larger scales.
    """
    name = pick(rng, _WEIGHTS)
    total = SUPPORTS[name](rng, shape, diameter_px)
    if rng.random() < 0.6:
        other = pick(rng, _WEIGHTS)
        total = total + rng.uniform(0.2, 1.0) * SUPPORTS[other](rng, shape, diameter_px)
        name = name if other == name else f"{name}+{other}"
    total = standardised(
        blurred(np.asarray(total, np.float32), log_uniform(rng, 0.6, max(0.7, 0.2 * diameter_px)))
    )
    return np.asarray(total - total.min(), np.float32), name
