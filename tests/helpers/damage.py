"""Damaged files, of which a reader must make an error of one line."""

import struct
import time

import numpy as np
import tifffile

from beadctl.errors import ImageError
from beadctl.images import open_image

MOST_SECONDS = 60


def damaged_copies(content, count):
    """Yield copies that are cut off, or have single bytes or a number of 32 bits replaced, by seed."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        copy = bytearray(content)
        if seed % 3 == 0:
            del copy[rng.integers(1, len(copy)) :]
        elif seed % 3 == 1:
            for at in rng.integers(0, len(copy), rng.integers(1, 30)):
                copy[at] = rng.integers(256)
        else:
            value = rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1])
            at = rng.integers(0, len(copy) - 4)
            copy[at : at + 4] = int(value).to_bytes(4, "little")
        yield bytes(copy)


def faults_of_damaged_copies(path, count=300):
    """Read damaged copies of a file; return what is wrong with their errors, if anything."""
    started = time.monotonic()
    content, wrong = path.read_bytes(), []
    for seed, copy in enumerate(damaged_copies(content, count)):
        path.write_bytes(copy)
        try:
            for plane in open_image(path).planes[:8]:
                with plane.open() as pixels:
                    if plane.height * plane.width < 10**6:
                        pixels.read_all()
        except ImageError as error:
            if "\n" in str(error) or str(path) not in str(error):
                wrong.append((seed, str(error)))
    path.write_bytes(content)
    if time.monotonic() - started > MOST_SECONDS:
        wrong.append((-1, f"{time.monotonic() - started:.0f} s"))
    return wrong


def patched(path, tag, **changed):
    """Write a TIFF whose first page has one tag of another type or value."""
    tifffile.imwrite(path, np.arange(64 * 48, dtype=np.uint16).reshape(48, 64))
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages.first.tags[tag].offset
    content = bytearray(path.read_bytes())
    code, dtype, count, value = struct.unpack_from("<HHII", content, offset)
    entry = {"dtype": dtype, "value": value} | changed
    struct.pack_into("<HHII", content, offset, code, entry["dtype"], count, entry["value"])
    path.write_bytes(content)


def claiming(path, image, **facts):
    """Write an OME-TIFF of one page whose XML may claim anything."""
    height, width = image.shape
    facts = {"SizeX": width, "SizeY": height, "SizeC": 1, "SizeZ": 1, "SizeT": 1, "PlaneCount": 1} | facts
    count = facts.pop("PlaneCount")
    sizes = " ".join(f'{name}="{value}"' for name, value in facts.items())
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" {sizes}>'
        f'<TiffData IFD="0" PlaneCount="{count}"/></Pixels></Image></OME>'
    )
    tifffile.imwrite(path, image, description=xml, metadata=None)
