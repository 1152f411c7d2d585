"""Binary masks, of two values or with grey rims: each connected part is a bead."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl.annotations.canvas import Labelled, Load, Remark
from beadctl.annotations.formats.labels import read_mask
from beadctl.annotations.head import Head
from beadctl.images import IMAGE_SUFFIXES

SUFFIXES = IMAGE_SUFFIXES
GREY = "grey mask"
"""First words of the remark on a mask with more than two values."""


@dataclass(frozen=True)
class GreyMaskRule:
    """How an 8-bit mask with grey rims, from anti-aliasing or JPEG, is told from a label image.

    ======  =====  ===========  ============================================================
    name    value  unit         why
    ======  =====  ===========  ============================================================
    white   224    grey levels  a bead's interior is at least this bright
    ripple  32     grey levels  darker values are JPEG artefacts around a bead
    share   0.5    share        of white above `ripple`; labels up to 255 are spread equally
    flat    0.95   share        of the ends of grey beads that are without a rim: above 0.98 in a
                                part of a label image, whose labels may all be white, else 0.9
    ======  =====  ===========  ============================================================
    """

    white: int = 224
    ripple: int = 32
    share: float = 0.5
    flat: float = 0.95


RULE = GreyMaskRule()


def detects(head: Head) -> bool:
    """Return False: an image is detected as a label image, and `formats.auto` looks at its values."""
    return False


def by_image(head: Head, diameter_px: float | None) -> dict[str, Load]:
    """Return how to read each image's annotation; see `AnnotationReader.by_image`."""
    return {"": partial(_read, head.path)}


def _read(path: Path, shape: tuple[int, int]) -> Labelled:
    return parts(read_mask(path, shape).values)


def is_binary(values: NDArray[Any]) -> bool:
    """Whether an image of values of at least 0 has two values, or grey rims and is mostly near 255."""
    if values.dtype == bool:
        return True
    highest = float(values.max())
    if not ((values > 0) & (values < highest)).any():
        return True
    if not RULE.white <= highest <= 255:
        return False
    white, marked = np.count_nonzero(values >= RULE.white), np.count_nonzero(values >= RULE.ripple)
    return bool(white > RULE.share * marked) and not _is_flat(values, highest)


def _is_flat(values: NDArray[Any], highest: float) -> bool:
    """Return whether grey beads have no rims: where one ends in a row, its last two pixels are equal."""
    ends = alike = 0
    for row in (values, values[:, ::-1]):
        outside, last, within = row[:, :-2], row[:, 1:-1], row[:, 2:]
        end = (outside == 0) & (last > 0) & (within > 0) & (np.minimum(last, within) < highest)
        ends += int(np.count_nonzero(end))
        alike += int(np.count_nonzero(end & (last == within)))
    return alike > RULE.flat * ends


def parts(values: NDArray[Any]) -> Labelled:
    """Return the 8-connected parts of a mask of values of at least 0, thresholded at half the highest."""
    threshold = float(values.max()) / 2
    labels, _ = ndimage.label(values > threshold, structure=np.ones((3, 3), bool))
    kind = GREY if ((values > 0) & (values < 2 * threshold)).any() else "binary mask"
    words = f"{kind}: above {threshold:g}, half its highest value, each 8-connected part is a bead"
    remark = Remark(words, doubtful=False, remedy="a label image of one bead takes --annotations labels")
    # Without beads there is nothing to know of the threshold.
    remarks = (remark,) if threshold else ()
    return Labelled(np.asarray(labels, np.uint32), remarks)
