"""Label images padded by reflection, as images are."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def padded(
    labels: NDArray[np.uint32], padding: tuple[tuple[int, int], tuple[int, int]]
) -> NDArray[np.uint32]:
    """Pad a label image by reflection, with numbers of their own for the beads that are mirrored apart.

    A bead at the seam meets its mirror image and is one bead with it.

    Parameters
    ----------
    labels : ndarray of uint32, shape (H, W)
        A label image.
    padding : tuple
        As for `numpy.pad`.
    """
    mirrored = np.pad(labels, padding, mode="reflect")
    if not any(any(pair) for pair in padding) or not labels.any():
        return mirrored
    numbers = np.zeros_like(mirrored)
    following = int(labels.max()) + 1
    for number in np.unique(labels[labels > 0]).tolist():
        (place,) = ndimage.find_objects((mirrored == number).astype(np.uint8))
        pieces, count = ndimage.label(mirrored[place] == number, np.ones((3, 3), bool))
        own = np.unique(pieces[: labels.shape[0] - place[0].start, : labels.shape[1] - place[1].start])
        for piece in range(1, count + 1):
            numbers[place][pieces == piece] = number if piece in own else following
            following += piece not in own
    return numbers
