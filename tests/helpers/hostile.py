"""A folder of files that are broken, claim too much or have strange names."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from helpers.damage import claiming, patched
from helpers.directories import Directories, empty_chain

# Name of a file and a part of the reason why it fails.
Reasons = dict[str, str]


def write_broken(folder: Path, image: np.ndarray) -> Reasons:
    """Write files that cannot be read as an image."""
    return _not_images(folder) | _cut(folder, image) | _claims(folder, image) | _unsupported(folder, image)


def _not_images(folder: Path) -> Reasons:
    contents = {
        "empty.tif": (b"", "0 bytes"),
        "words.tif": (b"Dear microscope,\n", "not a TIFF"),
        "words_png.png": (b"Dear microscope,\n", "not a TIFF"),
        "html.jpg": (b"<!DOCTYPE html><html>404</html>", "not a TIFF"),
        "archive.tif": (b"PK\3\4" + bytes(60), "is a ZIP archive; give it as zip://::"),
        "two_bytes.tif": (b"II", "not a TIFF"),
        "header.tif": (b"II*\0", "damaged"),
        "header_64.tif": (b"II+\0\x08\0\0\0" + bytes(8), "damaged"),
        "zeros.tif": (bytes(4096), "not a TIFF"),
        "signature.png": (b"\x89PNG\r\n\x1a\n", "damaged"),
        "signature_gif.gif": (b"GIF89a", "damaged"),
        "signature_bmp.bmp": (b"BM", "damaged"),
        "signature_jp2.jp2": (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "damaged"),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    return {name: reason for name, (_, reason) in contents.items()}


def _cut(folder: Path, image: np.ndarray) -> Reasons:
    stack = np.stack([image] * 3)
    writers: dict[str, Callable[[Path], object]] = {
        "cut_strip.tif": lambda path: tifffile.imwrite(path, image),
        "cut_tiles.tif": lambda path: tifffile.imwrite(path, image, tile=(16, 16), compression="lzw"),
        "cut_imagej.tif": lambda path: tifffile.imwrite(path, stack, imagej=True),
        "cut_ome.ome.tif": lambda path: tifffile.imwrite(path, stack, ome=True, photometric="minisblack"),
        "cut_png.png": lambda path: path.write_bytes(imagecodecs.png_encode(image)),
        "cut_jpeg.jpg": lambda path: Image.fromarray(image).save(path),
        "cut_jp2.jp2": lambda path: Image.fromarray(image).save(path),
        "cut_bmp.bmp": lambda path: Image.fromarray(image).save(path),
        "cut_webp.webp": lambda path: Image.fromarray(image).save(path),
    }
    for name, write in writers.items():
        write(folder / name)
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
    return dict.fromkeys(writers, "")


def _claims(folder: Path, image: np.ndarray) -> Reasons:
    patched(folder / "no_samples.tif", "SamplesPerPixel", value=0)
    patched(folder / "float_tag.tif", "ImageLength", dtype=11)
    patched(folder / "float_samples.tif", "BitsPerSample", dtype=11)
    patched(folder / "negative.tif", "ImageWidth", dtype=9, value=2**32 - 16)
    patched(folder / "offset_0.tif", "StripOffsets", value=0)
    patched(folder / "wide.tif", "ImageWidth", dtype=4, value=2**32 - 1)
    patched(folder / "compression.tif", "Compression", value=65_535)
    claiming(folder / "bomb.ome.tif", image, PlaneCount=10**9)
    claiming(folder / "times.ome.tif", image, SizeT=10**9)
    (folder / "ifd_1e6.tif").write_bytes(empty_chain(10**6))
    circle = Directories()
    first, _ = circle.chain(2)
    circle.point(circle.last, first)
    circle.write(folder / "circle.tif")
    content = bytearray(imagecodecs.png_encode(image))
    struct.pack_into(">II", content, 16, 60_000, 60_000)
    (folder / "wide_png.png").write_bytes(content)
    return {
        "no_samples.tif": "0 samples", "float_tag.tif": "1 samples", "float_samples.tif": "",
        "negative.tif": "-16 x 48 px", "offset_0.tif": "begin in its header", "wide.tif": "",
        "compression.tif": "", "bomb.ome.tif": "images.max_planes", "times.ome.tif": "images.max_planes",
        "ifd_1e6.tif": "images.max_planes", "circle.tif": "circle", "wide_png.png": "implausible",
    }  # fmt: skip


def _unsupported(folder: Path, image: np.ndarray) -> Reasons:
    four = np.stack([image] * 4, -1)
    tifffile.imwrite(folder / "complex.tif", image.astype("c8"), photometric="minisblack")
    tifffile.imwrite(folder / "inks.tif", four, photometric="separated")
    tifffile.imwrite(folder / "lab.tif", four[..., :3], photometric="cielab")
    Image.fromarray(four).convert("CMYK").save(folder / "inks_jpeg.jpg")
    channels = np.stack([image] * 3)
    tifffile.imwrite(
        folder / "channels.ome.tif", channels, photometric="minisblack", metadata={"axes": "CYX"}
    )
    tifffile.imwrite(folder / "not_a_number.tif", np.full(image.shape, np.nan, "f4"))
    return {
        "complex.tif": "complex", "inks.tif": "SEPARATED", "lab.tif": "CIELAB", "inks_jpeg.jpg": "CMYK",
        "channels.ome.tif": "--channel", "not_a_number.tif": "all of its pixels are NaN or infinite",
    }  # fmt: skip


NAMES = (
    "line\nbreak.tif", "carriage\rreturn.tif", "tab\t.tif", "=1+2.tif", "+1.tif", "-o.tif", "@list.tif",
    ' "quoted".tif', "'single'.tif", "comma,semicolon;.tif", "%s{}.tif", "[red]markup[/red].tif", "\\x3d.tif",
    "back\\slash.tif", "ä€😀.tif", "a\u0308.tif", "a=b&c.tif", "~.tif", "$HOME.tif", "nul\x01.tif", "*.tif",
    "\u202ereversed.tif", "\ufeffmark.tif", "line\u2028separator.tif", "next\x85line.tif",
    "escape\x1b[31m.tif", "two words .tif", "two..dots.tif", "folder.tif/in a folder.tif", "=folder/-1.tif",
    "line\nbreak/line\nbreak.tif",
    f"{'n' * 242}.tif", f"{'ä' * 122}.tif",
)  # fmt: skip
LONG = f"{'n' * 250}.tif"


def write_named(folder: Path, image: np.ndarray) -> tuple[dict[str, int], Reasons]:
    """Write images with strange names, links, a pipe and a closed folder: planes, and what is refused."""
    names = [*NAMES, os.fsdecode(b"5\xb5m.tif"), os.fsdecode(b"\xff/\xfe.tif")]
    for name in (*names, LONG, "closed/a.tif", "listed/a.tif"):
        (folder / name).parent.mkdir(exist_ok=True)
        tifffile.imwrite(folder / name, image)
    elsewhere = folder / ".elsewhere.tif"
    tifffile.imwrite(elsewhere, image)
    (folder / "link.tif").symlink_to(elsewhere)
    (folder / "dangling.tif").symlink_to("nowhere")
    (folder / "loop.tif").symlink_to("loop.tif")
    (folder / "around").symlink_to(folder, target_is_directory=True)
    (folder / "device.tif").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.tif")
    (folder / "into closed.tif").symlink_to(folder / "closed/a.tif")
    (folder / "closed").chmod(0)
    (folder / "listed").chmod(0o400)
    (folder / "closed.tif").touch(0)
    return dict.fromkeys((*names, "link.tif"), 1), {
        LONG: "too long",
        "dangling.tif": "no such file",
        "loop.tif": "",
        "closed": "permission denied",
        "listed": "permission denied",
        "into closed.tif": "permission denied",
        "closed.tif": "permission denied",
    }
