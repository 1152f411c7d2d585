"""Label images as a run hands them to the writers of its outputs."""

from pathlib import Path

import numpy as np
from scipy import ndimage

from beadctl.images import Plane
from beadctl.segmentation.measure import measure
from beadctl.segmentation.plane import Segmented


def plane_of(labels, position="", pixel_size_um=None, z_step_um=None, *, index=0, name="a.tif"):
    """Return a plane of the size of a label image."""
    facts = {"source": None, "conversion": None, "z_step_um": z_step_um}
    return Plane(Path(name), index, position, *labels.shape, labels.dtype, pixel_size_um, **facts)


def segmented(labels, image=None, probability=None):
    """Return a label image and its measurements."""
    return Segmented(labels, measure(labels, image, probability), probability=probability)


def ragged(seed, height, width, share):
    """Return a label image of ragged objects, with holes and touching by corners: harder than beads."""
    noise = np.random.default_rng(seed).random((height, width)) < share
    return ndimage.label(noise, np.ones((3, 3)))[0].astype(np.uint32)
