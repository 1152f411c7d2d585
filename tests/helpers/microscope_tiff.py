"""TIFF files as Zeiss LSM and MetaMorph write them, synthesised from an array."""

import struct
from fractions import Fraction

import numpy as np
import tifffile

LSM_MAGIC = 67127628
MULTI_TRACK_STACK, TIME_SERIES = 6, 3


def write_lsm(path, pixels, voxel_m=(2e-7, 2e-7, 1e-6), thumbnails=True):
    """Write pixels of axes Z, C, Y, X, channels one strip each, with a thumbnail after each slice."""
    depth, channels, height, width = pixels.shape
    info = np.zeros(1, tifffile.TIFF.CZ_LSMINFO)
    facts = {
        "MagicNumber": LSM_MAGIC, "StructureSize": info.nbytes, "DimensionX": width, "DimensionY": height,
        "DimensionZ": depth, "DimensionChannels": channels, "DimensionTime": 1,
        "DataType": pixels.dtype.itemsize, "ThumbnailX": 16, "ThumbnailY": 16,
        "VoxelSizeX": voxel_m[0], "VoxelSizeY": voxel_m[1], "VoxelSizeZ": voxel_m[2],
    }  # fmt: skip
    for name, value in facts.items():
        info[name] = value
    tag = [(34412, 1, info.nbytes, info.tobytes(), True)]
    with tifffile.TiffWriter(path, byteorder="<") as writer:
        for number, page in enumerate(pixels):
            stored = page if channels > 1 else page[0]
            writer.write(
                stored, photometric="minisblack", planarconfig="separate" if channels > 1 else None,
                extratags=tag if number == 0 else [], metadata=None,
            )  # fmt: skip
            if thumbnails:
                writer.write(
                    np.zeros((16, 16, 3), np.uint8), photometric="rgb", subfiletype=1, metadata=None
                )  # fmt: skip
    return path


def write_stk(path, pixels, size=None, unit="um", is_calibrated=True):
    """Write planes (axis 0) one after the other behind one directory, with the sizes of a pixel of `unit`.

    Everything lies at offsets in the file, so the directory is written by hand: its tags UIC1 (33628) and
    UIC2 (33629) say how many planes follow.
    """
    count, height, width = pixels.shape
    data = pixels.astype("<u2").tobytes()
    x, y = (Fraction(edge).limit_denominator(10**6) for edge in (size or (0, 0)))
    text = unit.encode() + b"\0"
    at = 8 + len(data)
    planes = b"".join(struct.pack("<6I", 1, 1, 2459000, 1000 * k, 2459000, 1000 * k) for k in range(count))
    fractions = struct.pack("<4I", x.numerator, x.denominator, y.numerator, y.denominator)
    at_planes = at
    at_fractions = at_planes + len(planes)
    at_text = at_fractions + len(fractions)
    at_uic1 = at_text + 4 + len(text)
    entries = [(3, int(is_calibrated)), (4, at_fractions), (5, at_fractions + 8), (6, at_text)]
    uic1 = b"".join(struct.pack("<2I", *entry) for entry in entries)
    at_directory = at_uic1 + len(uic1)
    at_directory += at_directory % 2
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, 2 * height * width),
        (33628, 4, len(entries), at_uic1), (33629, 5, count, at_planes),
    ]  # fmt: skip
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<2H2I", *tag) for tag in tags) + bytes(4)
    whole = b"II*\0" + struct.pack("<I", at_directory) + data + planes + fractions
    whole += struct.pack("<I", len(text)) + text + uic1
    path.write_bytes(whole.ljust(at_directory, b"\0") + directory)
    return path
