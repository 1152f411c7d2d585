"""Conversion of stored samples: luminance, alpha, palettes, white is zero."""

import numpy as np
import pytest
import tifffile
from helpers.reading import BT709, noise, read_plane
from PIL import Image as PillowImage

from beadctl.images import open_image


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("layout", [{}, {"tile": (16, 16), "compression": "zlib"}, {"rowsperstrip": 5}])
def test_rgb_becomes_luminance_and_alpha_is_dropped(tmp_path, planar, dtype, samples, layout):
    image = noise((37, 41, samples), dtype)
    stored = image if planar == "contig" else np.moveaxis(image, -1, 0)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar, **layout)
    opened = open_image(path)
    assert opened.conversion == "luminance of RGB"
    assert opened.planes[0].dtype == np.float32
    got = read_plane(path)
    assert got.dtype == np.float32
    expected = image[..., :3].astype(np.float64) @ BT709
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(read_plane(path, channel=1), image[..., 1])


def test_alpha_of_grey_is_dropped(tmp_path):
    image = noise((20, 30, 2))
    path = tmp_path / "a.tif"
    alpha = {"planarconfig": "contig", "extrasamples": ["unassalpha"]}
    tifffile.imwrite(path, image, photometric="minisblack", **alpha)
    np.testing.assert_array_equal(read_plane(path), image[..., 0])


def test_palette_becomes_luminance_of_its_colours(tmp_path):
    colours = noise((3, 256), "u2")
    image = noise((30, 40), "u1")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="palette", colormap=colours)
    np.testing.assert_allclose(read_plane(path), (BT709 @ colours)[image], rtol=1e-6)


def thermal():
    """Return a lookup table, shape (3, 256): black, red, yellow, white, and marks for both ends."""
    table = np.clip(np.arange(256) * 3 - np.array([[0], [255], [510]]), 0, 255)
    table[:, 0], table[:, 255] = (0, 255, 0), (0, 0, 255)
    return table


INVERTING = np.tile(np.arange(255, -1, -1), (3, 1))


@pytest.mark.parametrize("colours", [thermal(), INVERTING, INVERTING[:, ::-1]])
@pytest.mark.parametrize("kind", ["tif", "png", "bmp"])
def test_lookup_table_of_a_display_is_ignored(tmp_path, colours, kind):
    image = noise((30, 40), "u1")
    path = tmp_path / f"a.{kind}"
    if kind == "tif":
        tifffile.imwrite(path, image, photometric="palette", colormap=(colours * 257).astype("u2"))
    else:
        picture = PillowImage.fromarray(image, "P")
        picture.putpalette(colours.T.astype("u1").tobytes())
        picture.save(path)
    got = read_plane(path)
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, image)


@pytest.mark.parametrize("method", [0, 1, 2])
@pytest.mark.parametrize("count", [64, 256])
def test_palette_of_a_true_colour_picture_is_not_ignored(tmp_path, method, count):
    y, x = np.mgrid[:90, :90]
    shades = np.stack([90 + y, 200 - x, 60 + (x + y) // 2], -1) + noise((90, 90, 3), "u1") // 16
    picture = PillowImage.fromarray(shades.astype("u1")).quantize(count, method)
    shown = np.asarray(picture.convert("RGB"))
    # The palette of a TIFF file has 16 bits.
    for kind, scale in (("tif", 256), ("png", 1), ("bmp", 1)):
        path = tmp_path / f"a.{kind}"
        picture.save(path)
        np.testing.assert_allclose(read_plane(path), shown @ BT709 * scale, rtol=0.01, atol=1)


def test_imagej_inverting_lookup_table_is_ignored(tmp_path):
    image = noise((30, 40))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="miniswhite", description="ImageJ=1.54f\n", metadata=None)
    np.testing.assert_array_equal(read_plane(path), image)
    assert open_image(path).conversion == "as stored"


def test_imagej_lookup_table_is_ignored(tmp_path):
    image = noise((30, 40), "u1")
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, image, photometric="palette", colormap=noise((3, 256), "u2"), description="ImageJ=1.53t\n"
    )
    np.testing.assert_array_equal(read_plane(path), image)


@pytest.mark.parametrize("dtype", ["bool", "u1", "u2", "i2", "f4"])
def test_white_is_zero_is_inverted(tmp_path, dtype):
    image = noise((20, 30), dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="miniswhite")
    got = read_plane(path)
    assert got.dtype == image.dtype
    stored = np.sort(image.ravel().astype(np.float64))
    order = np.argsort(image.ravel(), kind="stable")
    shown = got.ravel()[order].astype(np.float64)
    assert (np.diff(shown)[np.diff(stored) > 0] < 0).all()
    if np.dtype(dtype).kind == "u":
        np.testing.assert_array_equal(got, np.iinfo(dtype).max - image)
    assert "inverted" in open_image(path).conversion
