"""Small prints of images and masks, by which they are compared with all others of a folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SIDE = 32


@dataclass(frozen=True)
class Print:
    """What is kept of a pair to compare it with others: 3 kB.

    Attributes
    ----------
    shape : tuple of int
        Height and width of the image, px.
    grey : ndarray of int8, shape (32, 32)
        The image, thinned and without its slow changes.
    detail : ndarray of int8, shape (32, 32)
        How much the image changes in each part.
    marks : ndarray of int8, shape (32, 32)
        How much outline the mask has in each part.
    """

    shape: tuple[int, int]
    grey: NDArray[np.int8]
    detail: NDArray[np.int8]
    marks: NDArray[np.int8]


def printed(pixels: NDArray[Any], labels: NDArray[np.uint32]) -> Print:
    """Return the print of an image, shape (H, W), and its label image."""
    image = np.nan_to_num(pixels.astype(np.float32), posinf=0.0, neginf=0.0)
    change = np.abs(np.diff(image, axis=0, append=image[-1:])) + np.abs(
        np.diff(image, axis=1, append=image[:, -1:])
    )
    rim = np.zeros(labels.shape, np.float32)
    rim[:-1] += labels[:-1] != labels[1:]
    rim[:, :-1] += labels[:, :-1] != labels[:, 1:]
    grey = _thinned(image)
    return Print(
        (int(pixels.shape[0]), int(pixels.shape[1])),
        _standard(grey - ndimage.gaussian_filter(grey, 3.0)),
        _standard(_thinned(np.sqrt(change))),
        _standard(_thinned(rim)),
    )


def _thinned(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the means of 32 x 32 parts of equal size, but for a pixel."""
    for axis in (0, 1):
        starts = np.linspace(0, image.shape[axis], SIDE, endpoint=False).astype(np.intp)
        counts = np.maximum(np.diff(np.append(starts, image.shape[axis])), 1)
        total = np.add.reduceat(image, starts, axis=axis)
        share = counts[:, None] if axis == 0 else counts[None, :]
        image = np.asarray(total / share, np.float32)
    return image


def _standard(part: NDArray[np.float32]) -> NDArray[np.int8]:
    centred = part - part.mean()
    scaled = np.rint(centred * (32.0 / max(float(centred.std()), 1e-12)))
    return np.asarray(np.clip(scaled, -127, 127), np.int8)
