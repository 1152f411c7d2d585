"""The beads of a plane for a page: outlines as lines, or circles where there is no label image.

Lines stay sharp at any zoom, can be coloured bead by bead, and take fewer bytes than a second picture would.
"""

import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.segmentation.bead_table import FLAGS

# Coordinates are whole numbers of this fraction of a px; outlines pass half-way between pixels.
PARTS_PER_PX = 2
CENTRE_PARTS = 10
DEPARTURE_PX = 0.05


def packed(beads: Iterable[Mapping[str, Any]], labels: NDArray[np.uint32] | None) -> tuple[bytes, int]:
    """Return the beads of a plane as compressed JSON, and how many they are.

    Its lists have an entry a bead: ``label``; ``x`` and ``y``, tenths of a px from the corner of the first
    pixel; ``d``, diameter in tenths of a px; ``c``, confidence in percent, null if unknown; ``f``, flags as
    bits in the order of `FLAGS`; and ``o``, the outline in halves of a px: x and y of its first vertex, then
    the steps to the others. Without ``o``, circles stand for the outlines.

    Parameters
    ----------
    beads : iterable of mapping
        Text by `beadctl.results.ledger.BEAD_COLUMNS`.
    labels : ndarray of uint32, shape (H, W), or None
        Their label image; None for circles.
    """
    columns: dict[str, list[Any]] = {name: [] for name in ("label", "x", "y", "d", "c", "f")}
    for bead in beads:
        columns["label"].append(int(bead["label"]))
        for name, column, shift in (("x", "x_px", 0.5), ("y", "y_px", 0.5), ("d", "diameter_px", 0.0)):
            columns[name].append(round(CENTRE_PARTS * (float(bead[column]) + shift)))
        columns["c"].append(round(100 * float(bead["confidence"])) if bead["confidence"] else None)
        flags = bead["flags"].split()
        columns["f"].append(sum(2**place for place, flag in enumerate(FLAGS) if flag in flags))
    if labels is not None:
        columns["o"] = outlines(labels, columns["label"])
    text = json.dumps(columns, separators=(",", ":"))
    return zlib.compress(text.encode("ascii"), 9), len(columns["label"])


def outlines(labels: NDArray[np.uint32], numbers: Sequence[int]) -> list[list[int]]:
    """Return the outer outline of each of these beads, thinned; empty for one that the label image lacks.

    So few vertices are kept that the line departs from the outline of a disc by about 0.05 px.
    """
    from scipy import ndimage
    from skimage.measure import find_contours

    boxes = ndimage.find_objects(labels.astype(np.int32, copy=False))
    lines: list[list[int]] = []
    for number in numbers:
        box = boxes[number - 1] if number <= len(boxes) else None
        if box is None:
            lines.append([])
            continue
        mask = np.pad(labels[box] == number, 1).astype(np.float32)
        rings = find_contours(mask, 0.5, fully_connected="high")  # type: ignore[no-untyped-call]
        ring = max(rings, key=len)[:-1, ::-1] + np.array([box[1].start, box[0].start]) - 0.5
        # A chord over k of the n vertices of a disc, which are 0.77 px apart, departs by 0.6 k^2 / n px.
        every = max(1, round(math.sqrt(DEPARTURE_PX * len(ring) / 0.6)))
        vertices = np.rint(PARTS_PER_PX * ring[::every]).astype(np.int64)
        lines.append([*vertices[0].tolist(), *np.diff(vertices, axis=0).ravel().tolist()])
    return lines
