"""Pictures to judge a segmentation by eye: the outlines of the beads over the image."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.files import atomic
from beadctl.images import Plane
from beadctl.results.formats import plane_names
from beadctl.segmentation.plane import Segmented

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST_PX = 4096
OUTLINES = ((255, 64, 64), (64, 220, 64), (80, 140, 255), (255, 200, 0), (255, 80, 255), (0, 220, 220))
GREYS = 256 - len(OUTLINES)

# A picture of one byte a pixel with its colours aside is written four times faster than red, green and blue.
PALETTE = np.concatenate(
    (np.repeat(np.linspace(0, 255, GREYS).round()[:, None], 3, axis=1), np.array(OUTLINES))
).astype(np.uint8)


def paths(image: PurePosixPath, planes: int) -> list[PurePosixPath]:
    """Return one picture a plane."""
    folder = PurePosixPath("overlays") / image.parent
    return [folder / f"{name}_overlay.png" for name in plane_names(image, planes)]


def encode(image: NDArray[Any], segmented: Segmented, plane: Plane) -> NDArray[np.uint8]:
    """Paint a plane; see `paint`."""
    del plane
    return paint(image, segmented.labels, segmented.inside)


def paint(
    image: NDArray[Any], labels: NDArray[np.uint32], inside: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """Return the image in grey, each bead's outline in one of six colours: rows of `PALETTE`, uint8 (h, w).

    Neighbours seldom share a colour, because labels run in raster order. The grey levels span the
    0.5 to 99.5 % percentiles: for the eye only. A plane larger than 4096 px is thinned to that.

    Parameters
    ----------
    image, labels : ndarray, shape (H, W)
        Pixels of the plane in any dtype, and its label image, uint32.
    inside : ndarray of bool, shape (H, W), optional
        Where beads are counted: the rest is drawn at half its brightness, behind a white line.
    """
    step = -(-max(image.shape) // LARGEST_PX)
    image, labels = _thinned(image, step), _thinned(labels, step)
    sample = image[:: max(1, image.shape[0] // 512), :: max(1, image.shape[1] // 512)].astype(np.float32)
    sample = sample[np.isfinite(sample)]
    low, high = np.percentile(sample, [0.5, 99.5]) if sample.size else (0.0, 1.0)
    span = max(float(high - low), 1e-12)
    # Clipped before it is scaled, so that an infinite pixel overflows nothing; a NaN is drawn black.
    clipped = np.clip(np.nan_to_num(image.astype(np.float32), nan=low, posinf=high, neginf=low), low, high)
    greys = (clipped - np.float32(low)) * np.float32((GREYS - 1) / span)
    picture: NDArray[np.uint8] = np.clip(greys, 0, GREYS - 1).astype(np.uint8)
    if inside is not None:
        inside = _thinned(inside, step)
        picture[~inside] //= 2
        picture[_at_change(inside) & inside] = GREYS - 1
    outline = np.flatnonzero(_at_change(labels) & (labels > 0))
    picture.ravel()[outline] = GREYS + labels.ravel()[outline] % len(OUTLINES)
    return picture


def _thinned(plane: NDArray[Any], step: int) -> NDArray[Any]:
    """Return every so many rows and columns of a plane."""
    if step == 1:
        return plane
    parts = []
    for rows in scratch.bands(-(-len(plane) // step), plane.shape[1]):
        parts.append(plane[rows.start * step : rows.stop * step : step, ::step].copy())
        scratch.release(plane)
    return np.concatenate(parts)


def _at_change(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the pixels that have a neighbour of another value, above, below, left or right."""
    change = np.zeros(values.shape, bool)
    change[:, 1:] |= values[:, 1:] != values[:, :-1]
    change[:, :-1] |= values[:, :-1] != values[:, 1:]
    change[1:] |= values[1:] != values[:-1]
    change[:-1] |= values[:-1] != values[1:]
    return change


def write(paths: Sequence[Path], planes: Sequence[NDArray[np.uint8]]) -> None:
    """Write the pictures as PNG, each whole or not at all."""
    for path, picture in zip(paths, planes, strict=True):
        with atomic(path) as temporary:
            coloured(picture).save(temporary, format="PNG", compress_level=1)


def coloured(picture: NDArray[np.uint8]) -> "Image":
    """Return a picture with its palette, ready to be saved."""
    from PIL import Image

    image = Image.fromarray(picture)
    image.putpalette(PALETTE.tobytes())
    return image
