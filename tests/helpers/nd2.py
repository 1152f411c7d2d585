"""Small ND2 files of version 3, written by hand: chunks, and their map at the end."""

import struct
import zlib

import numpy as np

MAGIC = 0x0ABECEDA
SIGNATURE, MAP = b"ND2 FILE SIGNATURE CHUNK NAME01!", b"ND2 FILEMAP SIGNATURE NAME 0001!"
END = b"ND2 CHUNK MAP SIGNATURE 0000001!"
BOOL, UINT32, DOUBLE, STRING, LEVEL = 1, 3, 6, 8, 11
TIME, POSITIONS, STACK = 1, 2, 4
NAME_BYTES = 4072


def _item(name, value):
    """Return a name and a value as the binary tree of the metadata has them."""
    code = {bool: BOOL, int: UINT32, float: DOUBLE, str: STRING, dict: LEVEL}[type(value)]
    head = struct.pack("BB", code, len(name) + 1) + (name + "\0").encode("utf-16-le")
    if code == LEVEL:
        items = b"".join(_item(*item) for item in value.items())
        length = len(head) + 12 + len(items)
        return head + struct.pack("<IQ", len(value), length) + items + bytes(8 * len(value))
    if code == STRING:
        return head + (value + "\0").encode("utf-16-le")
    return head + struct.pack({BOOL: "<?", UINT32: "<I", DOUBLE: "<d"}[code], value)


def _chunk(name, data):
    return struct.pack("<IIQ", MAGIC, NAME_BYTES, len(data)) + name.ljust(NAME_BYTES, b"\0") + data


def _experiment(loops, z_step_um):
    """Return nested loops, the outermost first: (kind, count)."""
    (kind, count), *inner = loops
    parameters = {
        TIME: {"uiCount": count, "dStart": 0.0, "dPeriod": 0.0, "dDuration": 0.0},
        POSITIONS: {"uiCount": count, "Points": {f"a{i}": {"dPosX": float(i)} for i in range(count)}},
        STACK: {"uiCount": count, "dZStep": z_step_um},
    }[kind]
    level = {"eType": kind, "uLoopPars": parameters}
    if inner:
        level["ppNextLevelEx"] = {"a": _experiment(inner, z_step_um)}
    return level


def write_nd2(path, pixels, loops=(), size_um=None, z_step_um=0.0, colours=False, is_compressed=False,
              padding=0, left_out=()):  # fmt: skip
    """Write chunks.

    Parameters
    ----------
    path : Path
        The file.
    pixels : ndarray
        Axes chunk, Y, X, component; the components are channels, or red, green and blue.
    loops : sequence of (int, int)
        Kind and count of each loop of the experiment, the outermost first.
    size_um, z_step_um : float
        Edge of a pixel, or None for a file without; distance of planes.
    colours, is_compressed : bool
        Whether the components are colours; whether the pixels are.
    padding : int
        Bytes after each row.
    left_out : sequence of int
        Chunks that the file lacks.
    """
    count, height, width, components = pixels.shape
    bits = 8 * pixels.itemsize
    row = width * components * pixels.itemsize + padding
    attributes = {
        "uiWidth": width, "uiWidthBytes": row, "uiHeight": height, "uiComp": components,
        "uiBpcInMemory": bits, "uiBpcSignificant": bits, "uiSequenceCount": count,
        "eCompression": 0 if is_compressed else 2, "dCompressionParam": 0.0,
    }  # fmt: skip
    channels = 1 if colours else components
    planes = {
        f"a{i}": {"uiCompCount": components // channels, "sDescription": f"c{i}"} for i in range(channels)
    }
    picture = {
        "dCalibration": size_um or 0.0, "bCalibrated": size_um is not None,
        "sPicturePlanes": {"uiCount": channels, "sPlaneNew": planes},
    }  # fmt: skip
    chunks = [
        (b"ImageAttributesLV!", _item("SLxImageAttributes", attributes)),
        (b"ImageMetadataSeqLV|0!", _item("SLxPictureMetadata", picture)),
    ]
    if loops:
        chunks.append((b"ImageMetadataLV!", _item("SLxExperiment", _experiment(loops, z_step_um))))
    for number, chunk in enumerate(pixels):
        stored = chunk[..., ::-1] if colours else chunk
        rows = np.ascontiguousarray(stored).reshape(height, -1).view(np.uint8)
        data = np.pad(rows, ((0, 0), (0, padding))).tobytes()
        data = struct.pack("<d", 0.0) + (zlib.compress(data) if is_compressed else data)
        if number not in left_out:
            chunks.append((f"ImageDataSeq|{number}!".encode(), data))
    content = struct.pack("<IIQ", MAGIC, 32, 64) + SIGNATURE + b"Ver3.0".ljust(64, b"\0")
    places = b""
    for name, data in chunks:
        places += name + struct.pack("<QQ", len(content), len(data))
        content += _chunk(name, data)
    content += _chunk(MAP, places + END + struct.pack("<Q", len(content)))
    path.write_bytes(content)
    return path
