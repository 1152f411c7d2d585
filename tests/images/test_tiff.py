"""TIFF files of many writers: dtypes, byte orders, layouts, compressions, incomplete files."""

from contextlib import nullcontext

import numpy as np
import pytest
import tifffile
from helpers.damage import patched
from helpers.reading import BT709, noise, read_error, read_plane, read_planes
from PIL import Image as PillowImage

from beadctl.errors import FileNote
from beadctl.images import open_image

DTYPES = ["bool", "u1", "u2", "u4", "i2", "f4", "f8"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize(
    "layout",
    [{}, {"rowsperstrip": 7}, {"tile": (32, 16)}, {"bigtiff": True}, {"tile": (16, 16), "bigtiff": True}],
)
def test_tiff_is_read_in_its_own_dtype(tmp_path, dtype, byteorder, layout):
    image = noise((53, 71), dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, byteorder=byteorder, photometric="minisblack", **layout)
    opened = open_image(path)
    assert (opened.axes, opened.shape, opened.dtype, opened.conversion) == (
        "YX",
        (53, 71),
        image.dtype,
        "as stored",
    )
    got = read_plane(path)
    assert got.dtype == image.dtype
    assert got.dtype.isnative
    np.testing.assert_array_equal(got, image)


@pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd", "packbits", "lzma", "jpeg2000", "deflate"])
@pytest.mark.parametrize("layout", [{}, {"rowsperstrip": 9}, {"tile": (32, 48)}])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_compressions_are_decoded(tmp_path, compression, layout, byteorder):
    if compression == "jpeg2000" and byteorder == ">":
        pytest.skip("tifffile itself writes the bytes of this one swapped")
    image = noise((75, 90), "u2")
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, image, compression=compression, byteorder=byteorder, photometric="minisblack", **layout
    )
    np.testing.assert_array_equal(read_plane(path), image)


@pytest.mark.parametrize(("dtype", "predictor"), [("u2", 2), ("u1", 2), ("f4", 3), ("f8", 3)])
def test_predictors_are_undone(tmp_path, dtype, predictor):
    image = noise((40, 50), dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, compression="zlib", predictor=predictor, tile=(16, 16))
    np.testing.assert_array_equal(read_plane(path), image)


@pytest.mark.parametrize("layout", [{}, {"tile": (16, 32)}, {"rowsperstrip": 16}])
def test_jpeg_segments_are_decoded(tmp_path, layout):
    y, x = np.mgrid[:64, :96]
    image = (100 + 50 * np.sin(y / 9) + 50 * np.cos(x / 11)).astype("u1")
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, image, compression="jpeg", compressionargs={"level": 95}, photometric="minisblack", **layout
    )
    assert np.abs(read_plane(path).astype(int) - image).max() < 8
    rgb = np.stack([image, image // 2, 255 - image], axis=-1)
    # Both write YCbCr segments; Pillow writes by libtiff.
    level = {"compressionargs": {"level": 97}}
    tifffile.imwrite(path, rgb, compression="jpeg", photometric="rgb", **level, **layout)
    assert np.abs(read_plane(path) - rgb @ BT709).max() < 8
    PillowImage.fromarray(rgb).save(path, compression="jpeg", quality=97)
    assert np.abs(read_plane(path) - rgb @ BT709).max() < 8


def test_bilevel_is_read_as_bool(tmp_path):
    image = noise((33, 45), "bool")
    path = tmp_path / "a.tif"
    PillowImage.fromarray(image).save(path, compression="group4")
    got = read_plane(path)
    assert got.dtype == bool
    np.testing.assert_array_equal(got, image)


@pytest.mark.parametrize("bits", [4, 10, 12])
def test_packed_bits_are_unpacked(tmp_path, bits):
    image = noise((20, 32), "u2") >> (16 - bits)
    image = image.astype("u1") if bits <= 8 else image
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, bitspersample=bits, photometric="minisblack")
    np.testing.assert_array_equal(read_plane(path), image)


def test_slices_of_volumetric_pages_are_planes(tmp_path):
    stack = noise((32, 48, 64))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack, volumetric=True, tile=(16, 16, 32), compression="zlib")
    assert len(open_image(path).planes) == 32
    np.testing.assert_array_equal(read_planes(path), stack)


def test_imagej_stack_with_one_directory_for_all_planes(tmp_path, monkeypatch):
    """ImageJ stacks above 4 GB have a directory of the first plane only."""
    stack = noise((50, 20, 30))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack, imagej=True, truncate=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(path) as tif:
        assert len(tif.pages) == 1
    np.testing.assert_array_equal(read_planes(path), stack)


@pytest.mark.parametrize("ome", [True, False])
def test_only_full_resolution_of_a_pyramid_is_read(tmp_path, ome):
    image = noise((128, 128))
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, ome=ome) as writer:
        writer.write(image, subifds=2, tile=(32, 32))
        writer.write(image[::2, ::2], subfiletype=1, tile=(32, 32))
        writer.write(image[::4, ::4], subfiletype=1, tile=(32, 32))
    opened = open_image(path)
    assert opened.shape == (128, 128)
    np.testing.assert_array_equal(read_planes(path), [image])


def test_reduced_pages_are_ignored(tmp_path):
    image = noise((128, 128))
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(image, metadata=None)
        writer.write(image[:50, :70], subfiletype=1, metadata=None)
    np.testing.assert_array_equal(read_planes(path), [image])


def test_omitted_tiles_of_sparse_files_are_zero(tmp_path):
    image = np.zeros((64, 64), "u2")
    image[:16, :16] = noise((16, 16))
    path = tmp_path / "a.tif"
    tiles = (image[:16, :16] if i == 0 else None for i in range(16))
    tifffile.imwrite(path, tiles, shape=(64, 64), dtype="u2", tile=(16, 16), compression="zlib")
    np.testing.assert_array_equal(read_plane(path), image)


def test_missing_page_of_ome_stack(tmp_path):
    path = tmp_path / "a.ome.tif"
    stack = noise((2, 20, 30))
    tifffile.imwrite(
        path, stack, ome=True, photometric="minisblack", metadata={"axes": "TYX"}, compression="zlib"
    )
    content = (
        path.read_bytes().replace(b'SizeT="2"', b'SizeT="4"').replace(b'PlaneCount="2"', b'PlaneCount="4"')
    )
    path.write_bytes(content)
    assert "2 of 4 planes are missing" in read_error(path)
    np.testing.assert_array_equal(read_plane(path, plane=1), stack[1])


@pytest.mark.parametrize(
    "description",
    ['{"shape": [100, 100]}', '{"shape": [25, 60]}', '{"shape": [50, 60], "axes": "ZYX"}'],
)
def test_pages_count_where_the_description_has_another_shape(tmp_path, description):
    image = noise((50, 60))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, description=description, metadata=None)
    np.testing.assert_array_equal(read_planes(path), [image])
    with pytest.warns(FileNote, match="description") if "axes" not in description else nullcontext():
        open_image(path)


def test_pages_count_where_only_the_first_has_a_description(tmp_path):
    stack = noise((2, 50, 60))
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(stack[0], description='{"shape": [50, 60]}', metadata=None)
        writer.write(stack[1], metadata=None)
    with pytest.warns(FileNote, match="description"):
        np.testing.assert_array_equal(read_planes(path), stack)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_fewer_planes_than_imagej_describes(tmp_path, compression):
    path = tmp_path / "a.tif"
    stack = noise((5, 50, 60))
    description = "ImageJ=1.53t\nimages=5\nslices=5\n"
    tifffile.imwrite(
        path,
        stack[:3],
        photometric="minisblack",
        compression=compression,
        metadata=None,
        description=description,
    )
    if compression:
        assert "2 of 5 planes are missing" in read_error(path)
    else:
        np.testing.assert_array_equal(read_planes(path), stack[:3])


@pytest.mark.parametrize("dtype", ["c8", "c16"])
def test_complex_pixels_are_refused(tmp_path, dtype):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((20, 30), dtype))
    assert "complex" in read_error(path)


def test_unsupported_colours_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((20, 30, 4), "u1"), photometric="separated")
    assert "SEPARATED" in read_error(path)
    path = tmp_path / "a.jpg"
    PillowImage.fromarray(noise((20, 30, 3), "u1")).convert("CMYK").save(path)
    assert "CMYK" in read_error(path)


@pytest.mark.parametrize(
    ("tag", "changed", "said"),
    [
        ("ImageWidth", {"dtype": 9, "value": 2**32 - 16}, "-16 x 48 px"),
        ("ImageLength", {"dtype": 11}, "px and 1 samples"),
        ("SamplesPerPixel", {"value": 0}, "0 samples"),
        ("StripOffsets", {"value": 0}, "begin in its header"),
    ],
)
def test_tags_that_cannot_be_meant_are_refused_at_once(tmp_path, tag, changed, said):
    patched(tmp_path / "a.tif", tag, **changed)
    assert said in read_error(tmp_path / "a.tif")
