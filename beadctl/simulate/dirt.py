"""Dirt of strong contrast: crystals, clots, lumps, fragments, fibres, grids, print, smears, glints and more.

Every function returns the absorption, about -1..1, float32 of the image's shape; negative gathers light.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from beadctl.simulate.canvas import canvas
from beadctl.simulate.drawing import Floats, Shape
from beadctl.simulate.layout import Arrangement
from beadctl.simulate.plan import ScenePlan
from beadctl.simulate.sampling import log_uniform, pick
from beadctl.simulate.texture import blurred, smooth_field

Points = list[tuple[float, float]]


def _array(picture: Image.Image) -> Floats:
    return np.asarray(picture, np.float32)


def _place(rng: np.random.Generator, shape: Shape) -> tuple[float, float]:
    return float(rng.uniform(-4, shape[1] + 4)), float(rng.uniform(-4, shape[0] + 4))


def _polygon(rng: np.random.Generator, centre: tuple[float, float], length: float, flat: float) -> Points:
    """Return the corners of an angular piece of a length, px, and a ratio of width to length."""
    turn, number = rng.uniform(0, np.pi), int(rng.integers(3, 8))
    at = (np.arange(number) + rng.uniform(-0.35, 0.35, number)) * 2 * np.pi / number
    reach = length / 2 * rng.uniform(0.5, 1.0, number)
    u, v = reach * np.cos(at), flat * reach * np.sin(at)
    x, y = centre[0] + u * np.cos(turn) - v * np.sin(turn), centre[1] + u * np.sin(turn) + v * np.cos(turn)
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]


def _curve(rng: np.random.Generator, shape: Shape, size_px: float) -> Points:
    """Return the points of a curved line, 2 to 25 sizes long."""
    steps = 30
    bend = rng.uniform(0.01, 0.22)
    turn = np.cumsum(rng.standard_normal(steps) * bend + rng.uniform(-1, 1) * bend) + rng.uniform(
        0, 2 * np.pi
    )
    stride = size_px * log_uniform(rng, 2, 25) / steps
    start = _place(rng, shape)
    x, y = start[0] + np.cumsum(np.cos(turn)) * stride, start[1] + np.cumsum(np.sin(turn)) * stride
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]


def _mottled(rng: np.random.Generator, solid: Floats) -> Floats:
    """Return a solid with an uneven inside."""
    depth = rng.uniform(0.0, 0.8)
    grain = smooth_field(rng, (solid.shape[0], solid.shape[1]), log_uniform(rng, 1.5, 8))
    return np.asarray(solid * np.clip(1 - depth * (0.5 + 0.5 * grain), 0.1, 1.2), np.float32)


def _refracting(rng: np.random.Generator, solid: Floats) -> Floats:
    """Return dark and bright lines along the edges of a transparent object, and a faint body."""
    width = log_uniform(rng, 1.0, 4.0)
    edge = blurred(solid, 0.5 * width) - blurred(solid, width)
    line = np.abs(edge) * rng.uniform(1.0, 4.0) + edge * rng.uniform(-3.0, 3.0)
    return np.asarray(np.clip(line, -1, 1.2) + rng.uniform(-0.25, 0.25) * solid, np.float32)


def _crystals(rng: np.random.Generator, shape: Shape, size_px: float) -> Floats:
    """Angular plates and needles, opaque or transparent with refracting edges."""
    opaque, clear = canvas(shape), canvas(shape)
    is_clear = rng.choice([0.0, 0.5, 1.0])
    for _ in range(int(log_uniform(rng, 2, 40))):
        flat = rng.uniform(0.05, 0.15) if rng.random() < 0.25 else rng.uniform(0.3, 0.9)
        centre, length = _place(rng, shape), max(12.0, size_px * log_uniform(rng, 0.5, 5))
        points = _polygon(rng, centre, length, flat)
        pen = clear[1] if rng.random() < is_clear else opaque[1]
        pen.polygon(points, fill=float(rng.uniform(0.5, 1)))
        if rng.random() < 0.5:
            # Facets that meet inside.
            for corner in points[::2]:
                pen.line([centre, corner], fill=float(rng.uniform(0.2, 0.8)), width=1)
    total = _mottled(rng, _array(opaque[0]))
    return np.asarray(total + _refracting(rng, _array(clear[0])) if is_clear else total, np.float32)


def _clots(rng: np.random.Generator, shape: Shape, size_px: float) -> Floats:
    """Irregular opaque clumps of small pieces, with a ragged outline."""
    picture, pen = canvas(shape)
    for _ in range(int(log_uniform(rng, 2, 20))):
        x, y = _place(rng, shape)
        length = max(16.0, size_px * log_uniform(rng, 0.8, 6))
        number = int(rng.integers(6, 30))
        stretch, turn = rng.uniform(1.2, 3.5), rng.uniform(0, np.pi)
        away = (
            rng.standard_normal((number, 2))
            * length
            * 0.25
            * np.array([np.sqrt(stretch), 1 / np.sqrt(stretch)])
        )
        for u, v in away:
            centre = (
                float(x + u * np.cos(turn) - v * np.sin(turn)),
                float(y + u * np.sin(turn) + v * np.cos(turn)),
            )
            piece = _polygon(rng, centre, length * rng.uniform(0.15, 0.5), rng.uniform(0.4, 1))
            pen.polygon(piece, fill=float(rng.uniform(0.6, 1)))
    return _mottled(rng, _array(picture))


def _lumps(rng: np.random.Generator, shape: Shape, size_px: float) -> Floats:
    """Bodies with a rounded, indented outline, alone and in rows, dark with bright flecks."""
    picture, pen = canvas(shape)
    at = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    orders = np.array([2, 3, 4, 5, 7, 9])
    for _ in range(int(log_uniform(rng, 2, 30))):
        x, y = _place(rng, shape)
        size = max(12.0, size_px * log_uniform(rng, 0.4, 4))
        heading, stride = rng.uniform(0, 2 * np.pi), 0.35 * size
        for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.6 else int(rng.integers(3, 14))):
            depth = rng.uniform(0.1, 0.45) / np.sqrt(orders) * rng.standard_normal(len(orders))
            outline = 1 + (depth[:, None] * np.cos(orders[:, None] * at + rng.uniform(0, 7, (6, 1)))).sum(
                axis=0
            )
            reach = size / 2 * rng.uniform(0.4, 1.0) * np.clip(outline, 0.25, 2.0)
            points = zip(x + reach * np.cos(at), y + reach * np.sin(at), strict=True)
            pen.polygon([(float(a), float(b)) for a, b in points], fill=float(rng.uniform(0.6, 1)))
            heading += rng.normal(0, 0.5)
            x, y = x + stride * np.cos(heading), y + stride * np.sin(heading)
    solid = _array(picture)
    flecks = np.clip(smooth_field(rng, shape, log_uniform(rng, 1.2, 5)) - rng.uniform(0.2, 1.5), 0, 2)
    total = _mottled(rng, solid) * (1 - rng.uniform(0.3, 1.2) * flecks)
    if rng.random() < 0.4:
        total = total + rng.uniform(0.2, 0.8) * _refracting(rng, solid)
    return np.asarray(np.clip(total, -1, 1.2), np.float32)


def _fragments(rng: np.random.Generator, shape: Shape, size_px: float) -> Floats:
    """Broken pieces with a ragged outline and an uneven inside, from specks to planks."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    hull = np.zeros(shape, np.float32)
    for _ in range(int(log_uniform(rng, 4, 60))):
        x, y = _place(rng, shape)
        turn = rng.uniform(0, np.pi)
        length = max(7.0, size_px * log_uniform(rng, 0.2, 3))
        width = max(4.0, length * rng.uniform(0.25, 0.9))
        u = (columns - x) * np.float32(np.cos(turn)) + (rows - y) * np.float32(np.sin(turn))
        v = (rows - y) * np.float32(np.cos(turn)) - (columns - x) * np.float32(np.sin(turn))
        # 1 at the middle, 0 on the ellipse of the piece.
        depth = 1 - np.hypot(2 * u / np.float32(length), 2 * v / np.float32(width))
        # Depth in px: outlines of small and large pieces are equally ragged.
        hull = np.maximum(hull, np.clip(depth * np.float32(width / 2) + 2, 0, None))
    ragged = hull - 2
    for grain_px in (log_uniform(rng, 1.5, 4), log_uniform(rng, 4, 15)):
        ragged = ragged + grain_px * rng.uniform(0.3, 0.9) * smooth_field(rng, shape, grain_px)
    solid = np.clip(np.where(hull > 0, ragged, 0), 0, 1).astype(np.float32)
    flecks = np.clip(smooth_field(rng, shape, log_uniform(rng, 1.5, 5)) - rng.uniform(0.5, 2.0), 0, 2)
    total = _mottled(rng, solid) * (1 - rng.uniform(0.2, 1.2) * flecks)
    if rng.random() < 0.5:
        total = total + rng.uniform(0.2, 1.0) * _refracting(rng, solid)
    return np.asarray(np.clip(total, -1, 1.2), np.float32)


def _filaments(rng: np.random.Generator, shape: Shape, size_px: float) -> Floats:
    """Thick fibres and hairs, opaque or with dark edges and a bright core."""
    picture, pen = canvas(shape)
    hollow = bool(rng.random() < 0.5)
    for _ in range(int(log_uniform(rng, 1, 12))):
        points = _curve(rng, shape, max(size_px, 8.0))
        width = int(np.clip(size_px * rng.uniform(0.1, 0.5), 2, 24))
        pen.line(points, fill=float(rng.uniform(0.5, 1)), width=width, joint="curve")
        if hollow and width > 3:
            pen.line(
                points, fill=float(rng.uniform(-0.4, 0.3)), width=width - max(2, width // 3), joint="curve"
            )
    return _mottled(rng, _array(picture)) if rng.random() < 0.5 else _array(picture)


def _grids(rng: np.random.Generator, shape: Shape, size_px: float) -> Floats:
    """Lines of a counting chamber, a reticle or a mesh."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    angle = rng.choice([0.0, rng.uniform(-0.1, 0.1), rng.uniform(0, np.pi)])
    pitch = max(20.0, size_px * log_uniform(rng, 1.5, 8))
    width = rng.uniform(0.6, 0.12 * pitch)
    total = np.zeros(shape, np.float32)
    for turn in (angle, angle + np.pi / 2)[: 1 if rng.random() < 0.2 else 2]:
        place = (
            rows * np.float32(np.cos(turn))
            + columns * np.float32(np.sin(turn))
            + np.float32(rng.uniform(0, pitch))
        )
        away = np.abs(np.mod(place, np.float32(pitch)) - np.float32(pitch / 2))
        total = np.maximum(total, np.clip(width - away + 0.5, 0, 1))
    return np.asarray(total * rng.uniform(0.3, 1), np.float32)


def _print(rng: np.random.Generator, shape: Shape, size_px: float) -> Floats:
    """Letters and numbers, printed or engraved."""
    picture, pen = canvas(shape)
    letters = list("ABCDEFGHKLMNOPRSTXYZabdeghkmnopqrs0123456789.:/-+")
    for _ in range(int(rng.integers(1, 5))):
        x, y = _place(rng, shape)
        text = "".join(rng.choice(letters, int(rng.integers(1, 14))))
        font_px = float(np.clip(size_px * log_uniform(rng, 0.5, 3), 7, 120))
        pen.text((x - font_px, y - font_px), text, fill=float(rng.uniform(0.4, 1)), font_size=font_px)
    return _array(picture)


def _residues(rng: np.random.Generator, shape: Shape, size_px: float) -> Floats:
    """Dried drops: large uneven outlines with a dark rim and a textured inside."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    total = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        x, y = _place(rng, shape)
        radius = max(40.0, 1.5 * size_px) * rng.uniform(0.7, 2.5)
        theta = np.arctan2(rows - y, columns - x)
        outline = np.ones(shape, np.float32)
        for order in (1, 2, 3, 5):
            outline += np.float32(rng.uniform(0.1, 0.3) / np.sqrt(order)) * np.cos(
                order * theta + rng.uniform(0, 2 * np.pi)
            )
        depth = radius * outline - np.hypot(rows - y, columns - x)
        width = rng.uniform(1.5, 8)
        rim = np.exp(-((depth / width) ** 2)) * rng.uniform(0, 0.8)
        inside = np.clip(depth / rng.uniform(1, 12), 0, 1) * rng.uniform(-0.2, 0.5)
        grain = smooth_field(rng, shape, log_uniform(rng, 2, 12))
        total += np.asarray(rim + inside * (1 + rng.uniform(0.2, 0.8) * grain), np.float32)
    return total


def _smears(rng: np.random.Generator, shape: Shape, size_px: float) -> Floats:
    """Streaks of wiping."""
    narrow = max(2.0, 0.2 * size_px)
    long = narrow * rng.uniform(6, 20)
    streaks = smooth_field(rng, shape, (long, narrow) if rng.random() < 0.5 else (narrow, long))
    patch = smooth_field(rng, shape, max(40.0, 2 * size_px))
    return np.asarray(np.clip(streaks - 0.3, 0, 2) * np.clip(patch, 0, 1) * rng.uniform(0.3, 0.8), np.float32)


def _glints(rng: np.random.Generator, shape: Shape, size_px: float) -> Floats:
    """Reflections and edges of large bubbles: arcs, some double, dark beside bright."""
    picture, pen = canvas(shape)
    for _ in range(int(log_uniform(rng, 1, 10))):
        x, y = _place(rng, shape)
        radius = max(15.0, size_px * rng.uniform(0.8, 4))
        start, length = float(rng.uniform(0, 360)), float(rng.uniform(20, 110))
        width = int(rng.integers(1, 6))
        for inner, ink in ((0, rng.uniform(0.4, 1)), (width + 1, -rng.uniform(0, 0.8))):
            r = radius - inner
            box = (float(x - r), float(y - r), float(x + r), float(y + r))
            pen.arc(box, start, start + length, fill=float(ink), width=width)
    return _array(picture)


def _grit(rng: np.random.Generator, shape: Shape, size_px: float) -> Floats:
    """Small elongated splinters."""
    picture, pen = canvas(shape)
    for _ in range(int(log_uniform(rng, 4, 80) * shape[0] * shape[1] / 512**2) + 1):
        length = max(10.0, size_px * rng.uniform(0.4, 1.0))
        points = _polygon(rng, _place(rng, shape), length, rng.uniform(0.08, 0.3))
        pen.polygon(points, fill=float(rng.uniform(0.3, 1)))
    return _array(picture)


def dirt_plan(rng: np.random.Generator, shape: Shape) -> ScenePlan:
    """Draw the plan of an image of dirt without beads, of a height and width `shape`, px."""
    kind = pick(rng, {"transmitted": 0.8, "fluorescent": 0.1, "sphere": 0.1})
    size_px = min(log_uniform(rng, 8, 70), 0.3 * max(shape))
    return ScenePlan(
        kind, "sphere" if kind == "sphere" else "disc", Arrangement(0, size_px, 0, 1, "none", 1), False
    )


Dirt = Callable[[np.random.Generator, Shape, float], Floats]

DIRT: dict[str, Dirt] = {
    draw.__name__[1:]: draw
    for draw in (
        _crystals, _clots, _lumps, _fragments, _filaments, _grids, _print, _residues, _smears, _glints, _grit,
    )
}  # fmt: skip
_WEIGHTS = dict.fromkeys(DIRT, 1.0) | {
    "crystals": 4.0,
    "clots": 2.5,
    "lumps": 4.0,
    "fragments": 6.0,
    "filaments": 3.0,
    "grids": 0.6,
    "smears": 0.6,
}


def draw_dirt(rng: np.random.Generator, shape: Shape, size_px: float, kinds: int) -> tuple[Floats, list[str]]:
    """Draw dirt of several kinds; return its absorption, -1..1, float32 of `shape`, and the names.

    Parameters
    ----------
    rng, shape : Generator and tuple of int
        Source of randomness; height and width of the image, px.
    size_px : float
        Typical size of an object, px; that of one varies by a factor of 5.
    kinds : int
        Number of kinds to draw.
    """
    share = np.array(list(_WEIGHTS.values()))
    names = [str(name) for name in rng.choice(list(_WEIGHTS), kinds, replace=False, p=share / share.sum())]
    total = np.zeros(shape, np.float32)
    for name in names:
        blur_px = rng.uniform(2.0, 5.0) if size_px > 20 and rng.random() < 0.15 else rng.uniform(0.5, 1.4)
        drawn = blurred(DIRT[name](rng, shape, size_px), blur_px)
        height = np.float32(log_uniform(rng, 0.35, 1.1))
        # What lies above hides what lies below.
        total = np.where(np.abs(drawn) * height > np.abs(total), drawn * height, total)
    return np.clip(total, -1.0, 1.0).astype(np.float32), sorted(names)
