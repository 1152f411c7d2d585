"""Opening of image files of any format."""

import os
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from helpers.reading import noise, read_error, read_plane
from PIL import Image as PillowImage

from beadctl.errors import ImageError
from beadctl.images import ReadOptions, Window, find, only_plane, open_image


def test_format_is_detected_from_the_content(tmp_path):
    image = noise((12, 14), "u2")
    path = tmp_path / "really_a_png.tif"
    path.write_bytes(imagecodecs.png_encode(image))
    np.testing.assert_array_equal(read_plane(path), image)


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_planes_are_as_stored_whatever_a_tag_says_how_to_turn_them(tmp_path, suffix):
    image, path, turned = noise((12, 14), "u1"), tmp_path / f"a{suffix}", 6
    if suffix == ".tif":
        tifffile.imwrite(path, image, extratags=[("Orientation", "H", 1, turned, True)])
    else:
        exif = PillowImage.Exif()
        exif[274] = turned
        PillowImage.fromarray(image).save(path, exif=exif)
    np.testing.assert_array_equal(read_plane(path), image)


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg", ".bmp", ".czi", ""])
def test_missing_empty_text_file_and_folder(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    assert "no such file" in read_error(path)
    path.touch()
    assert "empty (0 bytes)" in read_error(path)
    path.write_text("hello, I am no image\n" * 50)
    assert "export it as" in read_error(path)
    path.unlink()
    path.mkdir()
    assert "a folder" in read_error(path)


@pytest.mark.parametrize("suffix", [".czi", ".lif", ".nd2", ".oib", ".vsi"])
def test_vendor_formats_recommend_export(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"\x00\x00\x00\x0cjP  \r\n\x87\n" if suffix == ".nd2" else b"OLYMPUSRAWFORMAT")
    assert "export it as OME-TIFF" in read_error(path)


@pytest.mark.parametrize(
    "head", [b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"II*\0\x08\0\0\0", b"\x89PNG\r\n\x1a\n", b"BM"]
)
def test_file_header_alone_is_damaged(tmp_path, head):
    path = tmp_path / "a.tif"
    path.write_bytes(head)
    assert "damaged or truncated" in read_error(path)


def test_plane_out_of_range(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((5, 20, 30)), photometric="minisblack")
    assert "has 5 planes; choose one with --plane 0..4" in read_error(path, plane=5)
    assert "--plane 0..4" in read_error(path, plane=-1)
    path = tmp_path / "b.png"
    path.write_bytes(imagecodecs.png_encode(noise((5, 6), "u1")))
    assert "leave --plane out" in read_error(path, plane=1)


def test_only_plane_of_a_single_plane_and_of_a_chosen_one(tmp_path):
    stack = noise((3, 20, 30))
    tifffile.imwrite(tmp_path / "one.tif", stack[0])
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack")
    for path, plane, index in (("one.tif", None, 0), ("stack.tif", 2, 2)):
        only = only_plane(tmp_path / path, ReadOptions(plane=plane))
        with only.open() as pixels:
            assert only.index == index
            np.testing.assert_array_equal(pixels.read_all(), stack[index])


def test_only_plane_refuses_several_planes(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((3, 20, 30)), photometric="minisblack")
    with pytest.raises(ImageError, match="has 3 planes and one mask; choose one with --plane") as caught:
        only_plane(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("stated", [None, 0.25])
def test_pixel_size_of_the_metadata_replaces_the_option(tmp_path, stated):
    path = tmp_path / "a.ome.tif"
    sizes = {} if stated is None else {"PhysicalSizeX": stated, "PhysicalSizeY": stated}
    tifffile.imwrite(path, noise((20, 30)), ome=True, metadata={"axes": "YX", **sizes})
    image = open_image(path, ReadOptions(pixel_size_um=0.5))
    assert image.pixel_size_um == image.planes[0].pixel_size_um == (stated or 0.5)
    assert open_image(path).pixel_size_um == stated


@pytest.mark.skipif("BEADCTL_DATA" not in os.environ, reason="BEADCTL_DATA names no folder of real images")
def test_windows_of_real_images():
    for found in find([Path(os.environ["BEADCTL_DATA"])]):
        for plane in open_image(found.path).planes:
            with plane.open() as pixels:
                whole = pixels.read_all()
                window = Window(plane.height // 3, plane.width // 3, plane.height // 4, plane.width // 4)
                np.testing.assert_array_equal(pixels.read(window), whole[window.slices])
