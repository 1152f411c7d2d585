"""PNG, JPEG, GIF, WebP, JPEG 2000 and BMP files."""

import struct

import imagecodecs
import numpy as np
import pytest
from helpers.reading import BT709, noise, read_error, read_plane, read_planes
from PIL import Image as PillowImage

from beadctl.errors import ImageError


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


@pytest.mark.parametrize("form", ["jp2", "j2k"])
@pytest.mark.parametrize(
    ("dtype", "samples"), [("u1", 1), ("u1", 3), ("u2", 1), ("u2", 2), ("i2", 1), ("u2", 4)]
)
def test_jpeg_2000_keeps_its_bit_depth(tmp_path, form, dtype, samples):
    image = noise((23, 31, samples), dtype) // 2
    path = tmp_path / f"a.{form}"
    path.write_bytes(imagecodecs.jpeg2k_encode(image if samples > 1 else image[..., 0], codecformat=form))
    got = read_plane(path)
    if samples > 2:
        np.testing.assert_allclose(got, image[..., :3] @ BT709, rtol=1e-5)
    else:
        assert got.dtype == image.dtype
        np.testing.assert_array_equal(got, image[..., 0])


def box(name, *content):
    inner = b"".join(content)
    return struct.pack(">I4s", 8 + len(inner), name) + inner


def test_jpeg_2000_with_a_palette_is_refused(tmp_path):
    """The red of its colours was counted as grey levels."""
    plain = imagecodecs.jpeg2k_encode(noise((23, 31), "u1") // 64, codecformat="jp2", level=0)
    colours = noise((4, 3), "u1")
    start = plain.find(b"jp2h") - 4
    end = start + int.from_bytes(plain[start : start + 4], "big")
    header = plain[start + 8 : start + 30]
    assert header[4:8] == b"ihdr"
    header += box(b"colr", b"\1\0\0", (16).to_bytes(4, "big"))
    header += box(b"pclr", struct.pack(">HB", 4, 3), b"\7\7\7", colours.tobytes())
    header += box(b"cmap", *(struct.pack(">HBB", 0, 1, column) for column in range(3)))
    content = plain[:start] + box(b"jp2h", header) + plain[end:]
    assert imagecodecs.jpeg2k_decode(content).shape == (23, 31, 3)
    path = tmp_path / "a.jp2"
    path.write_bytes(content)
    assert "palette are not supported" in read_error(path)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_webp_becomes_luminance(tmp_path, mode):
    image = noise((40, 50, 4), "u1")
    image[..., 3] |= 1  # WebP drops the colours below an alpha of 0.
    path = tmp_path / "a.webp"
    PillowImage.fromarray(image[..., : len(mode)]).save(path, lossless=True)
    np.testing.assert_allclose(read_plane(path), image[..., :3] @ BT709, rtol=1e-5)


def test_grey_gif_keeps_its_levels(tmp_path):
    image = noise((40, 50), "u1")
    PillowImage.fromarray(image).save(tmp_path / "a.gif")
    got = read_plane(tmp_path / "a.gif")
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, image)


def test_gif_with_the_lookup_table_of_a_display_keeps_its_indices(tmp_path):
    image = PillowImage.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    ramp = np.arange(256)
    image.putpalette(np.stack([ramp, ramp // 2, 255 - ramp], -1).astype(np.uint8).tobytes())
    image.save(tmp_path / "a.gif", optimize=False)
    np.testing.assert_array_equal(read_plane(tmp_path / "a.gif"), np.asarray(image))


def test_gif_with_few_colours_becomes_luminance(tmp_path):
    image = PillowImage.fromarray(noise((20, 30, 3), "u1")).quantize(16)
    image.save(tmp_path / "a.gif")
    expected = np.asarray(image.convert("RGB")) @ BT709
    np.testing.assert_allclose(read_plane(tmp_path / "a.gif"), expected, rtol=1e-5)


@pytest.mark.parametrize("form", ["gif", "webp"])
def test_frames_are_planes(tmp_path, form):
    frames = noise((3, 40, 50), "u1")
    frames[1] = frames[0]
    frames[1, 3:9, 4:7] = 0
    pictures = [PillowImage.fromarray(frame) for frame in frames]
    path = tmp_path / f"a.{form}"
    more = {} if form == "gif" else {"lossless": True}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **more)
    np.testing.assert_allclose(read_planes(path), frames, rtol=1e-5)


def save_film(path, frames, tables):
    pictures = []
    for frame, table in zip(frames, tables, strict=True):
        picture = PillowImage.fromarray(frame)
        picture.putpalette(table.astype(np.uint8).tobytes())
        pictures.append(picture)
    pictures[0].save(path, save_all=True, append_images=pictures[1:], optimize=False)


def film():
    """Return frames of all grey levels, of which the second is the first but for some rows."""
    frames = noise((2, 40, 50), "u1")
    frames[0].ravel()[:256] = np.arange(256)
    frames[1, :30] = frames[0, :30]
    return frames


LEVEL = np.arange(256)[:, None]


def test_a_film_with_the_lookup_table_of_a_display_keeps_its_indices(tmp_path):
    """Where a frame did not change, its index was read as 0."""
    frames, fire = film(), np.hstack([LEVEL, LEVEL // 2, 255 - LEVEL])
    save_film(tmp_path / "a.gif", frames, (fire, fire))
    np.testing.assert_array_equal(read_planes(tmp_path / "a.gif"), frames)


@pytest.mark.parametrize("columns", [(LEVEL, LEVEL, LEVEL), (LEVEL, LEVEL // 2, 255 - LEVEL)])
def test_a_film_whose_frames_have_other_colours_is_refused(tmp_path, columns):
    """Of the second frame, the red was counted, or numbers of another palette."""
    ice = np.hstack([0 * LEVEL, LEVEL, LEVEL])
    save_film(tmp_path / "a.gif", film(), (np.hstack(columns), ice))
    with pytest.raises(ImageError, match="palettes of their own; save them as TIFF"):
        read_planes(tmp_path / "a.gif")


@pytest.mark.parametrize("form", ["gif", "webp", "jp2"])
def test_cut_files_are_errors(tmp_path, form):
    path = tmp_path / f"a.{form}"
    PillowImage.fromarray(noise((200, 200), "u1")).save(path)
    path.write_bytes(path.read_bytes()[:300])
    read_error(path)
    path.write_bytes(path.read_bytes()[:20])
    read_error(path)
