"""The beads that a model finds in an image, against which masks are held."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.audit.detections import Detections
from beadctl.images import InMemory
from beadctl.model.session import Model
from beadctl.segmentation.plane import SegmentOptions, segment_plane

# Confidence from which on a bead may contradict a mask; what is counted has more.
DOUBTFUL_CONFIDENCE = 0.45


def finder(model: Model, options: SegmentOptions) -> Callable[[NDArray[Any], bool], Detections]:
    """Return what finds beads in an image, given its pixels and whether doubtful beads are wanted too.

    Parameters
    ----------
    model : Model
        The opened model.
    options : SegmentOptions
        How planes become beads.
    """
    doubting = replace(options, min_confidence=min(options.min_confidence, DOUBTFUL_CONFIDENCE))

    def find(pixels: NDArray[Any], doubtful: bool) -> Detections:
        found = segment_plane(InMemory(pixels), model, doubting if doubtful else options)
        confidence = np.zeros(int(found.labels.max()) + 1)
        confidence[found.table.label] = found.table.confidence
        return Detections(found.labels, confidence)

    return find
