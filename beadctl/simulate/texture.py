"""Smooth random fields and background textures."""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from beadctl.simulate.drawing import Floats, Shape
from beadctl.simulate.sampling import log_uniform, pick


def _spline_basis(length: int, scale_px: float, shift: float) -> Floats:
    """Return cubic B-splines with knots scale_px apart, shape (length, knots): an upsampling matrix."""
    knots = int(np.ceil(length / scale_px)) + 4
    at = np.arange(length) / scale_px + shift + 1.0
    basis, rows = np.zeros((length, knots), np.float32), np.arange(length)
    # A cubic B-spline extends over four knots.
    for step in (-1, 0, 1, 2):
        knot = np.floor(at).astype(np.intp) + step
        t = np.abs(at - knot)
        basis[rows, knot] = np.where(t < 1, 2 / 3 - t * t + t**3 / 2, np.maximum(2.0 - t, 0.0) ** 3 / 6)
    return basis


def smooth_field(rng: np.random.Generator, shape: Shape, scale_px: float | tuple[float, float]) -> Floats:
    """Return a smooth random field, float32 of `shape`, with mean about 0 and standard deviation about 1.

    Its correlation length is `scale_px`, px: one value, or those of y and x.
    """
    scale_y, scale_x = scale_px if isinstance(scale_px, tuple) else (scale_px, scale_px)
    basis_y = _spline_basis(shape[0], max(scale_y, 1.5), float(rng.random()))
    basis_x = _spline_basis(shape[1], max(scale_x, 1.5), float(rng.random()))
    knots = rng.standard_normal((basis_y.shape[1], basis_x.shape[1]), dtype=np.float32)
    # 0.4794: mean variance of a uniform cubic B-spline with white-noise knots along one axis.
    return np.asarray(basis_y @ knots @ basis_x.T / np.float32(0.4794), np.float32)


def blurred(image: Floats, sigma_px: float) -> Floats:
    """Return the image after a Gaussian blur of standard deviation `sigma_px`; unchanged below 0.2 px."""
    if sigma_px < 0.2:
        return image
    return np.asarray(gaussian_filter(image, sigma_px, truncate=3.0), np.float32)


def widely_blurred(image: Floats, step: int, sigma: float) -> Floats:
    """Return the image after a wide Gaussian blur, which is computed for every `step`-th row and column.

    The standard deviation is `sigma` steps, and each value stands for a square of `step` px.
    """
    coarse = blurred(image[::step, ::step], sigma)
    return np.repeat(np.repeat(coarse, step, axis=0), step, axis=1)[: image.shape[0], : image.shape[1]]


def standardised(field: Floats) -> Floats:
    """Return the field with mean 0 and standard deviation 1; a flat field becomes zeros."""
    spread = float(field.std())
    if spread < 1e-9:
        return np.zeros_like(field)
    return np.asarray((field - field.mean()) / spread, np.float32)


def _flat(_rng: np.random.Generator, shape: Shape) -> Floats:
    """Return a uniform background."""
    return np.zeros(shape, np.float32)


def _cloud(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return noise at several scales."""
    slope = rng.uniform(0.1, 1.0)
    total = np.zeros(shape, np.float32)
    for scale in (3.0, 6.0, 13.0, 28.0, 60.0):
        total += np.float32(scale**slope) * smooth_field(rng, shape, scale)
    return total


def _grain(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return granular noise of one scale."""
    return blurred(rng.standard_normal(shape, dtype=np.float32), rng.uniform(0.6, 2.5))


def _fibrous(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return streaks of two lengths along one axis."""
    along = bool(rng.random() < 0.5)
    total = np.zeros(shape, np.float32)
    for length in rng.uniform(10, 80, 2):
        narrow = rng.uniform(1.5, 4.0)
        total += smooth_field(rng, shape, (float(length), narrow) if along else (narrow, float(length)))
    return total


def _ridged(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return ridges along the zero lines of a smooth field, like cracks or veins."""
    scale = log_uniform(rng, 4, 30)
    first = -np.abs(smooth_field(rng, shape, scale))
    return np.asarray(first - 0.5 * np.abs(smooth_field(rng, shape, scale / 2)), np.float32)


def _stripes(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return rows or columns of unequal offset, as of scanners and CMOS sensors."""
    axis = int(rng.integers(2))
    line = rng.standard_normal(shape[axis], dtype=np.float32)
    if rng.random() < 0.5:
        line = gaussian_filter1d(line, float(rng.uniform(0.5, 3)))
    rows = line[:, None] if axis == 0 else line[None, :]
    return np.asarray(np.broadcast_to(rows, shape) + 0.3 * smooth_field(rng, shape, 20.0), np.float32)


def _islands(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return flat patches with sharp edges, such as cells or stains."""
    field = smooth_field(rng, shape, float(rng.uniform(15, 60)))
    level, steep = float(rng.uniform(0.3, 1.5)), float(rng.uniform(3, 12))
    inside = 1.0 / (1.0 + np.exp(np.clip((level - field) * steep, -30, 30)))
    return np.asarray(inside * (1.0 + 0.3 * smooth_field(rng, shape, 3.0)), np.float32)


TEXTURES: dict[str, Callable[[np.random.Generator, Shape], Floats]] = {
    draw.__name__[1:]: draw for draw in (_flat, _cloud, _grain, _fibrous, _ridged, _stripes, _islands)
}
WEIGHTS = dict(zip(TEXTURES, (0.5, 0.25, 0.15, 0.07, 0.07, 0.08, 0.08), strict=True))


def draw_texture(rng: np.random.Generator, shape: Shape) -> tuple[str, Floats]:
    """Draw a texture; return its name and the field, `standardised`, of a height and width `shape`."""
    name = pick(rng, WEIGHTS)
    return name, standardised(TEXTURES[name](rng, shape))
