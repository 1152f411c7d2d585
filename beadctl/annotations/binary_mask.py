"""Masks of two values, or with grey rims: each connected part is a bead."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl.annotations.canvas import Labelled, Remark

EIGHT = np.ones((3, 3), bool)
# Grey levels of an 8-bit mask: from WHITE on a bead's inside, below RIPPLE nothing but compression.
WHITE, RIPPLE = 224, 32
# How the remark on a mask begins that is not of two values.
GREY = "grey mask"


def is_binary(values: NDArray[Any]) -> bool:
    """Whether an array has two values, or is 8-bit grey whose bright side is near 255.

    The latter is what anti-aliasing and JPEG leave of a mask.
    """
    if values.dtype == bool:
        return True
    highest = float(values.max())
    if not ((values > 0) & (values < highest)).any():
        return True
    if not WHITE <= highest <= 255:
        return False
    # Of a label image with some 255 beads each value has a small share; a grey mask is white but for the
    # rims of its beads and, around them, the faint ripples of JPEG.
    return bool(np.count_nonzero(values >= WHITE) > 0.5 * np.count_nonzero(values >= RIPPLE))


def parts(values: NDArray[Any]) -> Labelled:
    """Cut a mask above half its highest value; each 8-connected part becomes a bead.

    Beads that the mask merges stay merged.

    Parameters
    ----------
    values : ndarray, shape (H, W)
        Not negative.
    """
    threshold = float(values.max()) / 2
    labels, _ = ndimage.label(values > threshold, structure=EIGHT)
    kind = GREY if ((values > 0) & (values < 2 * threshold)).any() else "binary mask"
    words = f"{kind}: above {threshold:g}, half its highest value, each 8-connected part is a bead"
    return Labelled(np.asarray(labels, np.uint32), (Remark(words, doubtful=False),))
