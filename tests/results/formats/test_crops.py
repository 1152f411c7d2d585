"""The gallery of a plane: each bead in its square, in the values of the image."""

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from helpers.segmented import plane_of, segmented

from beadctl.results.formats import crops


def gallery(path, image, labels, pixel_size_um=None):
    """Write a gallery as a run does, and return its squares by their facts."""
    plane = plane_of(labels, pixel_size_um=pixel_size_um)
    crops.write([path], [crops.encode(image, segmented(labels), plane)])
    with tifffile.TiffFile(path) as file:
        return file.asarray(), file.shaped_metadata[0], file.pages.first


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, ">u2", bool])
def test_each_bead_is_the_middle_of_its_square(tmp_path, dtype):
    image, labels = discs(7)
    image, labels = image.astype(dtype), labels.astype(np.uint32)
    pixels, facts, page = gallery(tmp_path / "a_crops.tif", image, labels, 0.5)
    assert pixels.dtype == (np.uint8 if dtype is bool else np.dtype(dtype).newbyteorder("="))
    edge, columns = facts["square_px"], facts["columns"]
    assert (facts["beads"], columns, pixels.shape) == (7, 3, (3 * edge, 3 * edge))
    assert page.get_resolution("micrometer") == (2, 2)
    around = np.pad(image, edge)
    for label in range(1, 8):
        top, left = (edge * place for place in divmod(label - 1, columns))
        square = pixels[top : top + edge, left : left + edge]
        rows, across = (np.flatnonzero((labels == label).any(axis)) for axis in (1, 0))
        y, x = ((at[0] + at[-1] + 1 - edge) // 2 + edge for at in (rows, across))
        np.testing.assert_array_equal(square, around[y : y + edge, x : x + edge])
        assert edge >= max(len(rows), len(across)) + 2 * crops.MARGIN_PX
    assert not pixels[2 * edge :, edge:].any()


def test_many_beads_have_smaller_squares(tmp_path, monkeypatch):
    image, labels = discs(7)
    monkeypatch.setattr(crops, "MOST_PX", 7 * 36)
    pixels, facts, _ = gallery(tmp_path / "a_crops.tif", image, labels.astype(np.uint32))
    assert (facts["square_px"], pixels.shape) == (6, (18, 18))
    assert (pixels[:6, :6] > image[labels == 0].mean()).all(), "the middle of a bead"


def test_a_plane_without_beads_has_a_gallery_of_one_pixel(tmp_path):
    pixels, facts, _ = gallery(
        tmp_path / "a_crops.tif", np.ones((5, 6), np.uint8), np.zeros((5, 6), np.uint32)
    )
    assert (facts["beads"], pixels.tolist()) == (0, [[0]])
