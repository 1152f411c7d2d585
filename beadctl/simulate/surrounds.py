"""Surrounds: round fields, tilted rectangles, mosaics, cut corners and bars; constant outside."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from beadctl.simulate.canvas import canvas
from beadctl.simulate.drawing import Floats, Labels, Shape, consecutive
from beadctl.simulate.sampling import log_uniform, pick
from beadctl.simulate.texture import blurred

_WORDS = (
    "HV", "WD", "det", "mag", "spot", "SE", "BSE", "SEI", "ETD", "kV", "mm", "um", "nm", "x",
    "Signal A = InLens", "EHT = ", "File Name = ", "Date :", "15.0kV", "X5,000", "10.1 mm", "HFW", "mode",
    "tilt", "Pa", "30 KX",
)  # fmt: skip
# Edges of stitched or cropped images are sharp; those of diaphragms are not.
_OPTICAL = ("disc", "corners")


def _grid(shape: Shape) -> tuple[Floats, Floats]:
    """Return the offsets of rows and columns from the middle, px."""
    rows = np.arange(shape[0], dtype=np.float32)[:, None] - np.float32((shape[0] - 1) / 2)
    columns = np.arange(shape[1], dtype=np.float32)[None, :] - np.float32((shape[1] - 1) / 2)
    return rows, columns


def _cover(depth_px: Floats) -> Floats:
    """Return the share of a pixel inside, from its depth behind the edge."""
    return np.asarray(np.clip(depth_px + 0.5, 0.0, 1.0), np.float32)


def _turned(rows: Floats, columns: Floats, angle: float) -> tuple[Floats, Floats]:
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return np.asarray(rows * cos - columns * sin, np.float32), np.asarray(
        rows * sin + columns * cos, np.float32
    )


def _disc(rng: np.random.Generator, shape: Shape) -> Floats:
    """Round or elliptic field: an eyepiece, a well, a tube."""
    rows, columns = _grid(shape)
    rows, columns = rows - rng.uniform(-0.1, 0.1) * shape[0], columns - rng.uniform(-0.1, 0.1) * shape[1]
    radius = rng.uniform(0.3, 0.62) * min(shape)
    if rng.random() < 0.3:
        rows, columns = _turned(rows, columns, rng.uniform(0, np.pi))
        rows = rows * rng.uniform(1.05, 1.6)
    return _cover(np.asarray(radius - np.hypot(rows, columns), np.float32))


def _rectangle(rng: np.random.Generator, shape: Shape) -> Floats:
    """Tilted rectangle: a registered, deskewed or rotated image."""
    rows, columns = _turned(*_grid(shape), rng.uniform(0, np.pi / 2))
    half_y, half_x = rng.uniform(0.28, 0.6) * shape[0], rng.uniform(0.28, 0.6) * shape[1]
    return _cover(np.asarray(np.minimum(half_y - np.abs(rows), half_x - np.abs(columns)), np.float32))


def _mosaic(rng: np.random.Generator, shape: Shape) -> Floats:
    """Tiles of a stitched scan, shifted against each other, with tiles missing at the border."""
    angle = rng.uniform(-0.7, 0.7) if rng.random() < 0.4 else 0.0
    rows, columns = _turned(*_grid(shape), angle)
    down, across = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    extent = rng.uniform(0.65, 1.1)
    high, wide = extent * shape[0] / down, extent * shape[1] / across
    jitter = rng.uniform(0.0, 0.12)
    inside = np.zeros(shape, bool)
    missing = rng.uniform(0.1, 0.6)
    for i in range(down):
        for j in range(across):
            is_border = i in (0, down - 1) or j in (0, across - 1)
            if is_border and down * across > 2 and rng.random() < missing:
                continue
            y = (i - (down - 1) / 2 + jitter * rng.standard_normal()) * high
            x = (j - (across - 1) / 2 + jitter * rng.standard_normal()) * wide
            near = np.abs(rows - y) < high * (0.5 + jitter)
            inside |= near & (np.abs(columns - x) < wide * (0.5 + jitter))
    return inside.astype(np.float32) if inside.any() else np.ones(shape, np.float32)


def _corners(rng: np.random.Generator, shape: Shape) -> Floats:
    """Black corners: a vignetted field whose middle reaches the border, or a rounded mask."""
    rows, columns = _grid(shape)
    half_y, half_x = shape[0] / 2 - rng.uniform(-2, 6), shape[1] / 2 - rng.uniform(-2, 6)
    corner = rng.uniform(0.08, 0.5) * min(shape)
    out_y, out_x = np.abs(rows) - (half_y - corner), np.abs(columns) - (half_x - corner)
    away = np.hypot(np.maximum(out_y, 0), np.maximum(out_x, 0)) + np.minimum(np.maximum(out_y, out_x), 0)
    return _cover(np.asarray(corner - away, np.float32))


def _bar(rng: np.random.Generator, shape: Shape) -> Floats:
    """Bars along one or several edges."""
    inside = np.ones(shape, np.float32)
    for side in rng.permutation(4)[: int(rng.choice([1, 2, 4], p=[0.75, 0.17, 0.08]))]:
        along = np.swapaxes(inside, 0, side % 2)
        width = max(1, int(along.shape[0] * rng.uniform(0.03, 0.4)))
        along[slice(width) if side < 2 else slice(-width, None)] = 0.0
    return inside


def _data_bar(rng: np.random.Generator, shape: Shape) -> Floats:
    """Bar at the bottom, or seldom at the top, as electron microscopes add it."""
    inside = np.ones(shape, np.float32)
    height = int(np.clip(rng.uniform(0.05, 0.14) * shape[0], 1, 90))
    inside[slice(-height, None) if rng.random() < 0.85 else slice(height)] = 0.0
    return inside


SURROUNDS: dict[str, Callable[[np.random.Generator, Shape], Floats]] = {
    draw.__name__[1:]: draw for draw in (_disc, _rectangle, _mosaic, _corners, _bar, _data_bar)
}
_WEIGHTS = {"disc": 6.0, "rectangle": 1.2, "mosaic": 2.0, "corners": 1.2, "bar": 1.6, "data_bar": 1.0}


def draw_surround(rng: np.random.Generator, shape: Shape, *, electrons: bool) -> tuple[str, Floats]:
    """Draw a surround; return its name and the share of each pixel inside the field, float32 of `shape`.

    Parameters
    ----------
    rng, shape : Generator and tuple of int
        Source of randomness; height and width of the image, px.
    electrons : bool
        Whether the image is that of an electron microscope: most then have a data bar.
    """
    name = pick(rng, _WEIGHTS | ({"data_bar": 12.0} if electrons else {}))
    inside = SURROUNDS[name](rng, shape)
    if name in _OPTICAL and rng.random() < 0.7:
        inside = blurred(inside, log_uniform(rng, 0.5, 6.0))
    elif name != "data_bar" and rng.random() < 0.2:
        inside = blurred(inside, log_uniform(rng, 0.5, 2.0))
    return name, inside


def _caption(rng: np.random.Generator, bar: Shape) -> Floats:
    """Return the ink of a data bar, 0..1: lines of data, frames, logos and a scale bar."""
    picture, pen = canvas(bar)
    lines = int(rng.integers(1, 3)) if bar[0] > 24 else 1
    size_px = max(5.0, bar[0] / lines * float(rng.uniform(0.45, 0.85)))
    for line in range(lines):
        x, y = float(rng.uniform(0, 12)), bar[0] / lines * line + 1.0
        while x < bar[1]:
            width = size_px * float(rng.uniform(2, 5))
            draw = rng.random()
            if draw < 0.12:
                pen.ellipse(
                    [x, y, x + 1.4 * size_px, y + size_px], outline=1.0, width=int(rng.integers(1, 4))
                )
            elif draw < 0.2:
                pen.rectangle([x, y, x + width, y + size_px], fill=float(rng.uniform(0.3, 1)))
            elif draw < 0.35:
                middle = y + size_px / 2
                pen.line([x, middle, x + width, middle], fill=1.0, width=int(rng.integers(1, 5)))
                for end in (x, x + width):
                    pen.line([end, y + 1, end, y + size_px - 1], fill=1.0, width=2)
            else:
                text = f"{rng.choice(_WORDS)} {rng.integers(0, 10 ** int(rng.integers(1, 6)))}"
                pen.text((x, y), text, fill=1.0, font_size=size_px)
                width = float(pen.textlength(text, font_size=size_px))
            x += width + size_px * float(rng.uniform(0.3, 2.5))
            if rng.random() < 0.2:
                pen.line([x - 2, 0, x - 2, bar[0]], fill=1.0)
    return np.asarray(picture, np.float32)


def enclose(
    rng: np.random.Generator, image: Floats, name: str, inside: Floats, noise: float, darkest: float | None
) -> Floats:
    """Return the image with a constant surround: mostly darker than the field, seldom grey or white.

    Parameters
    ----------
    rng, image : Generator and ndarray of float32
        Source of randomness; image, shape (H, W) with noise.
    name, inside : str and ndarray of float32
        Kind and field from `draw_surround`.
    noise : float
        Standard deviation of the noise of the image.
    darkest : float or None
        Brightness without light; None if the image does not say.
    """
    low, high = (float(level) for level in np.quantile(image[::3, ::3], [0.005, 0.995]))
    span = max(high - low, 3 * noise, 1e-3)
    tone = pick(
        rng, {"dark": 9, "grey": 1, "white": 0.5} if name in _OPTICAL else {"dark": 5, "grey": 1, "white": 3}
    )
    level = rng.uniform(low, high)
    if tone == "white":
        level = high + span * log_uniform(rng, 0.02, 40.0)
    elif tone == "dark" and darkest is not None and rng.random() < 0.6:
        level = darkest + (low - darkest) * rng.uniform(0, 1) * float(rng.random() < 0.5)
    elif tone == "dark":
        level = low - span * log_uniform(rng, 0.01, 1.5)
    outside = np.full(image.shape, level, np.float32)
    if rng.random() < (0.6 if name in _OPTICAL else 0.2):
        outside += np.float32(noise * rng.uniform(0.1, 1.0)) * rng.standard_normal(
            image.shape, dtype=np.float32
        )
    if name == "data_bar":
        rows = np.flatnonzero(inside[:, 0] == 0)
        ink = _caption(rng, (len(rows), image.shape[1]))
        contrast = span * rng.uniform(0.5, 1.5) * (-1.0 if level > (low + high) / 2 else 1.0)
        outside[rows[0] : rows[-1] + 1] += np.float32(contrast) * ink
    image = outside + inside * (image - outside)
    if name in _OPTICAL and rng.random() < 0.25:
        # Light that a wall or a diaphragm reflects.
        rim = blurred(4 * inside * (1 - inside), rng.uniform(0.5, 2.5))
        image = image + np.float32(span * rng.uniform(0.2, 1.0)) * rim
    return np.asarray(image, np.float32)


def cut_labels(labels: Labels, visible: NDArray[np.bool_]) -> Labels:
    """Return the labels of visible pixels, 1..n; a bead of which less than half is visible has none."""
    if visible.all():
        return labels
    number = int(labels.max(initial=0))
    cut = np.where(visible, labels, 0).astype(np.uint32)
    before = np.bincount(labels.ravel(), minlength=number + 1)[1:]
    return consecutive(cut, np.bincount(cut.ravel(), minlength=number + 1)[1:] > 0.5 * before)
