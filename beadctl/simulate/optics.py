"""Illumination, noise and camera: from brightness to the grey levels of a file."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from beadctl.simulate.drawing import Floats, Shape
from beadctl.simulate.sampling import log_uniform
from beadctl.simulate.texture import blurred, smooth_field

Grey = NDArray[np.uint8] | NDArray[np.uint16]


def illumination(rng: np.random.Generator, shape: Shape, strength: float) -> Floats:
    """Return factors of an uneven illumination with mean 1, float32 of `shape`: slope, vignette, clouds.

    The difference of the largest and smallest factor is `strength`.
    """
    rows = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * rows + np.sin(angle) * columns
    y, x = rng.uniform(-0.5, 0.5, 2)
    vignette = -((rows - y) ** 2 + (columns - x) ** 2)
    clouds = smooth_field(rng, shape, 0.6 * max(shape))
    shares = rng.dirichlet([0.6, 0.6, 0.4])
    total = shares[0] * slope + shares[1] * vignette + shares[2] * 0.5 * clouds
    span = float(total.max() - total.min())
    return np.asarray(1.0 + strength * (total - total.mean()) / max(span, 1e-6), np.float32)


def noisy(
    rng: np.random.Generator, image: Floats, sigma: float, level: float, shot: float, clump_px: float
) -> Floats:
    """Return a float32 image with shot and read noise.

    Parameters
    ----------
    rng, image : Generator and ndarray of float32
        Source of randomness; image, shape (H, W).
    sigma, level : float
        Standard deviation of the noise at the reference brightness `level`.
    shot : float
        Share of the variance at `level` that is proportional to the brightness, 0..1.
    clump_px : float
        Standard deviation of the blur of the noise, px, as by demosaicing or resampling; none below 0.2 px.
    """
    if sigma <= 0:
        return image
    white = rng.standard_normal(image.shape, dtype=np.float32)
    if clump_px >= 0.2:
        white = blurred(white, clump_px)
        white /= white.std()
    variance = np.float32(1.0 - shot) + np.float32(shot / max(level, 1e-6)) * np.maximum(image, 0.0)
    return np.asarray(image + np.float32(sigma) * np.sqrt(variance) * white, np.float32)


def counted(rng: np.random.Generator, image: Floats, photons: float, blur_px: float) -> Floats:
    """Return a float32 image after the photons are counted, in the units of the image.

    Parameters
    ----------
    rng, image : Generator and ndarray of float32
        Source of randomness; image, shape (H, W).
    photons : float
        Number of photons of a pixel of brightness 1.
    blur_px : float
        Standard deviation of a filter after the counting, px; none below 0.2 px.
    """
    count = rng.poisson(np.maximum(image, 0.0) * np.float32(photons))
    return blurred(np.asarray(count / photons, np.float32), blur_px)


def with_bad_pixels(rng: np.random.Generator, image: Floats, signal: float) -> Floats:
    """Return the image with hot or cold pixels, 10 to 300 in 512 x 512, some in pairs, and dead columns.

    Parameters
    ----------
    rng, image : Generator and ndarray of float32
        Source of randomness; image, shape (H, W) with noise.
    signal : float
        Brightness of a typical bead over the background: the least excess of a hot pixel.
    """
    image = image.copy()
    height, width = image.shape
    number = max(1, int(log_uniform(rng, 10, 300) * height * width / 512**2))
    y, x = rng.integers(0, height, number), rng.integers(0, width, number)
    excess = signal * log_uniform(rng, 1.0, 40.0) * rng.uniform(0.4, 1.0, number)
    cold = rng.random(number) < rng.choice([0.0, 0.3, 1.0], p=[0.7, 0.2, 0.1])
    floor = float(image.min())
    values = np.where(cold, floor + (image[y, x] - floor) * rng.uniform(0, 0.3), image[y, x] + excess)
    pairs = rng.random(number) < rng.choice([0.0, 0.25, 0.6])
    image[y, x] = values
    down = rng.random(number) < 0.5
    y, x = np.minimum(y + down, height - 1)[pairs], np.minimum(x + ~down, width - 1)[pairs]
    image[y, x] = values[pairs] * rng.uniform(0.5, 1.0) + image[y, x] * 0.3
    if rng.random() < 0.25:
        columns = rng.integers(0, width, int(rng.integers(1, 4)))
        image[:, columns] = floor if rng.random() < 0.6 else image.max()
    if rng.random() < 0.4:
        # The sensor saturates not far above the beads.
        image = np.minimum(
            image, np.float32(np.quantile(image[::3, ::3], 0.995) + signal * rng.uniform(0.2, 3))
        )
    return np.asarray(image, np.float32)


@dataclass(frozen=True)
class Camera:
    """Conversion of brightness to grey levels.

    Attributes
    ----------
    bits : int
        Bits per pixel: 8, 12 or 16; more than 8 are stored as uint16.
    low, high : float
        Grey levels of the darkest and brightest pixel, as shares of the full range; the image is clipped to
        0..1.
    gamma, sharpen : float
        Exponent of the response; amount of unsharp masking, 0 for none.
    jpeg_quality : int
        Quality of JPEG compression, 1..95; 0 for no compression.
    """

    bits: int
    low: float
    high: float
    gamma: float
    sharpen: float
    jpeg_quality: int


def draw_camera(rng: np.random.Generator, contrast: float) -> Camera:
    """Draw a camera at random, with enough grey levels for the beads.

    The signal of the weakest beads is `contrast` as a share of the range of the image, 0..1.
    """
    bits = int(rng.choice([8, 12, 16], p=[0.7, 0.12, 0.18]))
    low, high = rng.uniform(-0.04, 0.1), rng.uniform(0.85, 1.2)
    if rng.random() < 0.35:
        span = rng.uniform(0.12, 0.6)
        low = rng.uniform(0.0, 1.0 - span)
        high = low + span
    if bits > 8 and rng.random() < 0.6:
        low, high = rng.uniform(0.0, 0.03), log_uniform(rng, 0.02, 1.0)
    if rng.random() < 0.08:
        # Overexposed: the brightest beads are saturated.
        high = rng.uniform(1.2, 2.0)
    if contrast < 0.15:
        # Beads far fainter than something else must not be clipped to black.
        low = max(low, 0.0)
    levels = contrast * (high - low) * (2**bits - 1)
    if levels < 6:
        # With fewer grey levels, weak beads would be lost in quantisation.
        low, high, levels = 0.02, 1.0, contrast * 0.98 * (2**bits - 1)
    if levels < 6 and bits < 16:
        # Beside a far brighter object, beads are visible only with more bits.
        bits, levels = 16, contrast * 0.98 * 65535
    quality = 0
    if bits == 8 and levels >= 12 and rng.random() < 0.4:
        floor = 30 if levels > 60 else 60 if levels > 25 else 85
        quality = int(rng.integers(floor, 96))
    gamma = rng.uniform(0.6, 1.6) if rng.random() < 0.3 else 1.0
    sharpen = rng.uniform(0.3, 1.5) if rng.random() < 0.12 else 0.0
    return Camera(bits, low, high, gamma, sharpen, quality)


def exposed(image: Floats, camera: Camera) -> Grey:
    """Return the grey levels of a float image, uint8, or uint16 for more than 8 bits."""
    if camera.sharpen:
        image = image + np.float32(camera.sharpen) * (image - blurred(image, 1.3))
    darkest, brightest = float(image.min()), float(image.max())
    unit = (image - darkest) / np.float32(max(brightest - darkest, 1e-6))
    if camera.gamma != 1.0:
        unit = np.maximum(unit, 0.0) ** np.float32(camera.gamma)
    unit = np.clip(camera.low + unit * (camera.high - camera.low), 0.0, 1.0)
    top = 2**camera.bits - 1
    if camera.bits > 8:
        return np.asarray(np.rint(unit * top), np.uint16)
    grey = np.asarray(np.rint(unit * top), np.uint8)
    if not camera.jpeg_quality:
        return grey
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "JPEG", quality=camera.jpeg_quality)
    buffer.seek(0)
    return np.array(Image.open(buffer), np.uint8)
