"""Random views of a tile: other crops, turns and sizes, other light, both polarities.

Geometry moves image and labels together; intensity touches the image alone. Everything is in the
units of the normalisation: the background's median at 0, the brighter or darker tail at 1 or -1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl.images.normalisation import LIMITS

Floats = NDArray[np.float32]
Labels = NDArray[Any]


@dataclass(frozen=True)
class Augmentation:
    """How far a view may stray from its tile; probabilities per view, ranges drawn uniformly.

    Attributes
    ----------
    warp_probability : float
        Chance of scaling and turning by resampling. The other views keep their pixels untouched, so the
        network also meets the camera's own noise, which interpolation smooths.
    scale : tuple of float
        Magnification, drawn on a logarithmic scale.
    turn_degrees : float
        Largest turn to either side, before quarter turns and mirrors.
    polarity_probability : float
        Chance to turn bright beads dark and dark ones bright.
    contrast, gamma : tuple of float
        Factor and exponent on the distance to the background, drawn on a logarithmic scale.
    offset : float
        Largest shift of the brightness to either side.
    noise : float
        Largest standard deviation of added Gaussian noise.
    blur_probability, blur_px : float
        Chance of a Gaussian blur, and its largest standard deviation.
    """

    warp_probability: float = 0.6
    scale: tuple[float, float] = (0.7, 1.4)
    turn_degrees: float = 20.0
    polarity_probability: float = 0.5
    contrast: tuple[float, float] = (0.7, 1.4)
    gamma: tuple[float, float] = (0.8, 1.25)
    offset: float = 0.1
    noise: float = 0.08
    blur_probability: float = 0.15
    blur_px: float = 1.0


def crop(image: Floats, labels: Labels, size: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
    """Cut a random square from an image and its labels; a smaller image is mirrored to fill it.

    Parameters
    ----------
    image, labels : ndarray, shape (H, W)
        The normalised image and its labels.
    size : int
        Edge of the square, px.
    rng : numpy.random.Generator
        Chooses the place.

    Returns
    -------
    image, labels : ndarray, shape (size, size)
    """
    image, labels = _grown(image, size), _grown(labels, size)
    top = int(rng.integers(image.shape[0] - size + 1))
    left = int(rng.integers(image.shape[1] - size + 1))
    window = slice(top, top + size), slice(left, left + size)
    return image[window], labels[window]


def move(
    image: Floats, labels: Labels, size: int, rng: np.random.Generator, augmentation: Augmentation
) -> tuple[Floats, Labels]:
    """Cut a random square, resized, turned and mirrored.

    Parameters
    ----------
    image, labels : ndarray, shape (H, W)
        The normalised image and its labels.
    size : int
        Edge of the square, px.
    rng : numpy.random.Generator
        Draws the view.
    augmentation : Augmentation
        The ranges to draw from.

    Returns
    -------
    image, labels : ndarray, shape (size, size)
        Labels hold no number that was not there before.
    """
    if rng.random() < augmentation.warp_probability:
        image, labels = _warped(image, labels, size, rng, augmentation)
    else:
        image, labels = crop(image, labels, size, rng)
    quarter_turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
    image, labels = np.rot90(image, quarter_turns), np.rot90(labels, quarter_turns)
    if mirrored:
        image, labels = image[:, ::-1], labels[:, ::-1]
    return np.ascontiguousarray(image), np.ascontiguousarray(labels)


def shade(image: Floats, rng: np.random.Generator, augmentation: Augmentation) -> Floats:
    """Change the intensities of a normalised image, as another lamp, camera or focus would.

    Parameters
    ----------
    image : ndarray of float32, shape (H, W)
        Normalised; not changed.
    rng : numpy.random.Generator
        Draws the changes.
    augmentation : Augmentation
        The ranges to draw from.

    Returns
    -------
    ndarray of float32, shape (H, W)
        Within the limits of the normalisation.
    """
    if rng.random() < augmentation.polarity_probability:
        image = -image
    exponent = _log_uniform(rng, augmentation.gamma)
    factor = _log_uniform(rng, augmentation.contrast)
    shift = rng.uniform(-augmentation.offset, augmentation.offset)
    # The exponent acts on the distance to the background, so that both polarities are bent alike.
    bent: Floats = np.copysign(np.abs(image) ** np.float32(exponent), image)
    image = bent * np.float32(factor) + np.float32(shift)
    if rng.random() < augmentation.blur_probability:
        image = ndimage.gaussian_filter(image, rng.uniform(0, augmentation.blur_px), truncate=3.0)
    sigma = np.float32(rng.uniform(0, augmentation.noise))
    image = image + sigma * rng.standard_normal(image.shape, dtype=np.float32)
    # The normalisation clips too, so nothing beyond is ever met at inference.
    return np.clip(image, -LIMITS.clip, LIMITS.clip).astype(np.float32, copy=False)


def augmented(
    image: Floats, labels: Labels, size: int, rng: np.random.Generator, augmentation: Augmentation
) -> tuple[Floats, Labels]:
    """Move, then shade: one random view of a tile, shape (size, size)."""
    image, labels = move(image, labels, size, rng, augmentation)
    return shade(image, rng, augmentation), labels


def _warped(
    image: Floats, labels: Labels, size: int, rng: np.random.Generator, augmentation: Augmentation
) -> tuple[Floats, Labels]:
    scale = _log_uniform(rng, augmentation.scale)
    angle = np.deg2rad(rng.uniform(-augmentation.turn_degrees, augmentation.turn_degrees))
    # Output to input coordinates, so only the pixels that are kept are computed.
    turn = np.array(((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle)))) / scale
    # The view's centre stays where the whole view lies in the image, if it fits there at all.
    half = np.abs(turn).sum(1) * (size - 1) / 2
    middle = (np.array(image.shape) - 1) / 2
    freedom = np.maximum(middle - half, 0)
    centre = middle + rng.uniform(-1, 1, 2) * freedom
    start = centre - turn @ np.full(2, (size - 1) / 2)

    grid: dict[str, Any] = {"matrix": turn, "offset": start, "output_shape": (size, size), "mode": "mirror"}
    seen: Floats = ndimage.affine_transform(image, order=1, **grid)
    # A label between two labels would be a third bead: the nearest pixel's is taken.
    named: Labels = ndimage.affine_transform(labels, order=0, **grid)
    return seen, named


def _grown(plane: NDArray[Any], size: int) -> NDArray[Any]:
    missing = [max(0, size - length) for length in plane.shape]
    if not any(missing):
        return plane
    return np.pad(plane, [(gap // 2, gap - gap // 2) for gap in missing], mode="reflect")


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]))))
