"""Arrays and files of the size of a plane: in memory, or in a temporary file where they are too large for it.

A file without a name disappears with its array, however the process ends. Its pages count as memory of the
process while they are mapped, so loops over bands of rows give them back with `release`.
"""

import math
import mmap
import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from beadctl.errors import OutputError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

T = TypeVar("T")

# Larger arrays are files, unless `keep_in_memory` says otherwise.
IN_MEMORY_BYTES = 2**28
# Pixels that are worked on at a time.
BAND_PX = 2**20
# Windows after which memory is given back: the system maps 16 pages around each that is read.
ITEMS = 16
_kept = [IN_MEMORY_BYTES]


def keep_in_memory(most_bytes: int) -> None:
    """Set the size up to which arrays of this process are in memory, in bytes."""
    _kept[0] = most_bytes


def zeros(
    shape: tuple[int, ...],
    dtype: "DTypeLike",
    *,
    most_bytes: int | None = None,
    folder: Path | None = None,
) -> "NDArray[Any]":
    """Return an array of zeros.

    Parameters
    ----------
    shape, dtype
        As for `numpy.zeros`.
    most_bytes : int, optional
        Size above which it is a file; by default that of `keep_in_memory`.
    folder : Path, optional
        Where the file lies; by default the system's folder of temporary files.

    Raises
    ------
    OutputError
        If the file cannot be made or the disk is too small for it.

    Examples
    --------
    >>> zeros((2, 3), "uint8", most_bytes=0).tolist()
    [[0, 0, 0], [0, 0, 0]]
    """
    import numpy as np

    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= (_kept[0] if most_bytes is None else most_bytes) or not size:
        return np.zeros(shape, dtype)
    where = folder or Path(tempfile.gettempdir())
    try:
        with tempfile.TemporaryFile(dir=where) as file:
            # Writing to a mapped file on a full disk would end the process by a signal.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return np.memmap(file, dtype=np.dtype(dtype), mode="r+", shape=shape)
    except OSError as error:
        need = f"{size / 2**30:.1f} GiB for a plane of this size"
        raise OutputError(f"{where}: no room ({error.strerror}); it needs {need}; set TMPDIR") from None


def new_folder() -> Path:
    """Return a new, empty folder among the temporary files, which whoever asks for it removes.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    where = tempfile.gettempdir()
    try:
        return Path(tempfile.mkdtemp(prefix="beadctl-"))
    except OSError as error:
        raise OutputError(f"{where}: cannot be written ({error.strerror}); set TMPDIR") from None


class Pieces:
    """Pieces of bytes in their order, together in memory or, where they grow too large for it, in a file.

    Parameters
    ----------
    most_bytes : int, optional
        Size above which it is a file; by default that of `keep_in_memory`.

    Raises
    ------
    OutputError
        If the disk is too small for the file.

    Examples
    --------
    >>> pieces = Pieces()
    >>> pieces.append(b"one")
    >>> pieces.append(b"two")
    >>> list(pieces), pieces.size
    ([b'one', b'two'], 6)
    """

    def __init__(self, most_bytes: int | None = None) -> None:
        # A limit of 0 stands for none.
        most = max(1, _kept[0] if most_bytes is None else most_bytes)
        self._file = tempfile.SpooledTemporaryFile(most)  # noqa: SIM115
        self._lengths = list[int]()
        weakref.finalize(self, self._file.close)

    def __reduce__(self) -> "tuple[Any, ...]":
        """Travel to another process, with all pieces in memory."""
        return Pieces._of, (list(self),)

    @classmethod
    def _of(cls, pieces: Iterable[bytes]) -> "Pieces":
        made = cls()
        for piece in pieces:
            made.append(piece)
        return made

    @property
    def size(self) -> int:
        """All bytes."""
        return sum(self._lengths)

    def append(self, piece: bytes) -> None:
        """Add a piece; not while pieces are read."""
        try:
            self._file.write(piece)
        except OSError as error:
            where = tempfile.gettempdir()
            raise OutputError(f"{where}: cannot be written ({error.strerror}); set TMPDIR") from None
        self._lengths.append(len(piece))

    def __iter__(self) -> Iterator[bytes]:
        """Read the pieces, one at a time."""
        self._file.seek(0)
        for length in self._lengths:
            yield self._file.read(length)


def release(*arrays: "NDArray[Any]") -> None:
    """Give the memory of arrays that are files back to the system; their content stays."""
    for array in arrays:
        base: Any = array
        while base is not None and not isinstance(base, mmap.mmap):
            base = getattr(base, "base", None)
        if base is not None and hasattr(base, "madvise"):
            base.madvise(mmap.MADV_DONTNEED)


def copied(array: "NDArray[Any]") -> "NDArray[Any]":
    """Return a copy of a plane, (H, W), as an array of `zeros`."""
    result = zeros(array.shape, array.dtype)
    for rows in bands(*array.shape):
        result[rows] = array[rows]
        release(array, result)
    return result


def released(items: Iterable[T], *arrays: "NDArray[Any]") -> Iterator[T]:
    """Yield items, such as windows that are read of arrays, and give the memory back after some of them.

    Examples
    --------
    >>> plane = zeros((2, 2), "uint8", most_bytes=0)
    >>> [int(plane[row, 0]) for row in released(range(2), plane)]
    [0, 0]
    """
    for number, item in enumerate(items, start=1):
        yield item
        if number % ITEMS == 0:
            release(*arrays)
    release(*arrays)


def bands(height: int, width: int, *, px: int = BAND_PX) -> Iterator[slice]:
    """Yield the rows of a plane in bands of about `px` pixels, top first.

    Examples
    --------
    >>> [(rows.start, rows.stop) for rows in bands(5, 10, px=20)]
    [(0, 2), (2, 4), (4, 5)]
    """
    step = max(1, px // max(1, width))
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))
