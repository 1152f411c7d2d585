"""Pictures of planes within a number of bytes."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from beadctl.images import only_plane
from beadctl.report import picture


@pytest.fixture
def noise(tmp_path):
    """A plane that no codec makes small."""
    pixels = np.random.default_rng(0).integers(0, 2**16, (300, 500), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    return only_plane(tmp_path / "a.tif")


def size(content):
    return Image.open(io.BytesIO(content)).size


@pytest.mark.parametrize("most", [9_000, 20_000, 40_000])
def test_a_picture_is_as_large_as_its_bytes_allow(noise, most):
    content = picture.fitted(picture.drawn(noise), most)
    assert 0.8 * most < len(content) <= most
    width, height = size(content)
    assert width < 500
    assert abs(height / width - 300 / 500) < 0.01


def test_a_picture_keeps_its_pixels_where_there_is_room(noise):
    assert size(picture.fitted(picture.drawn(noise), 10**6)) == (500, 300)
    assert size(picture.thumbnail(picture.drawn(noise))) == (120, 72)


def test_a_large_plane_is_read_in_bands(tmp_path, monkeypatch):
    rows, columns = np.indices((700, 400))
    tifffile.imwrite(tmp_path / "a.tif", ((rows // 100 + columns // 100) % 2 * 200).astype(np.uint8))
    whole = np.asarray(picture.drawn(only_plane(tmp_path / "a.tif")))
    monkeypatch.setattr(picture, "LARGEST_PX", 350)
    shrunk = np.asarray(picture.drawn(only_plane(tmp_path / "a.tif")))
    assert shrunk.shape == (350, 200)
    assert np.array_equal(shrunk, whole[::2, ::2])
