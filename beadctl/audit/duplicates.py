"""The prints of all pairs of a folder, and who is alike among them; on disk once they are many."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from beadctl.audit.fingerprint import SIDE, Print
from beadctl.errors import OutputError

Floats = NDArray[np.float32]
# Correlation of two prints from which on two images count as the same.
SAME = 0.97
# Prints that are compared at a time, with as many others.
BLOCK = 512
# Bytes that are kept in memory: some three hundred pairs.
IN_MEMORY = 2**20
_RECORD = np.dtype(
    [
        ("number", np.int64),
        ("shape", np.int64, 2),
        *((name, np.int8, SIDE * SIDE) for name in ("grey", "detail", "marks")),
    ]
)


class Album:
    """Prints, each under the number of its pair, in a file without a name that ends with the process.

    In memory ten thousand of them would take 30 MB; there are two passes over them, both in order.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115

    def __enter__(self) -> Album:
        return self

    def __exit__(self, *_: object) -> None:
        # A full disk was said already.
        with contextlib.suppress(OSError):
            self._file.close()

    def keep(self, number: int, small: Print) -> None:
        """Add the print of a pair.

        Parameters
        ----------
        number : int
            Of the pair; higher than those before.
        small : Print
            Its print.

        Raises
        ------
        OutputError
            If the disk for temporary files is full.
        """
        parts = (small.grey.ravel(), small.detail.ravel(), small.marks.ravel())
        with _room():
            self._file.write(np.array((number, small.shape, *parts), _RECORD).tobytes())

    def _blocks(self) -> Iterator[NDArray[np.void]]:
        place = 0
        while content := self._read(place):
            place += len(content)
            yield np.frombuffer(content, _RECORD)

    def _read(self, place: int) -> bytes:
        # What was written last may still wait for its place on the disk.
        with _room():
            self._file.seek(place)
            return self._file.read(BLOCK * _RECORD.itemsize)

    def twins(self) -> dict[int, int]:
        """Return, for each image that an earlier one equals or nearly so, the number of the first such."""
        found: dict[int, int] = {}
        for later in self._blocks():
            mine = _rows(later["grey"])
            for earlier in self._blocks():
                for row, column in np.argwhere(mine @ _rows(earlier["grey"]).T > SAME).tolist():
                    one, other = later[row], earlier[column]
                    if other["number"] < one["number"] and (one["shape"] == other["shape"]).all():
                        found.setdefault(int(one["number"]), int(other["number"]))
                if earlier["number"][-1] >= later["number"][-1]:
                    break
        return found

    def likely_owners(self, numbers: Collection[int], most: int = 5) -> dict[int, list[int]]:
        """Return the images, of the same shape, whose detail lies most where masks have their outlines.

        Parameters
        ----------
        numbers : collection of int
            The pairs whose masks are looked for.
        most : int
            How many images each gets at most, the likeliest first; its own is not among them.
        """
        found: dict[int, list[int]] = {}
        for masks in self._blocks():
            wanted = masks[np.isin(masks["number"], list(numbers))]
            if not len(wanted):
                continue
            marks = _rows(wanted["marks"])
            score = np.zeros((len(wanted), 0), np.float32)
            owner = np.zeros((len(wanted), 0), np.int64)
            for images in self._blocks():
                alike = marks @ _rows(images["detail"]).T
                alike[(wanted["shape"][:, None] != images["shape"][None]).any(axis=2)] = -np.inf
                alike[wanted["number"][:, None] == images["number"][None]] = -np.inf
                every = np.hstack([score, alike])
                numbered = np.hstack([owner, np.broadcast_to(images["number"], alike.shape)])
                best = np.argsort(-every, axis=1, kind="stable")[:, :most]
                score, owner = (np.take_along_axis(part, best, axis=1) for part in (every, numbered))
            for mask, known, others in zip(wanted["number"].tolist(), score, owner, strict=True):
                found[mask] = others[np.isfinite(known)].tolist()
        return found


@contextlib.contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"temporary files cannot be written ({error.strerror or error}); make room for them, or set"
            " TMPDIR to another folder"
        ) from None


def _rows(parts: NDArray[np.int8]) -> Floats:
    rows = parts.astype(np.float32)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-6), np.float32)
