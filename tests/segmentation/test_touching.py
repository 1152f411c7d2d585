"""Groups of touching beads are the connected parts of the foreground, pixel by pixel."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from beadctl.segmentation.touching import group_sizes, pairs

LABELS = arrays(np.uint32, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 4))


def connected(image):
    """Give each 8-connected part of each label a label of its own."""
    result, count = np.zeros_like(image), 0
    for label in np.unique(image[image > 0]):
        parts, found = ndimage.label(image == label, np.ones((3, 3)))
        result[parts > 0] = parts[parts > 0] + count
        count += found
    return result


@given(LABELS)
def test_sizes_are_those_of_the_connected_foreground(image):
    labels = connected(image)
    parts, count = ndimage.label(labels > 0, np.ones((3, 3)))
    expected = [len(np.unique(labels[parts == part])) for part in range(1, count + 1)]
    beads = np.unique(labels[labels > 0]).astype(np.int64)
    assert Counter(group_sizes(labels, beads).tolist()) == Counter(expected)
    # Labels with gaps give the same groups.
    assert Counter(group_sizes(labels * 7, beads * 7).tolist()) == Counter(expected)


@given(LABELS)
def test_pairs_are_those_of_every_pixel_and_its_neighbours(image):
    expected = set()
    for (y, x), label in np.ndenumerate(image):
        around = image[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
        expected |= {tuple(sorted((int(label), int(other)))) for other in around.flat if other != label}
    assert {tuple(pair) for pair in pairs(image).tolist()} == {pair for pair in expected if 0 not in pair}


def test_the_largest_labels():
    assert pairs(np.array([[2**32 - 1, 2**32 - 2]], np.uint32)).tolist() == [[2**32 - 2, 2**32 - 1]]
