"""TIFF pages: what a read decodes, and limits of the decoded size."""

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from helpers.directories import Directories
from helpers.reading import noise, read_error, read_plane
from PIL import Image as Picture

from beadctl.images import ReadOptions, Window, open_image


@pytest.fixture
def decoded(monkeypatch):
    """Indices of the strips and tiles that are decoded."""
    indices = []
    decoder_of = tifffile.TiffPage.decode.func

    def counting(page):
        decode = decoder_of(page)

        def counted(data, index, **options):
            indices.append(index)
            return decode(data, index, **options)

        return counted

    monkeypatch.setattr(tifffile.TiffPage, "decode", property(counting))
    return indices


class CountingFile(io.BufferedReader):
    """A file that adds up the bytes read into buffers."""

    total = 0

    def readinto(self, buffer):
        count = super().readinto(buffer)
        CountingFile.total += count
        return count


@pytest.mark.parametrize(
    ("layout", "window", "expected"),
    [
        ({"tile": (16, 16)}, Window(16, 16, 16, 16), {5}),
        ({"tile": (16, 16)}, Window(15, 16, 2, 17), {1, 2, 5, 6}),
        ({"rowsperstrip": 8}, Window(9, 3, 6, 50), {1}),
        ({"rowsperstrip": 8}, Window(9, 3, 8, 50), {1, 2}),
    ],
)
def test_only_touched_segments_are_decoded_once(tmp_path, decoded, layout, window, expected):
    image = noise((64, 64))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, compression="zlib", **layout)
    with open_image(path).planes[0].open() as pixels:
        assert decoded == []
        np.testing.assert_array_equal(pixels.read(window), image[window.slices])
        assert set(decoded) == expected
        pixels.read(window)
    assert len(decoded) == len(expected), "a segment was decoded twice"


def test_cache_of_segments_is_bounded(tmp_path, decoded, monkeypatch):
    image = noise((64, 64))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, compression="zlib", tile=(16, 16))
    monkeypatch.setattr("beadctl.images.tiff_page.CACHE_BYTES", 3 * 512)
    with open_image(path).planes[0].open() as pixels:
        for _ in range(2):
            np.testing.assert_array_equal(pixels.read_all(), image)
    assert len(decoded) == 32


def test_only_the_plane_read_is_decoded(tmp_path, decoded):
    stack = noise((1000, 8, 8))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack, photometric="minisblack", compression="zlib")
    opened = open_image(path)
    assert len(opened.planes) == 1000
    assert decoded == []
    with opened.planes[617].open() as pixels:
        np.testing.assert_array_equal(pixels.read_all(), stack[617])
    assert len(decoded) == 1


def test_only_the_window_of_an_uncompressed_plane_is_read(tmp_path, monkeypatch):
    stack = noise((200, 64, 64))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "TYX"})
    plane = open_image(path).planes[150]
    monkeypatch.setattr(Path, "open", lambda self, mode: CountingFile(io.FileIO(self, mode)))
    monkeypatch.setattr(CountingFile, "total", 0)
    with plane.open() as pixels:
        assert CountingFile.total == 0
        np.testing.assert_array_equal(pixels.read(Window(10, 20, 4, 8)), stack[150, 10:14, 20:28])
        assert CountingFile.total == 4 * 8 * stack.itemsize
        np.testing.assert_array_equal(pixels.read_all(), stack[150])
        assert CountingFile.total == (4 * 8 + 64 * 64) * stack.itemsize


@pytest.mark.parametrize("codec", ["zstd", "lzma"])
def test_decompression_bomb_is_refused(tmp_path, decoded, codec):
    encode = {"zstd": imagecodecs.zstd_encode, "lzma": imagecodecs.lzma_encode}[codec]
    code = {"zstd": 50000, "lzma": 34925}[codec]
    data = encode(bytes(80 * 2**20))
    assert len(data) < 40_000
    path = tmp_path / "a.tif"
    # The strip really contains these pixels, so that only the limit can refuse the file.
    tifffile.imwrite(
        path, iter([data]), shape=(10240, 8192), dtype="u1", compression=code, rowsperstrip=10240
    )
    assert "implausible" in read_error(path)
    assert decoded == []


def test_blank_image_is_accepted(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((9000, 8000), "u1"), compression="zlib", rowsperstrip=9000)
    assert open_image(path).shape == (9000, 8000)


def test_many_blank_tiles_are_accepted(tmp_path, decoded):
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


@pytest.mark.parametrize("garbage", [b"", b"\0\0", b"\xff\xff"])
def test_a_jpeg_tile_that_claims_a_larger_size_of_its_own_is_refused(tmp_path, garbage):
    stream = io.BytesIO()
    Picture.fromarray(noise((4, 4), "u1")).save(stream, "JPEG")
    content = stream.getvalue()
    at = content.index(b"\xff\xc0")
    content = content[:at] + garbage + content[at : at + 5] + b"\xea\x60\xea\x60" + content[at + 9 :]
    file = Directories()
    place = file.append(content)
    file.add(first=True, extra=[(259, 3, 1, 7), (273, 4, 1, place), (279, 4, 1, len(content))])
    assert "implausible" in read_error(file.write(tmp_path / "a.tif"))


@pytest.mark.parametrize(
    "layout", [{}, {"tile": (16, 32)}, {"rowsperstrip": 7}], ids=["one", "tiles", "strips"]
)
@pytest.mark.parametrize("extra", [None, "deflate", "zstd"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_pixels_that_lerc_masks_have_no_value(tmp_path, layout, extra, dtype):
    """Its decoder gives 0 for them, and the mask apart."""
    image = np.random.default_rng(0).normal(100, 5, (40, 50)).astype(dtype)
    image[:20, :20], image[33, 44] = np.nan, np.nan
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, compression="lerc", compressionargs={"compression": extra}, **layout)
    np.testing.assert_array_equal(read_plane(path), image)


@pytest.mark.parametrize("layout", [{}, {"tile": (16, 16)}], ids=["strips", "tiles"])
def test_pixels_that_lerc_masks_have_no_value_where_planes_cross_pages(tmp_path, layout):
    volume = np.random.default_rng(0).normal(100, 5, (40, 20, 50)).astype("f4")
    volume[:20, 3, :20], volume[33, :, 44] = np.nan, np.nan
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, volume, compression="lerc", metadata={"axes": "YZX"}, **layout)
    planes = open_image(path, ReadOptions(axes="YZX")).planes
    assert len(planes) == 20
    for index in (0, 3, 19):
        with planes[index].open() as pixels:
            np.testing.assert_array_equal(pixels.read_all(), volume[:, index])


def test_colours_that_lerc_masks_have_no_value(tmp_path):
    image = np.random.default_rng(0).uniform(0, 1, (40, 50, 3)).astype("f4")
    image[:20, :20] = np.nan
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, compression="lerc", photometric="rgb")
    found = read_plane(path)
    assert np.isnan(found[:20, :20]).all()
    assert np.isfinite(found[20:]).all()


def test_whole_numbers_that_lerc_masks_are_refused(tmp_path):
    image, known = np.full((40, 50), 700, "u2"), np.ones((40, 50), bool)
    known[:9] = False
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, compression="lerc")
    np.testing.assert_array_equal(read_plane(path), image)
    tifffile.imwrite(
        path,
        iter([imagecodecs.lerc_encode(image, masks=known)]),
        shape=image.shape,
        dtype="u2",
        compression="lerc",
    )
    assert "pixels without a value among whole numbers (LERC)" in read_error(path)
