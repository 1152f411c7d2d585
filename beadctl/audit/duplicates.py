"""Fingerprints of images and masks, to find equal images and the image that a mask belongs to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]
SIDE = 32
# Correlation of two fingerprints from which on two images count as duplicates.
DUPLICATE = 0.97
# Fingerprints that are compared with all others at a time.
BLOCK = 512


@dataclass(frozen=True)
class ImageFingerprint:
    """A summary of a pair of 3 kB.

    Attributes
    ----------
    shape : tuple of int
        Height and width of the image, px.
    grey, detail, outline : ndarray of int8, shape (32, 32)
        In each part: the high-pass filtered image, how much it changes, and how much outline the mask has.
    """

    shape: tuple[int, int]
    grey: NDArray[np.int8]
    detail: NDArray[np.int8]
    outline: NDArray[np.int8]


def image_fingerprint(pixels: NDArray[Any], labels: NDArray[np.uint32]) -> ImageFingerprint:
    """Return the fingerprint of an image in any dtype and its label image, both (H, W)."""
    image = np.nan_to_num(pixels.astype(np.float32), posinf=0.0, neginf=0.0)
    change = np.abs(np.diff(image, axis=0, append=image[-1:]))
    change += np.abs(np.diff(image, axis=1, append=image[:, -1:]))
    outline = np.zeros(labels.shape, np.float32)
    outline[:-1] += labels[:-1] != labels[1:]
    outline[:, :-1] += labels[:, :-1] != labels[:, 1:]
    grey = _reduced(image)
    return ImageFingerprint(
        (int(pixels.shape[0]), int(pixels.shape[1])),
        _quantised(grey - ndimage.gaussian_filter(grey, 3.0)),
        _quantised(_reduced(np.sqrt(change))),
        _quantised(_reduced(outline)),
    )


def find_duplicates(fingerprints: Sequence[ImageFingerprint | None]) -> dict[int, int]:
    """Return indices of images that equal or nearly equal an earlier one, each with that of the first such.

    Parameters
    ----------
    fingerprints : sequence of ImageFingerprint or None
        One a pair; None for pairs that cannot be read.
    """
    known = [(index, item) for index, item in enumerate(fingerprints) if item]
    grey = _unit_rows([item.grey for _, item in known])
    found: dict[int, int] = {}
    for start in range(0, len(known), BLOCK):
        alike = grey[start : start + BLOCK] @ grey[: start + BLOCK].T > DUPLICATE
        for row, column in np.argwhere(alike).tolist():
            (later, one), (earlier, other) = known[start + row], known[column]
            if earlier < later and one.shape == other.shape:
                found.setdefault(later, earlier)
    return found


def likely_owners(
    fingerprints: Sequence[ImageFingerprint | None], masks: Collection[int], most: int = 5
) -> dict[int, list[int]]:
    """Return for each mask the images of its shape whose detail correlates best with its outlines.

    Parameters
    ----------
    fingerprints : sequence of ImageFingerprint or None
        As for `find_duplicates`.
    masks, most : collection of int, int
        Indices of the masks, and most images a mask, the likeliest first; its own is not among them.
    """
    found: dict[int, list[int]] = {}
    wanted = [(index, item) for index in sorted(masks) if (item := fingerprints[index])]
    known = [(index, item) for index, item in enumerate(fingerprints) if item]
    numbers, shapes = np.array([index for index, _ in known]), np.array([item.shape for _, item in known])
    detail = _unit_rows([item.detail for _, item in known])
    for start in range(0, len(wanted), BLOCK):
        block = wanted[start : start + BLOCK]
        scores = _unit_rows([item.outline for _, item in block]) @ detail.T
        for (index, item), score in zip(block, scores, strict=True):
            score[(shapes != item.shape).any(axis=1) | (numbers == index)] = -np.inf
            best = np.argsort(-score, kind="stable")[:most]
            found[index] = numbers[best[np.isfinite(score[best])]].tolist()
    return found


def _reduced(image: Floats) -> Floats:
    """Return the means of 32 x 32 parts, equal in size to a pixel."""
    for axis in (0, 1):
        starts = np.linspace(0, image.shape[axis], SIDE, endpoint=False).astype(np.intp)
        counts = np.maximum(np.diff(np.append(starts, image.shape[axis])), 1)
        total = np.add.reduceat(image, starts, axis=axis)
        image = np.asarray(total / (counts[:, None] if axis == 0 else counts), np.float32)
    return image


def _quantised(part: Floats) -> NDArray[np.int8]:
    centred = part - part.mean()
    scaled = np.rint(centred * (32.0 / max(float(centred.std()), 1e-12)))
    return np.asarray(np.clip(scaled, -127, 127), np.int8)


def _unit_rows(parts: Sequence[NDArray[np.int8]]) -> Floats:
    """Return the maps as rows of unit length, so that products of rows are correlations."""
    rows = np.array(parts, np.float32).reshape(len(parts), SIDE * SIDE)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-6), np.float32)
