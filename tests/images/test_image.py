"""Images: real files of many kinds, written by other libraries, read through the public door."""

import logging
import os
import pickle
import struct
from pathlib import Path, PurePosixPath

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from beadctl.errors import ImageError
from beadctl.images import ReadOptions, Window, find, open_image
from beadctl.images import tiff_page as tiff_page_module

DTYPES = ["bool", "u1", "u2", "u4", "i2", "f4", "f8"]
BT709 = np.array([0.2126, 0.7152, 0.0722])


def scene(shape, dtype="u2", seed=0):
    """Noise that uses the dtype's range, so that a lost bit or a swapped byte shows."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind == "f":
        return rng.normal(size=shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


def pixels_of(path, index=0, **choices):
    with open_image(path, ReadOptions(**choices)).planes[index].open() as pixels:
        return pixels.read_all()


def every_plane(path, **choices):
    planes = []
    for plane in open_image(path, ReadOptions(**choices)).planes:
        with plane.open() as pixels:
            planes.append(pixels.read_all())
    return planes


def refusal(path, **choices):
    """The one line of the error that opening and reading `path` ends in."""
    with pytest.raises(ImageError) as caught:
        every_plane(path, **choices)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert caught.value.exit_code == 1
    return message


def planes_or_refusal(path):
    try:
        return every_plane(path), ""
    except ImageError as error:
        return [], str(error)


@pytest.fixture
def decoded(monkeypatch):
    """Indices of the strips and tiles that get decoded."""
    indices = []
    decode = tiff_page_module._SegmentReader._decode

    def counted(self, index):
        indices.append(index)
        return decode(self, index)

    monkeypatch.setattr(tiff_page_module._SegmentReader, "_decode", counted)
    return indices


# What can be read


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize(
    "layout",
    [{}, {"rowsperstrip": 7}, {"tile": (32, 16)}, {"bigtiff": True}, {"tile": (16, 16), "bigtiff": True}],
)
def test_tiff_is_read_in_its_own_dtype(tmp_path, dtype, byteorder, layout):
    image = scene((53, 71), dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, byteorder=byteorder, photometric="minisblack", **layout)
    opened = open_image(path)
    assert (opened.axes, opened.shape, opened.dtype, opened.conversion) == (
        "YX",
        (53, 71),
        image.dtype,
        "as stored",
    )
    got = pixels_of(path)
    assert got.dtype == image.dtype
    assert got.dtype.isnative
    np.testing.assert_array_equal(got, image)


@pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd", "packbits", "lzma", "jpeg2000", "deflate"])
@pytest.mark.parametrize("layout", [{}, {"rowsperstrip": 9}, {"tile": (32, 48)}])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_compressions(tmp_path, compression, layout, byteorder):
    if compression == "jpeg2000" and byteorder == ">":
        pytest.skip("tifffile itself writes the bytes of this one swapped")
    image = scene((75, 90), "u2")
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, image, compression=compression, byteorder=byteorder, photometric="minisblack", **layout
    )
    np.testing.assert_array_equal(pixels_of(path), image)


@pytest.mark.parametrize(("dtype", "predictor"), [("u2", 2), ("u1", 2), ("f4", 3), ("f8", 3)])
def test_predictors(tmp_path, dtype, predictor):
    image = scene((40, 50), dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, compression="zlib", predictor=predictor, tile=(16, 16))
    np.testing.assert_array_equal(pixels_of(path), image)


@pytest.mark.parametrize("layout", [{}, {"tile": (16, 32)}, {"rowsperstrip": 16}])
def test_jpeg_in_tiff(tmp_path, layout):
    y, x = np.mgrid[:64, :96]
    image = (100 + 50 * np.sin(y / 9) + 50 * np.cos(x / 11)).astype("u1")
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, image, compression="jpeg", compressionargs={"level": 95}, photometric="minisblack", **layout
    )
    assert np.abs(pixels_of(path).astype(int) - image).max() < 8
    rgb = np.stack([image, image // 2, 255 - image], axis=-1)
    # Both write YCbCr segments; libtiff, below Pillow, is the second opinion.
    level = {"compressionargs": {"level": 97}}
    tifffile.imwrite(path, rgb, compression="jpeg", photometric="rgb", **level, **layout)
    assert np.abs(pixels_of(path) - rgb @ BT709).max() < 8
    PillowImage.fromarray(rgb).save(path, compression="jpeg", quality=97)
    assert np.abs(pixels_of(path) - rgb @ BT709).max() < 8


def test_bilevel_is_bool(tmp_path):
    image = scene((33, 45), "bool")
    path = tmp_path / "a.tif"
    PillowImage.fromarray(image).save(path, compression="group4")
    got = pixels_of(path)
    assert got.dtype == bool
    np.testing.assert_array_equal(got, image)


@pytest.mark.parametrize("bits", [4, 10, 12])
def test_packed_bits(tmp_path, bits):
    image = scene((20, 32), "u2") >> (16 - bits)
    image = image.astype("u1") if bits <= 8 else image
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, bitspersample=bits, photometric="minisblack")
    np.testing.assert_array_equal(pixels_of(path), image)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("layout", [{}, {"tile": (16, 16), "compression": "zlib"}, {"rowsperstrip": 5}])
def test_rgb_becomes_luminance_and_alpha_goes(tmp_path, planar, dtype, samples, layout):
    image = scene((37, 41, samples), dtype)
    stored = image if planar == "contig" else np.moveaxis(image, -1, 0)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar, **layout)
    opened = open_image(path)
    assert opened.conversion == "luminance of RGB"
    assert opened.planes[0].dtype == np.float32
    got = pixels_of(path)
    assert got.dtype == np.float32
    expected = image[..., :3].astype(np.float64) @ BT709
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(pixels_of(path, channel=1), image[..., 1])


def test_alpha_of_grey_goes(tmp_path):
    image = scene((20, 30, 2))
    path = tmp_path / "a.tif"
    alpha = {"planarconfig": "contig", "extrasamples": ["unassalpha"]}
    tifffile.imwrite(path, image, photometric="minisblack", **alpha)
    np.testing.assert_array_equal(pixels_of(path), image[..., 0])


def test_palette_goes_through_its_colours(tmp_path):
    colours = scene((3, 256), "u2")
    image = scene((30, 40), "u1")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="palette", colormap=colours)
    np.testing.assert_allclose(pixels_of(path), (BT709 @ colours)[image], rtol=1e-6)


def test_imagej_lookup_table_is_only_for_display(tmp_path):
    image = scene((30, 40), "u1")
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, image, photometric="palette", colormap=scene((3, 256), "u2"), description="ImageJ=1.53t\n"
    )
    np.testing.assert_array_equal(pixels_of(path), image)


@pytest.mark.parametrize("dtype", ["bool", "u1", "u2", "i2", "f4"])
def test_where_zero_is_white_bright_is_made_to_look_bright(tmp_path, dtype):
    image = scene((20, 30), dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="miniswhite")
    got = pixels_of(path)
    assert got.dtype == image.dtype
    stored = np.sort(image.ravel().astype(np.float64))
    order = np.argsort(image.ravel(), kind="stable")
    shown = got.ravel()[order].astype(np.float64)
    assert (np.diff(shown)[np.diff(stored) > 0] < 0).all()
    if np.dtype(dtype).kind == "u":
        np.testing.assert_array_equal(got, np.iinfo(dtype).max - image)
    assert "inverted" in open_image(path).conversion


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_png_keeps_its_depth(tmp_path, dtype, samples):
    image = scene((23, 31, samples), dtype)
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(image if samples > 1 else image[..., 0]))
    got = pixels_of(path)
    if samples > 2:
        np.testing.assert_allclose(got, image[..., :3] @ BT709, rtol=1e-5)
        np.testing.assert_array_equal(pixels_of(path, channel=2), image[..., 2])
    else:
        assert got.dtype == image.dtype
        np.testing.assert_array_equal(got, image[..., 0])


@pytest.mark.parametrize("transparent", [None, 7])
def test_palette_png(tmp_path, transparent):
    image = PillowImage.fromarray(scene((20, 30, 3), "u1")).quantize(16)
    path = tmp_path / "a.png"
    image.save(path, **({} if transparent is None else {"transparency": transparent}))
    np.testing.assert_allclose(pixels_of(path), np.asarray(image.convert("RGB")) @ BT709, rtol=1e-5)


def test_grey_png_with_a_transparent_value(tmp_path):
    image = scene((20, 3), "u1")
    path = tmp_path / "a.png"
    PillowImage.fromarray(image).save(path, transparency=int(image[0, 0]))
    np.testing.assert_array_equal(pixels_of(path), image)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_bmp(tmp_path, mode):
    image = PillowImage.fromarray(scene((20, 30, 3), "u1")).convert(mode)
    path = tmp_path / "a.bmp"
    image.save(path)
    stored = np.asarray(image.convert("RGB") if mode == "P" else image)
    expected = stored @ BT709 if stored.ndim == 3 else stored
    np.testing.assert_allclose(pixels_of(path), expected, rtol=1e-5)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg(tmp_path, mode):
    image = PillowImage.fromarray(scene((40, 50, 3), "u1")).convert(mode)
    path = tmp_path / "a.jpg"
    image.save(path)
    stored = np.asarray(PillowImage.open(path))
    np.testing.assert_allclose(pixels_of(path), stored @ BT709 if mode == "RGB" else stored, rtol=1e-5)


def test_the_content_tells_the_format_not_the_name(tmp_path):
    image = scene((12, 14), "u2")
    path = tmp_path / "really_a_png.tif"
    path.write_bytes(imagecodecs.png_encode(image))
    np.testing.assert_array_equal(pixels_of(path), image)


# Stacks, channels, series


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pages_are_planes(tmp_path, compression):
    stack = scene((5, 20, 30))
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in stack:
            writer.write(page, contiguous=False, metadata=None, compression=compression)
    opened = open_image(path)
    assert [p.index for p in opened.planes] == [0, 1, 2, 3, 4]
    assert opened.planes[3].position == "page=3"
    np.testing.assert_array_equal(every_plane(path), stack)


@pytest.mark.parametrize("compression", [None, "lzw"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("kind", [{"ome": True}, {"imagej": True}, {"metadata": {"axes": "TZCYX"}}])
def test_time_depth_and_channels(tmp_path, kind, byteorder, compression):
    if "imagej" in kind and compression:
        pytest.skip("tifffile writes ImageJ stacks uncompressed")
    stack = scene((2, 3, 4, 20, 30))
    path = tmp_path / "a.tif"
    options = {"metadata": {"axes": "TZCYX"}} | kind
    tifffile.imwrite(
        path, stack, photometric="minisblack", byteorder=byteorder, compression=compression, **options
    )
    opened = open_image(path, ReadOptions(channel=2))
    assert (opened.axes, opened.shape) == ("TZCYX", (2, 3, 4, 20, 30))
    assert opened.conversion == "channel 2 of 4"
    assert [p.position for p in opened.planes][:4] == ["T=0 Z=0", "T=0 Z=1", "T=0 Z=2", "T=1 Z=0"]
    np.testing.assert_array_equal(every_plane(path, channel=2), stack[:, :, 2].reshape(6, 20, 30))
    one = open_image(path, ReadOptions(channel=2, plane=4)).planes
    assert [(p.index, p.position) for p in one] == [(4, "T=1 Z=1")]
    np.testing.assert_array_equal(pixels_of(path, channel=2, plane=4), stack[1, 1, 2])


def test_colour_stack(tmp_path):
    stack = scene((3, 16, 18, 3), "u1")
    for kind in ({"ome": True}, {"imagej": True}, {}):
        path = tmp_path / f"{'-'.join(kind)}.tif"
        tifffile.imwrite(path, stack, photometric="rgb", metadata={"axes": "ZYXS"}, **kind)
        np.testing.assert_allclose(every_plane(path), stack @ BT709, rtol=1e-5)


def test_volumetric_pages(tmp_path):
    stack = scene((32, 48, 64))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack, volumetric=True, tile=(16, 16, 32), compression="zlib")
    assert len(open_image(path).planes) == 32
    np.testing.assert_array_equal(every_plane(path), stack)


def test_imagej_stack_with_one_directory_for_all_planes(tmp_path, monkeypatch):
    """Stacks above 4 GB look like this: only the first plane has a directory."""
    stack = scene((50, 20, 30))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack, imagej=True, truncate=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(path) as tif:
        assert len(tif.pages) == 1
    np.testing.assert_array_equal(every_plane(path), stack)


def test_series_are_planes_one_after_the_other(tmp_path):
    first, second = scene((2, 20, 30)), scene((3, 24, 26), seed=1)
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(first, metadata={"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5})
        writer.write(second, metadata={"axes": "TYX", "PhysicalSizeX": 2, "PhysicalSizeY": 2})
    planes = open_image(path).planes
    assert [p.position for p in planes] == [f"series=0 Z={i}" for i in (0, 1)] + [
        f"series=1 T={i}" for i in range(3)
    ]
    assert [p.index for p in planes] == list(range(5))
    assert [p.pixel_size_um for p in planes] == [0.5, 0.5, 2, 2, 2]
    for got, expected in zip(every_plane(path), [*first, *second], strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("ome", [True, False])
def test_of_a_pyramid_only_full_resolution(tmp_path, ome):
    image = scene((128, 128))
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, ome=ome) as writer:
        writer.write(image, subifds=2, tile=(32, 32))
        writer.write(image[::2, ::2], subfiletype=1, tile=(32, 32))
        writer.write(image[::4, ::4], subfiletype=1, tile=(32, 32))
    opened = open_image(path)
    assert opened.shape == (128, 128)
    np.testing.assert_array_equal(every_plane(path), [image])


def test_reduced_pages_are_no_planes(tmp_path):
    image = scene((128, 128))
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(image, metadata=None)
        writer.write(image[:50, :70], subfiletype=1, metadata=None)
    np.testing.assert_array_equal(every_plane(path), [image])


def _write_ome_set(folder, count=3):
    """An OME-TIFF set of one file a time point, each of which describes all."""
    stack = scene((count, 20, 30))
    uuids = [f"urn:uuid:0000000{i}-0000-0000-0000-000000000000" for i in range(count)]
    data = "".join(
        f'<TiffData FirstT="{i}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="t{i}.ome.tif">{uuid}</UUID></TiffData>'
        for i, uuid in enumerate(uuids)
    )
    pixels = (
        f'<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="30" SizeY="20" SizeC="1"'
        f' SizeZ="1" SizeT="{count}"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data}</Pixels>'
    )
    for i, uuid in enumerate(uuids):
        xml = (
            '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
            f' UUID="{uuid}"><Image ID="Image:0">{pixels}</Image></OME>'
        )
        tifffile.imwrite(folder / f"t{i}.ome.tif", stack[i], description=xml, metadata=None)
    return stack


def test_a_set_of_files_gives_each_plane_once(tmp_path):
    stack = _write_ome_set(tmp_path)
    for i in range(3):
        path = tmp_path / f"t{i}.ome.tif"
        (plane,) = open_image(path).planes
        assert (plane.index, plane.position) == (i, f"T={i}")
        np.testing.assert_array_equal(every_plane(path), [stack[i]])
    assert "other files of its set" in refusal(tmp_path / "t0.ome.tif", plane=1)


def test_a_set_that_cannot_be_followed_needs_its_axes(tmp_path):
    stack = scene((4, 20, 30))
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, stack, ome=True, photometric="minisblack", metadata={"axes": "CYX"})
    path.write_bytes(path.read_bytes().replace(b"<Pixels ", b"<Pixelz ").replace(b"</Pixels>", b"</Pixelz>"))
    assert "--axes" in refusal(path)
    np.testing.assert_array_equal(pixels_of(path, axes="CYX", channel=2), stack[2])


def test_pages_of_different_sizes_are_series(tmp_path):
    pages = [scene((20, 30)), scene((22, 28)), scene((20, 30), seed=1)]
    path = tmp_path / "a.tif"
    for page in pages:
        tifffile.imwrite(path, page, append=True, metadata=None)
    opened = open_image(path)
    assert [p.position for p in opened.planes] == ["series=0 page=0", "series=0 page=1", "series=1"]
    for got, expected in zip(every_plane(path), [pages[0], pages[2], pages[1]], strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_set_with_missing_files_still_gives_what_is_there(tmp_path):
    stack = _write_ome_set(tmp_path)
    (tmp_path / "t1.ome.tif").unlink()
    np.testing.assert_array_equal(every_plane(tmp_path / "t0.ome.tif"), [stack[0]])


@pytest.mark.parametrize("kind", [{"ome": True}, {"imagej": True}])
def test_channels_must_be_chosen(tmp_path, kind):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, scene((3, 20, 30)), photometric="minisblack", metadata={"axes": "CYX"}, **kind)
    assert "has 3 channels; choose one with --channel 0..2" in refusal(path)
    assert "has 3 channels; choose one with --channel 0..2" in refusal(path, channel=3)
    assert "has 3 channels; choose one with --channel 0..2" in refusal(path, channel=-1)


def test_samples_that_are_no_colours_are_channels(tmp_path):
    image = scene((20, 30, 5))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="minisblack", planarconfig="contig")
    assert "has 5 channels" in refusal(path)
    np.testing.assert_array_equal(pixels_of(path, channel=4), image[..., 4])


def test_one_channel_may_be_named_as_the_first_only(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, scene((20, 30)))
    assert open_image(path, ReadOptions(channel=0)).conversion == "as stored"
    assert "--channel" in refusal(path, channel=1)


def test_planes_out_of_range(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, scene((5, 20, 30)), photometric="minisblack")
    assert "has 5 planes; choose one with --plane 0..4" in refusal(path, plane=5)
    assert "--plane 0..4" in refusal(path, plane=-1)
    path = tmp_path / "b.png"
    path.write_bytes(imagecodecs.png_encode(scene((5, 6), "u1")))
    assert "leave --plane out" in refusal(path, plane=1)


# Axes named by the user


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_axes_override(tmp_path, compression):
    stack = scene((4, 20, 30))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack, photometric="minisblack", compression=compression)
    assert len(open_image(path).planes) == 4
    np.testing.assert_array_equal(pixels_of(path, axes="CYX", channel=3), stack[3])
    np.testing.assert_array_equal(every_plane(path, axes="zxy"), np.swapaxes(stack, 1, 2))
    np.testing.assert_array_equal(every_plane(path, axes="YXZ"), np.moveaxis(stack, 2, 0))
    np.testing.assert_array_equal(every_plane(path, axes="XZY"), np.transpose(stack, (1, 2, 0)))
    np.testing.assert_allclose(
        every_plane(path, axes="SYX"), [np.moveaxis(stack[:3], 0, -1) @ BT709], rtol=1e-5
    )


@pytest.mark.parametrize("axes", ["YX", "ZYYX", "ZZX", "ZYC", "Z?X", "YYX"])
def test_impossible_axes(tmp_path, axes):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, scene((4, 20, 30)), photometric="minisblack")
    assert "--axes" in refusal(path, axes=axes)


def test_an_array_saved_with_its_stack_last_is_ambiguous(tmp_path):
    image = scene((64, 50, 5))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="minisblack")
    assert open_image(path, ReadOptions(axes="YXZ")).shape == (64, 50, 5)
    assert "--axes" in refusal(path)
    np.testing.assert_array_equal(every_plane(path, axes="YXZ"), np.moveaxis(image, -1, 0))


# Pixel size


@pytest.mark.parametrize(
    ("unit", "expected"),
    [(None, 0.25), ("nm", 0.00025), ("µm", 0.25), ("μm", 0.25), ("mm", 250), ("pixel", None)],
)
def test_ome_pixel_size(tmp_path, unit, expected):
    path = tmp_path / "a.ome.tif"
    facts = {"axes": "YX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    if unit:
        facts |= {"PhysicalSizeXUnit": unit, "PhysicalSizeYUnit": unit}
    tifffile.imwrite(path, scene((20, 30)), ome=True, metadata=facts)
    opened = open_image(path)
    assert opened.pixel_size_um == (pytest.approx(expected) if expected else None)
    assert opened.planes[0].pixel_size_um == opened.pixel_size_um


@pytest.mark.parametrize(("x", "y", "expected"), [(0.5, 0.503, 0.5015), (0.5, 0.52, None), (0, 0.5, None)])
def test_pixels_must_be_square(tmp_path, x, y, expected):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path, scene((20, 30)), ome=True, metadata={"axes": "YX", "PhysicalSizeX": x, "PhysicalSizeY": y}
    )
    assert open_image(path).pixel_size_um == (pytest.approx(expected, rel=1e-4) if expected else None)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("um", 0.5), ("micron", 0.5), ("\\u00B5m", 0.5), ("nm", 0.0005), ("mm", 500.0),
        ("pixel", None), ("inch", None), ("cm", None), (None, None), ("furlong", None),
    ],
)  # fmt: skip
def test_imagej_pixel_size(tmp_path, unit, expected):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, scene((20, 30)), imagej=True, resolution=(2, 2), metadata={"unit": unit} if unit else {}
    )
    assert open_image(path).pixel_size_um == (pytest.approx(expected) if expected else None)


@pytest.mark.parametrize("unit", ["inch", "centimeter"])
def test_printing_resolution_is_no_pixel_size(tmp_path, unit):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, scene((20, 30)), resolution=(300, 300), resolutionunit=unit)
    assert open_image(path).pixel_size_um is None


# Windows and laziness

LAYOUTS = {
    "contiguous": {},
    "big-endian": {"byteorder": ">"},
    "strips": {"rowsperstrip": 7, "compression": "zlib"},
    "tiles": {"tile": (16, 32), "compression": "zstd"},
    "one strip": {"rowsperstrip": 1000, "compression": "lzw"},
    "plain tiles": {"tile": (32, 16)},
}


@pytest.fixture(scope="module")
def windowed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("windows")
    files = {}
    for name, layout in LAYOUTS.items():
        for planar in ("grey", "contig", "separate"):
            image = scene((61, 83) if planar == "grey" else (61, 83, 3))
            stored = np.moveaxis(image, -1, 0) if planar == "separate" else image
            rgb = {} if planar == "grey" else {"photometric": "rgb", "planarconfig": planar}
            path = folder / f"{name} {planar}.tif"
            tifffile.imwrite(path, stored, **layout, **rgb)
            files[name, planar] = path
    path = folder / "a.png"
    path.write_bytes(imagecodecs.png_encode(scene((61, 83))))
    files["png", "grey"] = path
    return files


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_window_is_a_cut_of_the_whole(windowed, data):
    path = windowed[data.draw(st.sampled_from(sorted(windowed)))]
    axes = data.draw(st.sampled_from([None, "transposed"]))
    opened = open_image(path)
    if axes:
        opened = open_image(path, ReadOptions(axes=opened.axes.translate(str.maketrans("YX", "XY"))))
    (plane,) = opened.planes
    with plane.open() as pixels:
        whole = pixels.read_all()
        assert whole.shape == (pixels.height, pixels.width)
        assert whole.dtype == plane.dtype
    with plane.open() as pixels:
        for _ in range(3):
            top, left = (
                data.draw(st.integers(0, plane.height - 1)),
                data.draw(st.integers(0, plane.width - 1)),
            )
            window = Window(
                top,
                left,
                data.draw(st.integers(1, plane.height - top)),
                data.draw(st.integers(1, plane.width - left)),
            )
            np.testing.assert_array_equal(pixels.read(window), whole[window.slices])


def test_what_is_read_may_be_written_to(windowed):
    for path in windowed.values():
        with open_image(path).planes[0].open() as pixels:
            window = Window(3, 4, 5, 6)
            before = pixels.read(window).copy()
            pixels.read(window)[:] = 0
            np.testing.assert_array_equal(pixels.read(window), before)


@pytest.mark.parametrize(
    "window", [Window(0, 0, 62, 10), Window(-1, 0, 5, 5), Window(0, 80, 5, 4), Window(5, 5, 0, 5)]
)
def test_windows_outside_are_our_bug(windowed, window):
    with (
        open_image(windowed["tiles", "grey"]).planes[0].open() as pixels,
        pytest.raises(ValueError, match="inside"),
    ):
        pixels.read(window)


@pytest.mark.parametrize(
    ("layout", "window", "expected"),
    [
        ({"tile": (16, 16)}, Window(16, 16, 16, 16), {5}),
        ({"tile": (16, 16)}, Window(15, 16, 2, 17), {1, 2, 5, 6}),
        ({"rowsperstrip": 8}, Window(9, 3, 6, 50), {1}),
        ({"rowsperstrip": 8}, Window(9, 3, 8, 50), {1, 2}),
    ],
)
def test_only_touched_pieces_are_decoded(tmp_path, decoded, layout, window, expected):
    image = scene((64, 64))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, compression="zlib", **layout)
    with open_image(path).planes[0].open() as pixels:
        assert decoded == []
        np.testing.assert_array_equal(pixels.read(window), image[window.slices])
        assert set(decoded) == expected
        pixels.read(window)
    assert len(decoded) == len(expected), "a piece was decoded twice"


def test_kept_pieces_are_bounded(tmp_path, decoded, monkeypatch):
    image = scene((64, 64))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, compression="zlib", tile=(16, 16))
    monkeypatch.setattr(tiff_page_module, "CACHE_BYTES", 3 * 512)
    with open_image(path).planes[0].open() as pixels:
        for _ in range(2):
            np.testing.assert_array_equal(pixels.read_all(), image)
    assert len(decoded) == 32


def test_opening_decodes_nothing_and_a_plane_only_itself(tmp_path, decoded):
    stack = scene((1000, 8, 8))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack, photometric="minisblack", compression="zlib")
    opened = open_image(path)
    assert len(opened.planes) == 1000
    assert decoded == []
    with opened.planes[617].open() as pixels:
        np.testing.assert_array_equal(pixels.read_all(), stack[617])
    assert len(decoded) == 1


def test_an_uncompressed_stack_is_read_by_the_bytes_of_one_plane(tmp_path, monkeypatch):
    stack = scene((200, 64, 64))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "TYX"})
    counts = []
    values = tiff_page_module._ContiguousReader._values

    def counted(self, start, count):
        counts.append(count)
        return values(self, start, count)

    monkeypatch.setattr(tiff_page_module._ContiguousReader, "_values", counted)
    opened = open_image(path)
    with opened.planes[150].open() as pixels:
        assert counts == []
        np.testing.assert_array_equal(pixels.read(Window(10, 20, 4, 8)), stack[150, 10:14, 20:28])
        assert sum(counts) == 4 * 8
        np.testing.assert_array_equal(pixels.read_all(), stack[150])
        assert sum(counts) == 4 * 8 + 64 * 64


def test_planes_travel_to_other_processes(windowed):
    for path in windowed.values():
        plane = open_image(path).planes[0]
        with plane.open() as here, pickle.loads(pickle.dumps(plane)).open() as there:
            np.testing.assert_array_equal(here.read_all(), there.read_all())


def test_a_file_can_be_removed_after_reading(tmp_path, windowed):
    for path in windowed.values():
        copy = tmp_path / path.name
        copy.write_bytes(path.read_bytes())
        with open_image(copy).planes[0].open() as pixels:
            pixels.read_all()
        copy.unlink()


def test_sparse_tiles_are_empty(tmp_path):
    image = np.zeros((64, 64), "u2")
    image[:16, :16] = scene((16, 16))
    path = tmp_path / "a.tif"
    tiles = (image[:16, :16] if i == 0 else None for i in range(16))
    tifffile.imwrite(path, tiles, shape=(64, 64), dtype="u2", tile=(16, 16), compression="zlib")
    np.testing.assert_array_equal(pixels_of(path), image)


# Failures: one line each


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg", ".bmp", ".czi", ""])
def test_empty_text_missing_and_folder(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    assert "no such file" in refusal(path)
    path.touch()
    assert "empty (0 bytes)" in refusal(path)
    path.write_text("hello, I am no image\n" * 50)
    assert "export it as" in refusal(path)
    path.unlink()
    path.mkdir()
    assert "a folder" in refusal(path)


@pytest.mark.parametrize("suffix", [".czi", ".lif", ".nd2", ".oib", ".vsi"])
def test_vendor_formats_are_to_be_exported(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"ZISRAWFILE\0\0\0\0\0\0")
    assert "export it as OME-TIFF" in refusal(path)


def test_permission_denied(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, scene((20, 30)))

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    assert "permission denied" in refusal(path)


@pytest.mark.parametrize(
    "head", [b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"II*\0\x08\0\0\0", b"\x89PNG\r\n\x1a\n", b"BM"]
)
def test_a_head_alone(tmp_path, head):
    path = tmp_path / "a.tif"
    path.write_bytes(head)
    assert "damaged or truncated" in refusal(path)


ZYX = {"photometric": "minisblack", "metadata": {"axes": "ZYX"}}
WRITERS = {
    "plain": lambda p, a: tifffile.imwrite(p, a[0]),
    "strips": lambda p, a: tifffile.imwrite(p, a[0], compression="zlib", rowsperstrip=8),
    "tiles": lambda p, a: tifffile.imwrite(p, a[0], compression="lzw", tile=(16, 16)),
    "zstd": lambda p, a: tifffile.imwrite(p, a[0], compression="zstd"),
    "pages": lambda p, a: tifffile.imwrite(p, a, photometric="minisblack", compression="zlib"),
    "untold pages": lambda p, a: [tifffile.imwrite(p, page, append=True, metadata=None) for page in a],
    "imagej": lambda p, a: tifffile.imwrite(p, a, imagej=True, **ZYX),
    "imagej one directory": lambda p, a: tifffile.imwrite(p, a, imagej=True, truncate=True, **ZYX),
    "ome": lambda p, a: tifffile.imwrite(p, a, ome=True, **ZYX),
    "ome tiles": lambda p, a: tifffile.imwrite(p, a, ome=True, tile=(16, 16), compression="zlib", **ZYX),
    "pillow": lambda p, a: PillowImage.fromarray(a[0]).save(p, format="TIFF", compression="tiff_lzw"),
    "png": lambda p, a: p.write_bytes(imagecodecs.png_encode(a[0])),
    "jpeg": lambda p, a: PillowImage.fromarray((a[0] >> 8).astype("u1")).save(p, format="JPEG"),
    "bmp": lambda p, a: PillowImage.fromarray((a[0] >> 8).astype("u1")).save(p, format="BMP"),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_truncated_file_is_an_error_or_whole(tmp_path, writer, capfd):
    """Whatever the cut: never fewer planes, never pixels that were not stored."""
    path = tmp_path / "a.tif"
    WRITERS[writer](path, scene((6, 40, 48)))
    content = path.read_bytes()
    expected = every_plane(path)
    cuts = {int(len(content) * part / 40) for part in range(1, 40)} | {len(content) - 1}
    refused = 0
    for cut in sorted(cuts):
        path.write_bytes(content[:cut])
        got, message = planes_or_refusal(path)
        if message:
            refused += 1
            assert str(path) in message
            assert "\n" not in message
        else:
            np.testing.assert_array_equal(got, expected)
    assert refused >= 0.8 * len(cuts)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@pytest.mark.parametrize("writer", [w for w in WRITERS if w not in ("png", "jpeg", "bmp")])
def test_a_cut_is_noticed_before_anything_is_decoded(tmp_path, writer):
    path = tmp_path / "a.tif"
    WRITERS[writer](path, scene((6, 40, 48)))
    content = path.read_bytes()
    for part in (0.2, 0.5, 0.8):
        path.write_bytes(content[: int(len(content) * part)])
        with pytest.raises(ImageError, match="damaged or truncated"):
            open_image(path)


@pytest.mark.parametrize("writer", WRITERS)
def test_damaged_bytes_never_end_in_a_traceback(tmp_path, writer):
    path = tmp_path / "a.tif"
    WRITERS[writer](path, scene((6, 40, 48)))
    content = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(content)
        for at in rng.integers(0, min(len(damaged), 600), 4):
            damaged[at] = rng.integers(256)
        path.write_bytes(bytes(damaged))
        _, message = planes_or_refusal(path)
        assert "\n" not in message


def test_nothing_is_logged_past_us(tmp_path, caplog):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, scene((3, 20, 30)), photometric="minisblack", compression="zlib")
    path.write_bytes(path.read_bytes()[:-400])
    refusal(path)
    assert caplog.records == []
    logging.getLogger("tifffile").warning("ours is not the only use of tifffile")
    assert len(caplog.records) == 1


def test_a_vendors_damaged_tag_does_not_matter(tmp_path):
    image = scene((20, 30))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, metadata=None, extratags=[(60123, "I", 2, (1, 2), True)])
    content = bytearray(path.read_bytes())
    at = content.index(struct.pack("<H", 60123))
    content[at + 8 : at + 12] = struct.pack("<I", 2**31)
    path.write_bytes(bytes(content))
    np.testing.assert_array_equal(pixels_of(path), image)


@pytest.mark.parametrize("dtype", ["c8", "c16"])
def test_complex_pixels(tmp_path, dtype):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((20, 30), dtype))
    assert "complex" in refusal(path)


def test_a_codec_that_is_not_there(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, scene((20, 30)), compression="zlib", metadata=None)
    content = bytearray(path.read_bytes())
    entry = struct.pack("<HHIH", 259, 3, 1, 8)
    at = content.index(entry)
    for code in (34713, 12345):
        content[at : at + 10] = struct.pack("<HHIH", 259, 3, 1, code)
        path.write_bytes(bytes(content))
        assert "a.tif" in refusal(path)


def test_colours_that_are_not_understood(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, scene((20, 30, 4), "u1"), photometric="separated")
    assert "SEPARATED" in refusal(path)
    path = tmp_path / "a.jpg"
    PillowImage.fromarray(scene((20, 30, 3), "u1")).convert("CMYK").save(path)
    assert "CMYK" in refusal(path)


@pytest.mark.parametrize("codec", ["zstd", "lzma"])
def test_a_bomb_is_not_decoded(tmp_path, decoded, codec):
    encode = {"zstd": imagecodecs.zstd_encode, "lzma": imagecodecs.lzma_encode}[codec]
    code = {"zstd": 50000, "lzma": 34925}[codec]
    data = encode(bytes(80 * 2**20))
    assert len(data) < 40_000
    path = tmp_path / "a.tif"
    # Strips that hold what they claim, so that only the limit can refuse the file.
    tifffile.imwrite(
        path, iter([data]), shape=(10240, 8192), dtype="u1", compression=code, rowsperstrip=10240
    )
    assert "too much to be believed" in refusal(path)
    assert decoded == []


def test_a_png_bomb_is_not_decoded(tmp_path):
    content = bytearray(imagecodecs.png_encode(np.zeros((20, 20), "u1")))
    content[16:24] = struct.pack(">II", 40000, 40000)
    path = tmp_path / "a.png"
    path.write_bytes(bytes(content))
    assert "too much to be believed" in refusal(path)


def test_a_blank_image_of_ordinary_codecs_is_no_bomb(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((9000, 8000), "u1"), compression="zlib", rowsperstrip=9000)
    assert open_image(path).shape == (9000, 8000)


def test_blank_tiles_are_no_bomb_whatever_their_number(tmp_path, decoded):
    path = tmp_path / "a.tif"
    tile = np.zeros((1024, 1024), "u1")
    tifffile.imwrite(
        path,
        (tile for _ in range(144)),
        shape=(12288, 12288),
        dtype="u1",
        tile=(1024, 1024),
        compression="zstd",
    )
    with open_image(path).planes[0].open() as pixels:
        assert not pixels.read(Window(5000, 5000, 10, 10)).any()
    assert len(decoded) == 1


def test_a_lost_page_of_an_ome_stack(tmp_path):
    path = tmp_path / "a.ome.tif"
    stack = scene((2, 20, 30))
    tifffile.imwrite(
        path, stack, ome=True, photometric="minisblack", metadata={"axes": "TYX"}, compression="zlib"
    )
    content = (
        path.read_bytes().replace(b'SizeT="2"', b'SizeT="4"').replace(b'PlaneCount="2"', b'PlaneCount="4"')
    )
    path.write_bytes(content)
    assert "2 of 4 planes are missing" in refusal(path)
    np.testing.assert_array_equal(pixels_of(path, plane=1), stack[1])


# Finding


def _touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_find_keeps_the_tree_in_natural_order(tmp_path):
    _touch(
        tmp_path,
        "a10.tif",
        "a2.TIF",
        "b/c.ome.tiff",
        "b/d/e.PNG",
        "notes.txt",
        "x.jpeg",
        "y.bmp",
        "z.Jpg",
        "f.btf",
    )
    names = [str(f.name) for f in find([tmp_path])]
    assert names == ["a2.TIF", "a10.tif", "b/c.ome.tiff", "b/d/e.PNG", "f.btf", "x.jpeg", "y.bmp", "z.Jpg"]
    assert all(f.path == tmp_path / f.name for f in find([tmp_path]))
    assert all(isinstance(f.name, PurePosixPath) for f in find([tmp_path]))


def test_find_skips_the_hidden_and_the_excluded(tmp_path):
    _touch(tmp_path, "a.tif", ".b.tif", ".git/c.tif", "out/masks/d.tif", "outer/e.tif")
    assert [str(f.name) for f in find([tmp_path], exclude=[tmp_path / "out"])] == ["a.tif", "outer/e.tif"]


def test_an_output_folder_above_the_input_hides_nothing(tmp_path):
    _touch(tmp_path, "in/a.tif", "in/masks/b.tif")
    assert [str(f.name) for f in find([tmp_path / "in"], exclude=[tmp_path])] == ["a.tif", "masks/b.tif"]
    found = find([tmp_path / "in"], exclude=[tmp_path / "in"])
    assert [str(f.name) for f in found] == ["a.tif", "masks/b.tif"]


def test_find_takes_files_as_they_are_named_and_each_once(tmp_path):
    _touch(tmp_path, "a.tif", "b.dat")
    found = find([tmp_path / "b.dat", tmp_path, tmp_path / "a.tif"])
    assert [str(f.name) for f in found] == ["b.dat", "a.tif"]


def test_find_says_what_it_missed(tmp_path):
    _touch(tmp_path, "a.txt", "folder.tif/b.txt")
    with pytest.raises(ImageError, match=r"no images; looked for \.tif .*\.bmp") as caught:
        find([tmp_path])
    assert str(tmp_path) in str(caught.value)
    with pytest.raises(ImageError, match="no such file or folder"):
        find([tmp_path / "nowhere"])


def test_find_survives_links_in_a_circle(tmp_path, monkeypatch):
    _touch(tmp_path, "a/b.tif")
    try:
        (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "a" / "other loop").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "a" / "self.tif").symlink_to(tmp_path / "a" / "self.tif")
    except OSError:
        pytest.skip("no right to make links")
    iterdir, listed = Path.iterdir, []

    def counted(self):
        listed.append(self)
        assert len(listed) <= 2, "a folder was listed twice"
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", counted)
    assert [str(f.name) for f in find([tmp_path], exclude=[tmp_path / "out"])] == ["a/b.tif"]


def test_an_unreadable_folder(tmp_path, monkeypatch):
    _touch(tmp_path, "a.tif", "closed/b.tif")
    iterdir = Path.iterdir

    def refuse(self):
        if self.name == "closed":
            raise PermissionError(13, "Permission denied", str(self))
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(ImageError, match=r"closed: cannot be read \(Permission denied\)"):
        find([tmp_path])


@pytest.mark.skipif("BEADCTL_DATA" not in os.environ, reason="BEADCTL_DATA names no folder of real images")
def test_real_images_open():
    for found in find([Path(os.environ["BEADCTL_DATA"])]):
        for plane in open_image(found.path).planes:
            with plane.open() as pixels:
                whole = pixels.read_all()
                window = Window(plane.height // 3, plane.width // 3, plane.height // 4, plane.width // 4)
                np.testing.assert_array_equal(pixels.read(window), whole[window.slices])
