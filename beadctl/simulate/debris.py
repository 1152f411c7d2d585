"""Objects other than beads: fibres, scratches, specks, shadows, walls, rings, text."""

from collections.abc import Callable

import numpy as np

from beadctl.simulate.canvas import canvas
from beadctl.simulate.drawing import Floats, Shape
from beadctl.simulate.texture import blurred, smooth_field


def _fibres(rng: np.random.Generator, shape: Shape, _diameter_px: float) -> Floats:
    """Draw curved fibres."""
    picture, pen = canvas(shape)
    for _ in range(int(rng.integers(1, 6))):
        steps = 40
        turn = np.cumsum(rng.standard_normal(steps) * rng.uniform(0.02, 0.25)) + rng.uniform(0, 2 * np.pi)
        stride = rng.uniform(2, 14)
        x = rng.uniform(0, shape[1]) + np.cumsum(np.cos(turn)) * stride
        y = rng.uniform(0, shape[0]) + np.cumsum(np.sin(turn)) * stride
        points = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
        pen.line(points, fill=float(rng.uniform(0.4, 1)), width=int(rng.integers(1, 5)), joint="curve")
    return blurred(np.asarray(picture, np.float32), rng.uniform(0.6, 2.0))


def _scratches(rng: np.random.Generator, shape: Shape, _diameter_px: float) -> Floats:
    """Draw fine straight lines."""
    picture, pen = canvas(shape)
    for _ in range(int(rng.integers(1, 9))):
        x, y, angle = rng.uniform(0, shape[1]), rng.uniform(0, shape[0]), rng.uniform(0, np.pi)
        length = rng.uniform(0.1, 1.2) * max(shape)
        end = (float(x + length * np.cos(angle)), float(y + length * np.sin(angle)))
        pen.line([(float(x), float(y)), end], fill=float(rng.uniform(0.3, 1)), width=int(rng.integers(1, 3)))
    return blurred(np.asarray(picture, np.float32), rng.uniform(0.5, 1.2))


def _specks(rng: np.random.Generator, shape: Shape, diameter_px: float) -> Floats:
    """Draw angular specks much smaller than a bead: many faint ones or a few strong ones."""
    picture, pen = canvas(shape)
    many = rng.random() < 0.5
    number = int(rng.integers(10, 200) if many else rng.integers(2, 20))
    size = max(0.5, 0.14 * diameter_px)
    for _ in range(number):
        x, y = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
        corners = rng.uniform(-size, size, (3, 2)) * (1.0, rng.uniform(0.3, 1))
        points = [(float(x + a), float(y + b)) for a, b in corners]
        pen.polygon(points, fill=float(rng.uniform(0.05, 0.3) if many else rng.uniform(0.2, 0.8)))
    return blurred(np.asarray(picture, np.float32), 0.5)


def _motes(rng: np.random.Generator, shape: Shape, diameter_px: float) -> Floats:
    """Draw soft, faint dots much smaller than a bead, like blurred noise."""
    total = np.zeros(shape, np.float32)
    number = int(rng.integers(20, 400) * shape[0] * shape[1] / 512**2) + 1
    y, x = rng.integers(0, shape[0], number), rng.integers(0, shape[1], number)
    np.add.at(total, (y, x), rng.uniform(0.1, 1.0, number).astype(np.float32))
    share = rng.uniform(0.06, 0.24)
    sigma = float(np.clip(diameter_px * share, 0.6, 4.0))
    # Wide dots are fainter, so that they remain distinguishable from beads.
    height = 0.35 if share < 0.14 else 0.15
    return np.asarray(blurred(total, sigma) * np.float32(height * 2 * np.pi * sigma**2), np.float32)


def _flakes(rng: np.random.Generator, shape: Shape, diameter_px: float) -> Floats:
    """Draw angular flakes, longer or larger than a bead."""
    picture, pen = canvas(shape)
    for _ in range(int(rng.integers(1, 7))):
        x, y = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
        length, angle = diameter_px * rng.uniform(1.0, 4.0), rng.uniform(0, np.pi)
        corners = rng.uniform(-0.5, 0.5, (5, 2)) * (length, length * rng.uniform(0.1, 0.4))
        corners = corners[np.argsort(np.arctan2(corners[:, 1], corners[:, 0]))]
        cos, sin = np.cos(angle), np.sin(angle)
        points = [(float(x + cos * a - sin * b), float(y + sin * a + cos * b)) for a, b in corners]
        pen.polygon(points, fill=float(rng.uniform(0.3, 1)))
    return blurred(np.asarray(picture, np.float32), rng.uniform(0.6, 1.5))


def _shadows(rng: np.random.Generator, shape: Shape, diameter_px: float) -> Floats:
    """Draw very large soft spots: objects far out of focus."""
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    columns = np.arange(shape[1], dtype=np.float32)[None, :]
    total = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 8))):
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        sigma = max(2.0 * diameter_px, 18.0) * rng.uniform(1, 2.5)
        bell = np.exp(-((rows - y) ** 2) / (2 * sigma**2)) * np.exp(-((columns - x) ** 2) / (2 * sigma**2))
        total += np.float32(rng.uniform(0.2, 0.7)) * bell.astype(np.float32)
    return total


def _walls(rng: np.random.Generator, shape: Shape, _diameter_px: float) -> Floats:
    """Draw channel walls: long edges with a line and a step of brightness."""
    angle = float(rng.choice([0.0, np.pi / 2])) if rng.random() < 0.5 else rng.uniform(0, np.pi)
    rows = np.arange(shape[0], dtype=np.float32)[:, None] - shape[0] * rng.uniform(0.1, 0.9)
    columns = np.arange(shape[1], dtype=np.float32)[None, :] - shape[1] * rng.uniform(0.1, 0.9)
    away = rows * np.cos(angle) + columns * np.sin(angle)
    along = columns * np.cos(angle) - rows * np.sin(angle)
    away = away + (rng.uniform(0, 0.002) * along**2 if rng.random() < 0.4 else 0.0)
    width = rng.uniform(1.5, 8)
    line = np.exp(-((away / width) ** 2))
    step = rng.uniform(-0.6, 0.6) / (1.0 + np.exp(np.clip(-away / width * 2, -30, 30)))
    if rng.random() < 0.5:
        line = line + rng.uniform(0.3, 1) * np.exp(-(((away - rng.uniform(15, 120)) / width) ** 2))
    rough = 1.0 + 0.3 * smooth_field(rng, shape, 5.0)
    return np.asarray((line + step) * rough * rng.uniform(0.5, 1.5), np.float32)


def _circle_distance(rng: np.random.Generator, shape: Shape, radius_px: float) -> Floats:
    y, x = rng.uniform(-0.3, 1.3) * shape[0], rng.uniform(-0.3, 1.3) * shape[1]
    rows = np.arange(shape[0], dtype=np.float32)[:, None] - y
    columns = np.arange(shape[1], dtype=np.float32)[None, :] - x
    return np.asarray(np.hypot(rows, columns) - radius_px, np.float32)


def _vessels(rng: np.random.Generator, shape: Shape, diameter_px: float) -> Floats:
    """Draw outlines of drops or wells, large enough to contain many beads."""
    total = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 3))):
        radius = max(85.0, diameter_px * 4) * rng.uniform(1.0, 3.0)
        away = _circle_distance(rng, shape, float(radius))
        width = rng.uniform(1.2, 6.0)
        inner_line = np.exp(-(((away + 2.5 * width) / width) ** 2))
        line = np.exp(-((away / width) ** 2)) - rng.uniform(0, 0.6) * inner_line
        inside = rng.uniform(-0.3, 0.3) / (1.0 + np.exp(np.clip(away / width * 2, -30, 30)))
        total += np.asarray(line + inside, np.float32)
    return total


def _dust(rng: np.random.Generator, shape: Shape, diameter_px: float) -> Floats:
    """Draw faint, wide diffraction rings of dust far from the focal plane."""
    total = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 5))):
        away = _circle_distance(rng, shape, 0.0)
        outer = max(3.0 * diameter_px, 40.0) * rng.uniform(1.0, 2.0)
        period = outer / rng.uniform(2, 5)
        rings = np.cos(2 * np.pi * away / period) * np.exp(-((away / outer) ** 2))
        total += np.asarray(rings * rng.uniform(0.1, 0.35), np.float32)
    return total


def _stains(rng: np.random.Generator, shape: Shape, diameter_px: float) -> Floats:
    """Draw cells or stains: irregular textured patches much larger than a bead."""
    scale = max(3.0 * diameter_px, 20.0) * rng.uniform(0.8, 2.0)
    field = smooth_field(rng, shape, float(scale))
    field = field + 0.25 * smooth_field(rng, shape, float(scale) / 4)
    level, steep = rng.uniform(1.0, 1.8), rng.uniform(5, 20)
    inside = 1.0 / (1.0 + np.exp(np.clip((level - field) * steep, -30, 30)))
    grainy = 1.0 + rng.uniform(0.05, 0.25) * smooth_field(rng, shape, 2.5)
    return np.asarray(inside * grainy * rng.uniform(0.4, 1.0), np.float32)


# (rng, shape of the image, diameter of the beads in px) -> brightness, about 0..1.
Debris = Callable[[np.random.Generator, Shape, float], Floats]

DEBRIS: dict[str, Debris] = {
    draw.__name__[1:]: draw
    for draw in (_fibres, _scratches, _specks, _motes, _flakes, _shadows, _walls, _vessels, _dust, _stains)
}

_WORDS = (
    "um", "nm", "px", "kV", "x", "s", "ms", "fps",
    "mag", "WD", "HV", "det", "Camera", "frame", "[mm:ss]", ":",
)  # fmt: skip


def inscription(rng: np.random.Generator, shape: Shape) -> tuple[Floats, float]:
    """Draw a scale bar, a caption or a line of data.

    Return its opacity, 0..1, float32 of `shape`, and whether its ink is bright (1) or dark (0).
    """
    picture, pen = canvas(shape)
    y, x = float(rng.uniform(0.03, 0.92) * shape[0]), float(rng.uniform(0.03, 0.7) * shape[1])
    if rng.random() < 0.6:
        length, thick = float(rng.uniform(0.08, 0.25) * shape[1]), float(rng.integers(2, 7))
        pen.rectangle([x, y, x + length, y + thick], fill=1.0)
        y -= 13.0
    if rng.random() < 0.8:
        lines, words = int(rng.integers(1, 4)), int(rng.integers(1, 12))
        size_px = float(rng.uniform(8, 22))
        if words > 4:
            x = float(rng.uniform(0.0, 0.1) * shape[1])
        for line in range(lines):
            numbers = [f"{rng.integers(0, 10 ** int(rng.integers(1, 9)))}" for _ in range(words)]
            text = " ".join(f"{number} {rng.choice(_WORDS)}" for number in numbers)
            pen.text((x, y + 1.2 * size_px * line), text, fill=1.0, font_size=size_px)
    return np.asarray(picture, np.float32), float(rng.random() < 0.6)
