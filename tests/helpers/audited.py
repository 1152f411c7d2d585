"""Images of bright discs with masks, what a detector finds in them, and the faults of a check."""

import numpy as np

from beadctl.audit.detections import Detections
from beadctl.simulate.drawing import circles, outline_labels

SHAPE = (256, 256)


def field(seed=0, count=60, radius_px=5.0, shape=SHAPE, contrast=80.0):
    """Return an image of bright discs on noise, and its label image."""
    rng = np.random.default_rng(seed)
    spots = rng.uniform(8, np.array(shape) - 8, (20 * count, 2))
    kept = []
    for spot in spots:
        if all(np.hypot(*(spot - other)) > 2.6 * radius_px for other in kept) and len(kept) < count:
            kept.append(spot)
    y, x = np.array(kept).T
    labels = outline_labels(circles(y, x, np.full(len(y), radius_px)), shape)
    image = 100 + contrast * (labels > 0) + rng.normal(0, 6, shape)
    return image.astype(np.uint16), labels


def faults(result):
    """Return the faults that a check has found."""
    return {finding.fault for finding in result.findings}


def detects(labels, confidence=0.9):
    """A detector that finds these beads."""
    minimum = {True: 0.0, False: 0.6}

    def detector(_, low_confidence):
        detected = labels if confidence >= minimum[low_confidence] else np.zeros_like(labels)
        return Detections(detected, np.full(int(labels.max()) + 1, confidence))

    return detector
