"""The passes of the marker map between neighbouring basins of a plane."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.segmentation.watershed import Flat


def passes_of(
    labels: NDArray[np.uint32], of_number: Flat, size: int, marker: NDArray[np.uint8] | None
) -> tuple[Flat, Flat]:
    """Return pairs of neighbouring basins, (N, 2), and the heights of their passes, (N,), highest first."""
    found = [np.empty(0, np.intp)]
    for rows in scratch.bands(*labels.shape):
        # A band has the first row of the next, to which its last one has neighbours.
        band = slice(rows.start, rows.stop + 1)
        for one, other, height in _borders(labels[band], None if marker is None else marker[band]):
            first, second = of_number[one], of_number[other]
            apart = first != second
            first, second = first[apart], second[apart]
            pair = np.minimum(first, second) * size + np.maximum(first, second)
            found.append(_highest(pair * 256 + height[apart]))
        scratch.release(labels, *(() if marker is None else (marker,)))
    pair, height = np.divmod(_highest(np.concatenate(found)), 256)
    order = np.argsort(-height, kind="stable")
    return np.stack(np.divmod(pair[order], size), axis=1), height[order]


def _borders(labels: NDArray[np.uint32], marker: NDArray[np.uint8] | None) -> Iterator[tuple[Any, Any, Any]]:
    """Yield by direction the numbers of neighbouring pixels that differ, and the lower marker of both."""
    number = np.pad(labels, ((0, 1), (1, 1))).ravel()
    level = None if marker is None else np.pad(marker, ((0, 1), (1, 1))).ravel()
    pixels = np.flatnonzero(number)
    own = number[pixels]
    width = labels.shape[1] + 2
    for step in (1, width, width + 1, width - 1):
        other = number[pixels + step]
        met = np.flatnonzero((other != own) & (other > 0))
        height = np.zeros(met.size, np.intp)
        if level is not None:
            height += np.minimum(level[pixels[met]], level[pixels[met] + step])
        yield own[met], other[met], height


def _highest(coded: Flat) -> Flat:
    """Keep of each pair the one of the greatest height."""
    coded = np.unique(coded)
    pair = coded // 256
    return np.asarray(coded[np.append(pair[1:] != pair[:-1], True)[: len(pair)]], np.intp)
