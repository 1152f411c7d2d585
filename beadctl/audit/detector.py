"""Detection of the beads in an image by a model, to compare masks with."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.audit.check import Detector
from beadctl.audit.detections import Detections
from beadctl.images import InMemory
from beadctl.model.session import Model
from beadctl.segmentation.filters import Filters
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import segment_plane

# Minimum confidence of a bead that may contradict a mask; beads that are counted need more.
LOW_CONFIDENCE = 0.65


def bead_detector(model: Model, options: SegmentOptions) -> Detector:
    """Return a function that detects the beads in an image with a model, those that filters leave out too."""
    options = replace(options, filters=Filters())
    sensitive = replace(options, min_confidence=min(options.min_confidence, LOW_CONFIDENCE), classifier=None)

    def detect(pixels: NDArray[Any], *, low_confidence: bool) -> Detections:
        segmented = segment_plane(InMemory(pixels), model, sensitive if low_confidence else options)
        confidence = np.zeros(int(segmented.labels.max()) + 1)
        confidence[segmented.table.label] = segmented.table.confidence
        return Detections(segmented.labels, confidence)

    return detect
