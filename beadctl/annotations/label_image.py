"""Label images of other programs, such as Cellpose, StarDist and ImageJ: a number for each bead."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.formats.labels import BY_CLASS, MaskImage, labelled, palette_indices
from beadctl.errors import AnnotationError
from beadctl.images import Plane, Window, open_image

# A label image has more neighbours of one value, and at least so many besides 0; edge of what is looked at.
ALIKE, FEWEST, EDGE_PX = 0.9, 3, 2048


@dataclass(frozen=True)
class LabelImage:
    """The labels of a plane.

    Attributes
    ----------
    labels : ndarray of uint32, shape (H, W)
        0 for background, a number for each bead, as in the file; numbers above 16 million are replaced by
        1, 2, 3 ... in their order.
    shared : int
        How many numbers have pixels at several places, as separate beads would have; each counts as one bead.
    """

    labels: NDArray[np.uint32]
    shared: int = 0


def read_label_image(plane: Plane) -> LabelImage:
    """Read a plane as a label image: its numbers as they are stored, whatever the display shows.

    Parameters
    ----------
    plane : Plane
        Of an image file of any integer type, or of floats that are whole numbers, as ImageJ's 32 bits are.

    Raises
    ------
    ImageError
        If the pixels cannot be decoded.
    AnnotationError
        If it holds colours, fractions, or negative or non-finite values, or no background, or if its numbers
        are not those of beads, as in a picture, a binary mask or a mask by class.
    """
    values = _stored(plane)
    if not np.isfinite(values).all() or values.min() < 0:
        raise AnnotationError("holds negative or non-finite values; labels are 0, 1, 2, 3 ...")
    found = labelled(MaskImage(plane.path, values, is_rgb=False))
    if found.labels.min() > 0:
        raise AnnotationError("is no label image: no pixel is 0, the background; give the label image")
    for remark in found.remarks:
        if BY_CLASS not in remark.words:
            return LabelImage(found.labels, remark.count)
        if np.count_nonzero(np.bincount(found.labels.ravel())) == 2:
            raise AnnotationError(
                "is a binary mask: all its beads have one number; give each its own, as "
                "ImageJ's Analyze Particles does that shows Count Masks"
            )
        raise AnnotationError(
            f"is no label image: of its numbers {remark.count} are at several places, as in a picture or a "
            "mask by class; give a label image, with a number for each bead"
        )
    return LabelImage(found.labels)


def looks_labelled(image: NDArray[Any]) -> bool:
    """Return whether a plane, (H, W), looks like a label image: flat areas of three or more values on 0.

    A picture has noise: of the neighbours in a row that are not 0, fewer than nine tenths are equal. Only the
    middle of a large plane is looked at.

    Examples
    --------
    >>> labels = np.kron(np.array([[0, 1, 0], [2, 0, 3]]), np.ones((20, 20), int))
    >>> looks_labelled(labels), looks_labelled(np.arange(1200).reshape(30, 40))
    (True, False)
    """
    top, left = (max(0, (length - EDGE_PX) // 2) for length in image.shape)
    image = image[top : top + EDGE_PX, left : left + EDGE_PX]
    if image.min() != 0:
        return False
    one, other = image[:, :-1], image[:, 1:]
    beside = (one != 0) & (other != 0)
    alike = np.count_nonzero(beside & (one == other))
    return bool(alike > ALIKE * np.count_nonzero(beside)) and len(np.unique(image)) > FEWEST


def _stored(plane: Plane) -> NDArray[Any]:
    """Return the stored numbers of a plane, those of a palette's entries too."""
    with plane.source.open() as opened:
        samples = opened.read(Window(0, 0, plane.height, plane.width))
    if not plane.conversion.weights or all(np.array_equal(samples[0], other) for other in samples[1:]):
        return samples[0]
    indices = palette_indices(plane.path, open_image(plane.path))
    if indices is None or indices.shape != samples[0].shape:
        raise AnnotationError(
            "holds colours (RGB); a label image has one channel, with labels 0, 1, 2, 3 ..."
        )
    return indices
