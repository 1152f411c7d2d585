"""Smooth random fields, and the backgrounds made of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from beadctl.simulate.drawing import Floats, Shape


def _spline_basis(length: int, scale_px: float, shift: float) -> Floats:
    """Cubic B-splines with knots scale_px apart, shape (length, knots): a dense upsampling matrix."""
    knots = int(np.ceil(length / scale_px)) + 4
    at = np.arange(length)[:, None] / scale_px + shift + 1.0 - np.arange(knots)[None, :]
    t = np.abs(at)
    near = 2 / 3 - t * t + t**3 / 2
    far = np.maximum(2.0 - t, 0.0) ** 3 / 6
    return np.where(t < 1, near, far).astype(np.float32)


def smooth_field(rng: np.random.Generator, shape: Shape, scale_px: float | tuple[float, float]) -> Floats:
    """Return a random field of mean about 0 and standard deviation about 1, smooth over scale_px.

    Parameters
    ----------
    rng
        Source of randomness.
    shape
        Height and width, px.
    scale_px
        Correlation length, px, or one each for y and x.
    """
    scale_y, scale_x = scale_px if isinstance(scale_px, tuple) else (scale_px, scale_px)
    basis_y = _spline_basis(shape[0], max(scale_y, 1.5), float(rng.random()))
    basis_x = _spline_basis(shape[1], max(scale_x, 1.5), float(rng.random()))
    knots = rng.standard_normal((basis_y.shape[1], basis_x.shape[1]), dtype=np.float32)
    # A uniform cubic B-spline of white knots has variance 0.4794 along each axis on average.
    return np.asarray(basis_y @ knots @ basis_x.T / np.float32(0.4794), np.float32)


def standardised(field: Floats) -> Floats:
    """Return the field with mean 0 and standard deviation 1; a flat field becomes zeros."""
    spread = float(field.std())
    if spread < 1e-9:
        return np.zeros_like(field)
    return np.asarray((field - field.mean()) / spread, np.float32)


def flat(_rng: np.random.Generator, shape: Shape) -> Floats:
    """Nothing at all."""
    return np.zeros(shape, np.float32)


def cloud(rng: np.random.Generator, shape: Shape) -> Floats:
    """Noise at several scales, steeper or shallower."""
    slope = rng.uniform(0.1, 1.0)
    total = np.zeros(shape, np.float32)
    for scale in (3.0, 6.0, 13.0, 28.0, 60.0):
        total += np.float32(scale**slope) * smooth_field(rng, shape, scale)
    return total


def grain(rng: np.random.Generator, shape: Shape) -> Floats:
    """Granular noise of one size."""
    white = rng.standard_normal(shape, dtype=np.float32)
    return np.asarray(gaussian_filter(white, float(rng.uniform(0.6, 2.5)), truncate=3.0), np.float32)


def fibrous(rng: np.random.Generator, shape: Shape) -> Floats:
    """Streaks along one axis, at two lengths."""
    along = bool(rng.random() < 0.5)
    total = np.zeros(shape, np.float32)
    for length in rng.uniform(10, 80, 2):
        narrow = float(rng.uniform(1.5, 4.0))
        total += smooth_field(rng, shape, (float(length), narrow) if along else (narrow, float(length)))
    return total


def ridged(rng: np.random.Generator, shape: Shape) -> Floats:
    """Creases: the zero lines of a smooth field stand out, as in cracked or veined matter."""
    scale = float(np.exp(rng.uniform(np.log(4), np.log(30))))
    first = -np.abs(smooth_field(rng, shape, scale))
    return np.asarray(first - 0.5 * np.abs(smooth_field(rng, shape, scale / 2)), np.float32)


def stripes(rng: np.random.Generator, shape: Shape) -> Floats:
    """Rows or columns of unequal offset, as scanners and CMOS sensors leave."""
    axis = int(rng.integers(2))
    line = rng.standard_normal(shape[axis], dtype=np.float32)
    if rng.random() < 0.5:
        line = gaussian_filter1d(line, float(rng.uniform(0.5, 3)))
    rows = line[:, None] if axis == 0 else line[None, :]
    return np.asarray(np.broadcast_to(rows, shape) + 0.3 * smooth_field(rng, shape, 20.0), np.float32)


def islands(rng: np.random.Generator, shape: Shape) -> Floats:
    """Flat patches with sharp shores, such as cells or stains."""
    field = smooth_field(rng, shape, float(rng.uniform(15, 60)))
    level, steep = float(rng.uniform(0.3, 1.5)), float(rng.uniform(3, 12))
    inside = 1.0 / (1.0 + np.exp(np.clip((level - field) * steep, -30, 30)))
    return np.asarray(inside * (1.0 + 0.3 * smooth_field(rng, shape, 3.0)), np.float32)


TEXTURES: dict[str, Callable[[np.random.Generator, Shape], Floats]] = {
    "flat": flat,
    "cloud": cloud,
    "grain": grain,
    "fibrous": fibrous,
    "ridged": ridged,
    "stripes": stripes,
    "islands": islands,
}
WEIGHTS = {
    "flat": 0.5,
    "cloud": 0.25,
    "grain": 0.15,
    "fibrous": 0.07,
    "ridged": 0.07,
    "stripes": 0.08,
    "islands": 0.08,
}
