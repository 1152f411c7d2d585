"""Hostile and huge files: one line, at once, in little memory, with the setting that allows more."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import imagecodecs
import pytest
import tifffile
from helpers.damage import claiming
from helpers.directories import Directories, empty_chain
from helpers.reading import noise, read_error
from PIL import Image as Picture

from beadctl.images import Limits, ReadOptions, open_image

IMAGE = noise((20, 30), "u1")

# Opens each file in turn; prints CPU seconds and how far the peak of memory rose, MiB.
OPEN = """
import resource, sys, time
from pathlib import Path
from beadctl.errors import ImageError
from beadctl.images import open_image
import beadctl.images.raster, beadctl.images.tiff

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)

for name in sys.argv[1:]:
    before, start = peak(), time.process_time()
    try:
        open_image(Path(name))
        said = "opened"
    except ImageError as error:
        said = str(error)
    print(time.process_time() - start, peak() - before, said, sep="\\t")
"""


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def raster(suffix):
    """Return a file of one of the other formats that claims 60000 x 60000 px."""
    stream = io.BytesIO()
    if suffix in ("png", "j2k"):
        content = bytearray(getattr(imagecodecs, {"png": "png_encode"}.get(suffix, "jpeg2k_encode"))(IMAGE))
    else:
        Picture.fromarray(IMAGE).save(stream, {"jpg": "JPEG", "p.png": "PNG"}.get(suffix, suffix))
        content = bytearray(stream.getvalue())
    if suffix == "p.png":
        Picture.fromarray(IMAGE).convert("P").save(stream := io.BytesIO(), "PNG")
        content = bytearray(stream.getvalue())
    at, form = {
        "png": (16, ">II"),
        "p.png": (16, ">II"),
        "j2k": (content.find(b"\xff\x51") + 6, ">II"),
        "jpg": (content.find(b"\xff\xc0") + 5, ">HH"),
        "gif": (6, "<HH"),
        "bmp": (18, "<ii"),
    }[suffix]
    struct.pack_into(form, content, at, 60_000, 60_000)
    if suffix.endswith("png"):
        content[8:33] = chunk(b"IHDR", bytes(content[16:29]))
    return bytes(content)


def frames(count):
    """Return a GIF of many frames of 4 x 4 px."""
    Picture.fromarray(noise((4, 4), "u1")).save(stream := io.BytesIO(), "GIF")
    content = stream.getvalue()
    first = content.rindex(b"\x2c\0\0\0\0\4\0\4\0")
    return content[:first] + content[first:-1] * count + b";"


def write_bombs(folder):
    """Write files of at most a few MB that claim far more, and return what is said of each."""
    claiming(folder / "count.ome.tif", IMAGE, PlaneCount=10**9)
    claiming(folder / "z.ome.tif", IMAGE, SizeZ=10**9)
    claiming(folder / "t.ome.tif", IMAGE, SizeT=10**5, SizeC=10**4)
    claiming(folder / "wide.ome.tif", IMAGE, SizeX=3 * 10**10)
    claiming(folder / "wider.ome.tif", IMAGE, SizeX=10**8)
    pages = Directories()
    pages.chain(100_001)
    pages.write(folder / "pages.tif")
    (folder / "ifd_1e6.tif").write_bytes(empty_chain(10**6))
    (folder / "frames.gif").write_bytes(frames(100_001))
    kinds, before = Directories(), 4
    for height in range(1, 10_001):
        kinds.point(before, kinds.add(height=height))
        before = kinds.last
    kinds.write(folder / "kinds.tif")
    said = dict.fromkeys(
        ("count.ome.tif", "z.ome.tif", "t.ome.tif", "pages.tif", "ifd_1e6.tif"), "images.max_planes"
    )
    said |= {"wide.ome.tif": "images.max_pixels", "wider.ome.tif": "images.max_planes"}
    said |= {"frames.gif": "images.max_planes", "kinds.tif": "10,000 pages of 10,000 kinds"}
    for suffix in ("png", "p.png", "j2k", "jpg", "gif", "bmp"):
        (folder / f"large.{suffix}").write_bytes(raster(suffix))
        said[f"large.{suffix}"] = "implausible"
    return said


@pytest.mark.skipif(sys.platform == "win32", reason="there is no getrusage")
def test_a_bomb_is_refused_in_one_line_at_once_and_in_little_memory(tmp_path):
    said = write_bombs(tmp_path)
    assert max(path.stat().st_size for path in tmp_path.iterdir()) < 13_000_000
    names = [str(tmp_path / name) for name in said]
    lines = subprocess.check_output([sys.executable, "-c", OPEN, *names], text=True, timeout=300).splitlines()
    assert len(lines) == len(said)
    for (name, words), line in zip(said.items(), lines, strict=True):
        seconds, grown, message = line.split("\t")
        assert words in message, line
        assert str(tmp_path / name) in message
        assert float(seconds) < 5, line
        assert float(grown) < 50, line


def test_limits_are_those_of_the_options(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((5, 20, 30)), photometric="minisblack")
    assert len(open_image(path, ReadOptions(limits=Limits(600, 5))).planes) == 5
    assert "images.max_planes" in read_error(path, limits=Limits(600, 4))
    assert "images.max_pixels" in read_error(path, limits=Limits(599, 5))
    # The user's axes may turn the rows of a page into planes.
    assert "images.max_planes" in read_error(path, axes="YZX", limits=Limits(600, 19))


@pytest.mark.parametrize("kind", [{"imagej": True}, {"imagej": True, "truncate": True}, {"ome": True}, {}])
def test_planes_are_counted_by_pages_or_by_the_description(tmp_path, kind):
    path = tmp_path / "a.tif"
    stack = noise((9, 20, 30), "u1")
    tifffile.imwrite(path, stack, photometric="minisblack", metadata={"axes": "TYX"}, **kind)
    assert len(open_image(path, ReadOptions(limits=Limits(max_planes=9))).planes) == 9
    assert "images.max_planes" in read_error(path, limits=Limits(max_planes=8))


def test_limits_are_no_part_of_what_decides_a_result():
    assert repr(ReadOptions(limits=Limits(1, 1))) == repr(ReadOptions())


def test_frames_that_are_decoded_at_once_are_limited_together(tmp_path):
    path = tmp_path / "a.gif"
    path.write_bytes(frames(10))
    assert len(open_image(path, ReadOptions(limits=Limits(max_pixels=160))).planes) == 10
    assert "images.max_pixels" in read_error(path, limits=Limits(max_pixels=159))


def test_a_palette_is_read_without_the_pixels(tmp_path, monkeypatch):
    from PIL import ImageFile

    path = Path(tmp_path / "a.png")
    Picture.fromarray(IMAGE).convert("P").save(path)
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)
    assert len(open_image(path).planes) == 1
