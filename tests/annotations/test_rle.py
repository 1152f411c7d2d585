"""Run lengths of COCO."""

import numpy as np
import pycocotools.mask
from helpers import annotating
from hypothesis import given
from hypothesis import strategies as st

from beadctl.annotations.rle import compressed, pixels


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=9))
def test_run_lengths_of_any_mask(rows):
    mask = np.array(rows)
    for counts in (annotating.runs(mask), annotating.compressed(annotating.runs(mask))):
        found = np.zeros_like(mask)
        found[pixels(counts, list(mask.shape), mask.shape)] = True
        np.testing.assert_array_equal(found, mask)


def test_compressed_run_lengths_are_those_of_the_coco_api():
    """Strings that pycocotools 2.0.11 wrote: a pixel, and an ellipse with a hole."""
    y, x = np.indices((30, 40))
    ring = (((y - 14) / 9) ** 2 + ((x - 20) / 14) ** 2 <= 1) & ((y - 12) ** 2 + (x - 17) ** 2 > 9)
    corner = np.zeros((10, 10), bool)
    corner[0, 0] = True
    text = "R61j06L2N2N2O0O2O0OGC4<JH48LH48KJ46MH48LH47OE4;610000000001N101N101N2N2N4J[4"
    for mask, squeezed in ((corner, "01S3"), (ring, text)):
        found = np.zeros_like(mask)
        found[pixels(squeezed, list(mask.shape), mask.shape)] = True
        np.testing.assert_array_equal(found, mask)
        assert annotating.compressed(annotating.runs(mask)) == squeezed


@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 30), st.integers(0, 9), st.integers(0, 40))
def test_a_part_of_an_image_is_compressed_as_by_the_coco_api(seed, height, width, top, left):
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    mask[0, 0] = True
    whole = np.zeros((height + top + seed % 3, width + left + seed % 2), np.uint8, order="F")
    whole[top : top + height, left : left + width] = mask
    expected = pycocotools.mask.encode(whole)["counts"].decode()
    assert compressed(mask, top, left, whole.shape) == expected
