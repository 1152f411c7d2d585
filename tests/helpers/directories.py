"""TIFF files written byte by byte, as no library would."""

import struct

import numpy as np

PIXELS = bytes(range(16))


class Directories:
    """A TIFF file of directories in any order, with `head` and 4 x 4 px behind the header."""

    def __init__(self, big=False, head=b""):
        self.big = big
        self.content = bytearray(b"II+\0\10\0\0\0" + bytes(8) if big else b"II*\0" + bytes(4))
        self.append(head)
        self.pixels = self.append(PIXELS)

    def append(self, data):
        """Append bytes and return their position."""
        position = len(self.content)
        self.content += data
        return position

    def add(self, extra=(), height=4, first=False):
        """Append a directory of the usual tags and `extra` (code, type, count, value); return its place."""
        tags = {
            256: (4, 1, 4), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1),
            273: (4, 1, self.pixels), 277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, 4 * height),
        }  # fmt: skip
        tags |= {code: rest for code, *rest in extra}
        number, tag, offset = ("<Q", "<HHQQ", "<Q") if self.big else ("<H", "<HHII", "<I")
        position = self.append(struct.pack(number, len(tags)))
        for code in sorted(tags):
            self.append(struct.pack(tag, code, *tags[code]))
        self.last = self.append(struct.pack(offset, 0))
        if first:
            self.point(8 if self.big else 4, position)
        return position

    def point(self, at, position):
        """Write an offset."""
        struct.pack_into("<Q" if self.big else "<I", self.content, at, position)

    def chain(self, count, **named):
        """Append directories of which each names the next, and return their positions."""
        before, positions = (8 if self.big else 4), []
        for _ in range(count):
            positions.append(self.add(**named))
            self.point(before, positions[-1])
            before = self.last
        return positions

    def write(self, path):
        """Write the file."""
        path.write_bytes(self.content)
        return path


def empty_chain(count):
    """Return a file of directories without tags, of which each names the next."""
    places = np.arange(8, 8 + 6 * count, 6, dtype="<u4")
    chain = np.zeros(count, [("tags", "<u2"), ("next", "<u4")])
    chain["next"][:-1] = places[1:]
    return b"II*\0" + places[:1].tobytes() + chain.tobytes()
