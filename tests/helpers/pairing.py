"""Images to pair, and annotations of several images."""

import numpy as np
import tifffile

from helpers import annotating


def save(path, array):
    """Write an image, and the folder that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, array)


def paired_names(pairing):
    """Return the names of images and annotations, pair by pair."""
    return [(p.image.name, p.truth.name) for p in pairing.samples]


def names(paths):
    """Return the sorted names of files."""
    return sorted(path.name for path in paths)


def found_all(pairing, truths):
    """Return whether there is a pair for each image, with as many beads as its label image."""
    for item in pairing.samples:
        truth = truths[item.image.name]
        assert len(np.unique(item.load(truth.shape).labels)) == len(np.unique(truth)), item
    return len(pairing.samples) == len(truths)


def outlines(images):
    """Return COCO with an outline of each bead of label images, by the names of their images."""
    return annotating.coco(images, lambda mask: [annotating.flat(annotating.borders(mask)[0])])


def centres(labels):
    """Return the centres of beads, (y, x), px."""
    return [np.argwhere(mask).mean(0) for _, mask in annotating.beads(labels)]
