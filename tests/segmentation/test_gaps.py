"""Areas without values are no part of the field; bad pixels, rows and columns are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from beadctl import scratch
from beadctl.errors import ImageError
from beadctl.segmentation.gaps import outside_gaps

HOLES = arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 9)))


@given(holes=HOLES, rows=st.integers(1, 5))
def test_it_is_the_opening_of_the_whole_plane_whatever_the_bands(holes, rows):
    image = np.where(holes, np.nan, 1.0)
    gaps = ndimage.binary_opening(holes, np.ones((3, 3)))
    with pytest.MonkeyPatch.context() as patch:
        whole, width = scratch.bands, holes.shape[1]
        patch.setattr(scratch, "bands", lambda *shape: whole(*shape, px=rows * width))
        if gaps.all():
            with pytest.raises(ImageError, match="no pixel with a value"):
                outside_gaps(image, None)
            return
        found = outside_gaps(image, None)
    if gaps.any():
        np.testing.assert_array_equal(found, ~gaps)
    else:
        assert found is None


def test_a_region_loses_its_part_of_a_gap_and_stays_as_it_is():
    image = np.zeros((9, 9), np.float32)
    image[:4] = np.nan
    region = np.zeros((9, 9), bool)
    region[2:, 2:] = True
    found = outside_gaps(image, region)
    assert (int(found.sum()), int(region.sum())) == (5 * 7, 7 * 7)
    region[4:] = False
    with pytest.raises(ImageError, match="no pixel with a value"):
        outside_gaps(image, region)


def test_images_of_whole_numbers_and_without_gaps_keep_the_region():
    region = np.zeros((9, 9), bool)
    for image in (np.zeros((9, 9), np.uint16), np.zeros((9, 9)), np.full((9, 9), np.inf)):
        assert outside_gaps(image, region) is region
        assert outside_gaps(image, None) is None
