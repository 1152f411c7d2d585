"""Augmentation: random crops, rotations, sizes, intensities and polarities of a tile.

Geometry changes image and labels together, intensity the image alone. Intensities are in units of the
normalisation. Nothing is clipped, as the channels of the network are made afterwards.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl.images import InputName

Floats = NDArray[np.float32]
Labels = NDArray[Any]
View = tuple[Floats, Labels, NDArray[np.bool_]]


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random views of a tile; probabilities per view, ranges drawn uniformly.

    Attributes
    ----------
    warp_probability : float
        Of scaling and rotation by resampling. The other views keep their pixel values, so the network also
        learns the camera's noise, which interpolation smooths.
    scale : tuple of float
        Magnification, drawn on a logarithmic scale.
    turn_degrees : float
        Largest rotation to either side, before quarter turns and mirrors.
    polarity_probability : float
        Of inverting the image: bright beads become dark and dark ones bright.
    contrast, gamma : tuple of float
        Factor and exponent on the distance to 0, drawn on a logarithmic scale.
    offset, noise : float
        Largest shift of the brightness to either side, and standard deviation of added Gaussian noise.
    blur_probability, blur_px : float
        Probability of a Gaussian blur, and its largest standard deviation.
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


# What lies at the ends of the range depends on what else is in the image, so networks must not rely on it.
AUGMENTATIONS = {
    InputName.LOCAL: Augmentation(contrast=(0.5, 1.6), offset=0.5),
    InputName.MEDIAN: Augmentation(),
}


def crop(image: Floats, labels: Labels, size: int, rng: np.random.Generator) -> View:
    """Cut a random square from an image and its labels; a smaller image is mirrored to fill it.

    Parameters
    ----------
    image, labels : ndarray, shape (H, W)
        The normalised image and its labels.
    size : int
        Edge of the square, px.
    rng : numpy.random.Generator
        Draws the place.

    Returns
    -------
    image, labels, inside : ndarray, shape (size, size)
        The last is True for pixels of the image, and False for mirrored ones.
    """
    inside = _grown(np.ones(image.shape, np.bool_), size, mode="constant")
    image, labels = _grown(image, size), _grown(labels, size)
    top = int(rng.integers(image.shape[0] - size + 1))
    left = int(rng.integers(image.shape[1] - size + 1))
    window = slice(top, top + size), slice(left, left + size)
    return image[window], labels[window], inside[window]


def move(
    image: Floats, labels: Labels, size: int, rng: np.random.Generator, augmentation: Augmentation
) -> View:
    """Cut a random square, resized, rotated and mirrored; every label occurs in the given ones.

    Parameters
    ----------
    image, labels, size, rng
        As for `crop`.
    augmentation : Augmentation
        The ranges to draw from.
    """
    if rng.random() < augmentation.warp_probability:
        view = _warped(image, labels, size, rng, augmentation)
    else:
        view = crop(image, labels, size, rng)
    quarter_turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
    image, labels, inside = (
        np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)
        for turned in (np.rot90(plane, quarter_turns) for plane in view)
    )
    return image, labels, inside


def shade(image: Floats, rng: np.random.Generator, augmentation: Augmentation) -> Floats:
    """Change the intensities of a normalised image, as other illumination, camera or focus would.

    Returns float32 (H, W); the given image is not changed. Parameters are those of `move`.
    """
    if rng.random() < augmentation.polarity_probability:
        image = -image
    exponent = _log_uniform(rng, augmentation.gamma)
    factor = _log_uniform(rng, augmentation.contrast)
    shift = rng.uniform(-augmentation.offset, augmentation.offset)
    # The exponent acts on the distance to 0, alike for both polarities.
    curved: Floats = np.copysign(np.abs(image) ** np.float32(exponent), image)
    image = curved * np.float32(factor) + np.float32(shift)
    if rng.random() < augmentation.blur_probability:
        image = ndimage.gaussian_filter(image, rng.uniform(0, augmentation.blur_px), truncate=3.0)
    sigma = np.float32(rng.uniform(0, augmentation.noise))
    image = image + sigma * rng.standard_normal(image.shape, dtype=np.float32)
    return image.astype(np.float32, copy=False)


def augmented(
    image: Floats, labels: Labels, size: int, rng: np.random.Generator, augmentation: Augmentation
) -> View:
    """Return one random view of a tile, (size, size): `move`, then `shade`; parameters are theirs."""
    image, labels, inside = move(image, labels, size, rng, augmentation)
    return shade(image, rng, augmentation), labels, inside


def _warped(
    image: Floats, labels: Labels, size: int, rng: np.random.Generator, augmentation: Augmentation
) -> View:
    scale = _log_uniform(rng, augmentation.scale)
    angle = np.deg2rad(rng.uniform(-augmentation.turn_degrees, augmentation.turn_degrees))
    # From output to input coordinates.
    turn = np.array(((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle)))) / scale
    # Centres of views that lie within the image, where one fits.
    half = np.abs(turn).sum(1) * (size - 1) / 2
    middle = (np.array(image.shape) - 1) / 2
    freedom = np.maximum(middle - half, 0)
    centre = middle + rng.uniform(-1, 1, 2) * freedom
    start = centre - turn @ np.full(2, (size - 1) / 2)

    grid: dict[str, Any] = {"matrix": turn, "offset": start, "output_shape": (size, size), "mode": "mirror"}
    view: Floats = ndimage.affine_transform(image, order=1, **grid)
    # Nearest neighbour: an interpolated label would be another bead.
    view_labels: Labels = ndimage.affine_transform(labels, order=0, **grid)
    return view, view_labels, _inside(turn, start, size, image.shape)


def _inside(
    turn: NDArray[np.float64], start: NDArray[np.float64], size: int, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return which pixels of a view, from output to input coordinates, lie in an image of this shape."""
    steps, inside = np.arange(size), np.ones((size, size), np.bool_)
    for (down, right), first, length in zip(turn, start, shape, strict=True):
        place = first + down * steps[:, None] + right * steps
        inside &= (place > -0.5) & (place < length - 0.5)
    return inside


def _grown(plane: NDArray[Any], size: int, mode: Literal["reflect", "constant"] = "reflect") -> NDArray[Any]:
    missing = [max(0, size - length) for length in plane.shape]
    if not any(missing):
        return plane
    return np.pad(plane, [(gap // 2, gap - gap // 2) for gap in missing], mode=mode)


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]))))
