"""Small CZI files, written by hand after ZEISS's description of the format: uncompressed or Zstandard."""

import struct

import imagecodecs
import numpy as np

PIXEL_TYPES = {"u1": (0, 3), "u2": (1, 4), "f4": (2, 8)}
SCALING = '<Distance Id="{}"><Value>{}</Value></Distance>'


def _segment(name, data):
    return struct.pack("<16sqq", name, len(data), len(data)) + data


def _entry(pixels, at, position, compression, stored_size=None):
    """Return the directory entry of a sub-block whose dimensions are `at`: starts by letter."""
    height, width = pixels.shape[:2]
    kind = PIXEL_TYPES[pixels.dtype.str[1:]][pixels.ndim > 2]
    sizes = {"X": width, "Y": height}
    scale = 1 if stored_size is None else 2
    dimensions = b"".join(
        struct.pack("<4siifi", axis.encode(), start, scale * sizes.get(axis, 1) if axis in sizes else 1, 0.0,
                    sizes.get(axis, 1))
        for axis, start in at.items()
    )  # fmt: skip
    is_reduced = 2 if stored_size else 0
    head = struct.pack("<2siqiiB5xi", b"DV", kind, position, 0, compression, is_reduced, len(at))
    return head + dimensions


def _packed(pixels, compression):
    stored = pixels[..., ::-1].tobytes() if pixels.ndim > 2 else pixels.tobytes()
    if compression == 5:
        return imagecodecs.zstd_encode(stored)
    if compression == 6:
        apart = np.frombuffer(stored, np.uint8).reshape(-1, 2).T.tobytes()
        return bytes([3, 1, 1]) + imagecodecs.zstd_encode(apart)
    return stored


def write_czi(path, blocks, size_um=None, compression=0, reduced=()):
    """Write sub-blocks.

    Parameters
    ----------
    path : Path
        The file.
    blocks : list of (dict, ndarray)
        Starts of each block by dimension, such as ``{"X": 0, "Y": 0, "C": 1, "S": 0, "M": 2}``, and its
        pixels: grey, or red, green and blue.
    size_um : tuple of float, optional
        Size of a voxel by X, Y, Z.
    compression : int
        0, or 5 and 6 for the two kinds of Zstandard.
    reduced : sequence of int
        Indices of blocks that are a pyramid's, of half the size.
    """
    parts, entries = [], []
    position = 32 + 512
    for number, (at, pixels) in enumerate(blocks):
        data = _packed(pixels, compression)
        entry = _entry(pixels, at, position, compression, pixels.shape if number in reduced else None)
        head = struct.pack("<iiq", 0, 0, len(data)) + entry
        block = _segment(b"ZISRAWSUBBLOCK", head.ljust(256, b"\0") + data)
        entries.append(entry)
        parts.append(block)
        position += len(block)
    directory = struct.pack("<i124x", len(entries)) + b"".join(entries)
    at_directory = position
    parts.append(_segment(b"ZISRAWDIRECTORY", directory))
    at_metadata = at_directory + len(parts[-1])
    items = "".join(SCALING.format(axis, um * 1e-6) for axis, um in zip("XYZ", size_um or (), strict=False))
    xml = f"<ImageDocument><Metadata><Scaling><Items>{items}</Items></Scaling></Metadata></ImageDocument>"
    parts.append(_segment(b"ZISRAWMETADATA", struct.pack("<ii248x", len(xml), 0) + xml.encode()))
    header = struct.pack(
        "<iiii16s16siqqiq", 1, 0, 0, 0, bytes(16), bytes(16), 0, at_directory, at_metadata, 0, 0
    )
    path.write_bytes(_segment(b"ZISRAWFILE", header.ljust(512, b"\0")) + b"".join(parts))
    return path
