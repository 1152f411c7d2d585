"""What is measured of a plane: the numbers in the file, and which pixels have the camera's top grey level."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch

_CAMERA_BITS = (8, 10, 12, 14, 16)
_TOP_LEVELS = {2**bits - 1 for bits in _CAMERA_BITS}
_SHIFTS = {(2**bits - 1) << (16 - bits): 16 - bits for bits in (10, 12, 14)}
"""Top level to shift of cameras that store their bits as the upper ones of 16."""


@dataclass(frozen=True)
class Intensities:
    """Intensities of a plane.

    Attributes
    ----------
    values : ndarray, shape (H, W)
        As stored, where zero is white too; luminance of colours.
    saturated : ndarray of bool, shape (H, W), or None
        Pixels of which a colour has the top grey level; None for the pixels of `values` that have it.
    """

    values: NDArray[Any]
    saturated: NDArray[np.bool_] | None = None


def saturated_pixels(samples: Sequence[NDArray[Any]]) -> NDArray[np.bool_]:
    """Return the pixels of which a sample has the camera's top grey level.

    The top level is that of 8, 10, 12, 14 or 16 bits, if it is the highest value; of 10, 12 and 14 bits
    also as the upper bits of 16.

    Parameters
    ----------
    samples : sequence of ndarray, each of shape (H, W)
        Colours of the pixels, or their grey levels alone.
    """
    pixels = scratch.zeros(samples[0].shape, bool)
    level = top_level(samples)
    if level is not None:
        for rows in scratch.bands(*pixels.shape):
            for sample in samples:
                pixels[rows] |= sample[rows] == level
            scratch.release(pixels, *samples)
    return pixels


def top_level(samples: Sequence[NDArray[Any]]) -> Any:
    """Return the camera's top grey level, or None if the samples do not reach it.

    Parameters are those of `saturated_pixels`.
    """
    kind = samples[0].dtype.kind
    if kind not in "uif" or not samples[0].size:
        return None
    top = max(_highest(sample) for sample in samples)
    if top in _TOP_LEVELS:
        return top
    shift = _SHIFTS.get(int(top), 0) if kind in "ui" else 0
    return top if shift and not any(_uses(sample, 2**shift - 1) for sample in samples) else None


def _highest(sample: NDArray[Any]) -> Any:
    """Return the highest value of a plane, NaN left aside; nan if there is no other."""
    highest = []
    for rows in scratch.bands(*sample.shape):
        highest.append(np.fmax.reduce(sample[rows], axis=None))
        scratch.release(sample)
    return np.fmax.reduce(highest)


def _uses(sample: NDArray[Any], bits: int) -> bool:
    """Return whether a pixel has one of these bits."""
    for rows in scratch.bands(*sample.shape):
        used = bool((sample[rows] & bits).any())
        scratch.release(sample)
        if used:
            return True
    return False
