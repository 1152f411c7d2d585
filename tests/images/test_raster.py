"""PNG, JPEG and BMP files."""

import struct

import imagecodecs
import numpy as np
import pytest
from helpers.reading import BT709, noise, read_error, read_plane
from PIL import Image as PillowImage


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_png_keeps_its_bit_depth(tmp_path, dtype, samples):
    image = noise((23, 31, samples), dtype)
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(image if samples > 1 else image[..., 0]))
    got = read_plane(path)
    if samples > 2:
        np.testing.assert_allclose(got, image[..., :3] @ BT709, rtol=1e-5)
        np.testing.assert_array_equal(read_plane(path, channel=2), image[..., 2])
    else:
        assert got.dtype == image.dtype
        np.testing.assert_array_equal(got, image[..., 0])


@pytest.mark.parametrize("transparent", [None, 7])
def test_palette_png_becomes_luminance(tmp_path, transparent):
    image = PillowImage.fromarray(noise((20, 30, 3), "u1")).quantize(16)
    path = tmp_path / "a.png"
    image.save(path, **({} if transparent is None else {"transparency": transparent}))
    np.testing.assert_allclose(read_plane(path), np.asarray(image.convert("RGB")) @ BT709, rtol=1e-5)


def test_transparent_value_of_grey_png_is_ignored(tmp_path):
    image = noise((20, 3), "u1")
    path = tmp_path / "a.png"
    PillowImage.fromarray(image).save(path, transparency=int(image[0, 0]))
    np.testing.assert_array_equal(read_plane(path), image)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_bmp_modes(tmp_path, mode):
    image = PillowImage.fromarray(noise((20, 30, 3), "u1")).convert(mode)
    path = tmp_path / "a.bmp"
    image.save(path)
    stored = np.asarray(image.convert("RGB") if mode == "P" else image)
    expected = stored @ BT709 if stored.ndim == 3 else stored
    np.testing.assert_allclose(read_plane(path), expected, rtol=1e-5)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_modes(tmp_path, mode):
    image = PillowImage.fromarray(noise((40, 50, 3), "u1")).convert(mode)
    path = tmp_path / "a.jpg"
    image.save(path)
    stored = np.asarray(PillowImage.open(path))
    np.testing.assert_allclose(read_plane(path), stored @ BT709 if mode == "RGB" else stored, rtol=1e-5)


def test_png_decompression_bomb_is_refused(tmp_path):
    content = bytearray(imagecodecs.png_encode(np.zeros((20, 20), "u1")))
    content[16:24] = struct.pack(">II", 40000, 40000)
    path = tmp_path / "a.png"
    path.write_bytes(bytes(content))
    assert "implausible" in read_error(path)
