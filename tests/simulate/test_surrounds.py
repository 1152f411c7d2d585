"""Fields that do not fill the image."""

import numpy as np
import pytest
from scipy import ndimage

from beadctl.simulate.drawing import circles, outline_labels
from beadctl.simulate.surrounds import SURROUNDS, cut_labels, draw_surround, enclose


def test_bead_cut_by_the_edge_keeps_what_is_visible() -> None:
    labels = outline_labels(circles([30.0, 30.0, 30.0], [20.0, 53.0, 68.0], [8.0, 8.0, 6.0]), (60, 90))
    visible = np.zeros(labels.shape, bool)
    visible[:, :56] = True
    cut = cut_labels(labels, visible)
    np.testing.assert_array_equal(np.unique(cut), [0, 1, 2])
    np.testing.assert_array_equal(cut == 2, (labels == 2) & visible)


@pytest.mark.parametrize("name", SURROUNDS)
def test_field_is_partly_covered(name: str) -> None:
    shares = [SURROUNDS[name](np.random.default_rng(seed), (120, 160)).mean() for seed in range(20)]
    assert min(shares) > 0.05
    assert np.mean(np.array(shares) < 0.995) > 0.6


def test_outside_is_constant_and_inside_unchanged() -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        image = rng.standard_normal((100, 130), dtype=np.float32)
        name, inside = draw_surround(rng, image.shape, electrons=False)
        enclosed = enclose(rng, image, name, inside, 0.1, None)
        deep = ndimage.binary_erosion(inside == 1, iterations=12)
        np.testing.assert_allclose(enclosed[deep], image[deep], atol=1e-5)
        outside = ndimage.binary_erosion(inside == 0, iterations=12)
        if name != "data_bar" and outside.sum() > 50:
            assert enclosed[outside].std() < 0.2
