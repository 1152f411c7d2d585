"""Damaged and truncated files: one-line errors that name the file."""

import logging
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from helpers.reading import noise, read_error, read_plane, read_planes
from PIL import Image as PillowImage

from beadctl.errors import ImageError
from beadctl.images import open_image
from beadctl.images.failure import failures


def planes_or_error(path):
    try:
        return read_planes(path), ""
    except ImageError as error:
        return [], str(error)


ZYX = {"photometric": "minisblack", "metadata": {"axes": "ZYX"}}


WRITERS = {
    "plain": lambda p, a: tifffile.imwrite(p, a[0]),
    "strips": lambda p, a: tifffile.imwrite(p, a[0], compression="zlib", rowsperstrip=8),
    "tiles": lambda p, a: tifffile.imwrite(p, a[0], compression="lzw", tile=(16, 16)),
    "zstd": lambda p, a: tifffile.imwrite(p, a[0], compression="zstd"),
    "pages": lambda p, a: tifffile.imwrite(p, a, photometric="minisblack", compression="zlib"),
    "pages without metadata": lambda p, a: [
        tifffile.imwrite(p, page, append=True, metadata=None) for page in a
    ],
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
def test_truncated_file_is_refused_or_read_completely(tmp_path, writer, capfd):
    """For any length of the file: never fewer planes or other pixels than were stored."""
    path = tmp_path / "a.tif"
    WRITERS[writer](path, noise((6, 40, 48)))
    content = path.read_bytes()
    expected = read_planes(path)
    cuts = {int(len(content) * part / 40) for part in range(1, 40)} | {len(content) - 1}
    refused = 0
    for cut in sorted(cuts):
        path.write_bytes(content[:cut])
        got, message = planes_or_error(path)
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
def test_truncation_is_detected_when_opening(tmp_path, writer):
    path = tmp_path / "a.tif"
    WRITERS[writer](path, noise((6, 40, 48)))
    content = path.read_bytes()
    for part in (0.2, 0.5, 0.8):
        path.write_bytes(content[: int(len(content) * part)])
        with pytest.raises(ImageError, match="damaged or truncated"):
            open_image(path)


@pytest.mark.parametrize("writer", WRITERS)
def test_damaged_bytes_raise_image_error_only(tmp_path, writer):
    path = tmp_path / "a.tif"
    WRITERS[writer](path, noise((6, 40, 48)))
    content = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(content)
        for at in rng.integers(0, min(len(damaged), 600), 4):
            damaged[at] = rng.integers(256)
        path.write_bytes(bytes(damaged))
        _, message = planes_or_error(path)
        assert "\n" not in message


def test_log_of_tifffile_is_captured_only_while_reading(tmp_path, caplog):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((3, 20, 30)), photometric="minisblack", compression="zlib")
    path.write_bytes(path.read_bytes()[:-400])
    read_error(path)
    assert caplog.records == []
    logging.getLogger("tifffile").warning("another use of tifffile")
    assert len(caplog.records) == 1


def test_damaged_private_tag_is_ignored(tmp_path):
    image = noise((20, 30))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, metadata=None, extratags=[(60123, "I", 2, (1, 2), True)])
    content = bytearray(path.read_bytes())
    at = content.index(struct.pack("<H", 60123))
    content[at + 8 : at + 12] = struct.pack("<I", 2**31)
    path.write_bytes(bytes(content))
    np.testing.assert_array_equal(read_plane(path), image)


def test_missing_codec_is_an_image_error(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((20, 30)), compression="zlib", metadata=None)
    content = bytearray(path.read_bytes())
    entry = struct.pack("<HHIH", 259, 3, 1, 8)
    at = content.index(entry)
    for code in (34713, 12345):
        content[at : at + 10] = struct.pack("<HHIH", 259, 3, 1, code)
        path.write_bytes(bytes(content))
        assert "a.tif" in read_error(path)


def test_permission_denied(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((20, 30)))

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    assert "permission denied" in read_error(path)


def as_if_in(module, code, **names):
    """Return a function of an expression, as if a module had it."""
    return eval(f"lambda: {code}", {"__name__": module, **names})


@pytest.mark.parametrize(
    "call",
    [
        "tifffile.no_such_function()",
        "tifffile.TiffTags(no_such_argument=1)",
        "tifffile.TiffTags(1, 2, 3)",
        "tifffile.TiffTags().no_such_method",
    ],
)
def test_what_a_library_does_not_have_says_nothing_of_the_file(call):
    """As where beadctl does not know its version."""
    ours = as_if_in("beadctl.images.tiff", call, tifffile=tifffile)
    with pytest.raises((AttributeError, TypeError)), failures(Path("a.tif")):
        ours()
    # In the library's own code, it is the file that cannot be read.
    theirs = as_if_in("tifffile.tifffile", call, tifffile=tifffile)
    with pytest.raises(ImageError, match=r"a\.tif: damaged or truncated"), failures(Path("a.tif")):
        theirs()


@pytest.mark.parametrize("value", [None, 7, "text", np.zeros(2)])
def test_a_value_of_another_kind_is_damage(value):
    ours = as_if_in("beadctl.images.tiff", "value.no_such_method()", value=value)
    with pytest.raises(ImageError, match="damaged or truncated"), failures(Path("a.tif")):
        ours()
