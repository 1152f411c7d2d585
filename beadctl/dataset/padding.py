"""Label images padded by reflection, in the same way as images."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def padded(
    labels: NDArray[np.uint32], padding: tuple[tuple[int, int], tuple[int, int]]
) -> NDArray[np.uint32]:
    """Pad a label image by reflection, with new labels for reflected beads that do not touch the original.

    A bead at the seam touches its reflection and is one bead with it. `padding` is that of `numpy.pad`, px.
    """
    reflected = np.pad(labels, padding, mode="reflect")
    if not any(any(pair) for pair in padding) or not labels.any():
        return reflected
    result = np.zeros_like(reflected)
    unused = int(labels.max()) + 1
    for number in np.unique(labels[labels > 0]).tolist():
        (window,) = ndimage.find_objects((reflected == number).astype(np.uint8))
        pieces, count = ndimage.label(reflected[window] == number, np.ones((3, 3), bool))
        own = np.unique(pieces[: labels.shape[0] - window[0].start, : labels.shape[1] - window[1].start])
        for piece in range(1, count + 1):
            result[window][pieces == piece] = number if piece in own else unused
            unused += piece not in own
    return result
