"""Atomic writing of files and tables, and fingerprints of their content."""

import contextlib
import csv
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from beadctl.errors import OutputError
from beadctl.text import cell, json_text

# Begins the names of files that are being written; what a killed process left of them is no result.
TEMPORARY = ".beadctl-"
# Those that this process is writing.
_being_written: set[Path] = set()
UMASK_LOCK = threading.Lock()


@contextlib.contextmanager
def atomic(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces `path` when the block ends without an exception.

    A missing folder is created. An exception or a killed process leaves `path` as it was. The temporary file
    has the same suffix, by which image writers choose their format, and a leading dot, which hides it from
    the search for images.

    Parameters
    ----------
    path : Path
        The file to write.
    durable : bool
        Flush it to the disk; too slow for thousands of files whose fingerprints follow in a durable file.

    Raises
    ------
    OutputError
        If the folder or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f"{TEMPORARY}{path.stem[:40]}.", suffix=path.suffix, dir=path.parent
        )
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); choose another place with -o"
        ) from None
    os.close(handle)
    temporary = Path(name)
    _being_written.add(temporary)
    try:
        yield temporary
        # mkstemp makes files that only their owner may read: set the permissions that the umask gives.
        with contextlib.suppress(OSError):
            temporary.chmod(0o666 & ~_umask())
        if durable:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            temporary.unlink()
        _being_written.discard(temporary)


def remove_temporaries() -> None:
    """Remove the temporary files that this process is writing, because it ends now."""
    for path in tuple(_being_written):
        with contextlib.suppress(OSError):
            path.unlink()


def _umask() -> int:
    # The umask can only be read by setting it, which one thread at a time may do.
    with UMASK_LOCK:
        mask = os.umask(0o022)
        os.umask(mask)
        return mask


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write `text` as UTF-8 with Unix line ends; parameters and errors are those of `atomic`.

    What UTF-8 cannot hold is written as a backslash escape.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"), durable=durable)


def write_bytes(path: Path, content: bytes | memoryview, *, durable: bool = True) -> None:
    """Write `content`; parameters and errors are those of `atomic`."""
    with atomic(path, durable=durable) as temporary:
        temporary.write_bytes(content)


def fingerprint(*values: object) -> str:
    """Return a hash of plain values, 32 hexadecimal digits."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def require_free(folder: Path | None, names: Sequence[str], *, overwrite: bool) -> Path | None:
    """Return `folder` if it is None, holds none of the files `names`, or `overwrite` is true.

    Raises
    ------
    OutputError
        If one of the files exists and `overwrite` is false.
    """
    existing = [folder / name for name in names if folder and (folder / name).exists()]
    if existing and not overwrite:
        raise OutputError(f"{existing[0]}: already exists; use --overwrite, or another -o")
    return folder


def write_csv(
    path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]], *, rounded: bool = False
) -> None:
    """Write a table as CSV, atomically.

    Parameters
    ----------
    path, columns : Path and sequence of str
        The file; its header, which is also the keys of a row.
    rows : iterable of mapping
        Read one at a time; None is an empty cell.
    rounded : bool
        Write values as `cell` does, floats with six significant digits; else floats in full.
    """
    with (
        atomic(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            values = [row[column] for column in columns]
            writer.writerow(map(cell, values) if rounded else values)


def write_json(path: Path, content: object) -> None:
    """Write a value as strict JSON, atomically; see `json_text`."""
    write_text(path, json_text(content) + "\n")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
