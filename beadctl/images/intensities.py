"""What is measured of a plane: the numbers in the file, and which pixels have the camera's top grey level."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

    The top level is that of 8, 10, 12, 14 or 16 bits, if the samples reach it; of 10, 12 and 14 bits also as
    the upper bits of 16.

    Parameters
    ----------
    samples : sequence of ndarray, each of shape (H, W)
        Colours of the pixels, or their grey levels alone.
    """
    first = samples[0]
    if first.dtype.kind in "uif" and first.size:
        top = max(sample.max() for sample in samples)
        shift = _SHIFTS.get(int(top), 0) if first.dtype.kind in "ui" else 0
        if top in _TOP_LEVELS or (shift and not any((s & (2**shift - 1)).any() for s in samples)):
            return np.asarray(np.logical_or.reduce([sample == top for sample in samples]))
    return np.zeros(first.shape, dtype=bool)
