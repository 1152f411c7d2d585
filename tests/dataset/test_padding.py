"""Label images padded by reflection."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from beadctl.dataset.padding import padded


@given(st.integers(3, 30), st.integers(3, 30), st.data())
def test_padding_mirrors_beads_under_numbers_of_their_own(height, width, data):
    labels = np.zeros((height, width), np.uint32)
    for number in range(1, 4):
        y, x = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
        labels[y : y + 2, x : x + 2] = number
    right = padded(labels, ((0, height - 1), (0, width - 1)))
    np.testing.assert_array_equal(right > 0, np.pad(labels, ((0, height - 1), (0, width - 1)), "reflect") > 0)
    np.testing.assert_array_equal(right[:height, :width], labels)
    for number in set(right.ravel()) - set(labels.ravel()):
        y, x = np.nonzero(right == number)
        assert np.ptp(y) < 4
        assert np.ptp(x) < 4
