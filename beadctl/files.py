"""Files that are either whole or not there: written beside their place, then renamed into it."""

import contextlib
import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from beadctl.errors import OutputError

UMASK = threading.Lock()


@contextlib.contextmanager
def atomic(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path` that becomes `path` when the block ends well.

    The folder is made when it is missing. An exception, or a killed process, leaves whatever
    stood at `path` before; the temporary file carries the same suffix, because image writers
    choose their format by it, and a leading dot, so that no later run takes it for an image.

    Parameters
    ----------
    path : Path
        Where the file shall stand.
    durable : bool
        Wait until the disk has it. Not worth it for thousands of files that a power cut may take, as long as
        what names them, with their fingerprints, is written after them and waits.

    Raises
    ------
    OutputError
        If the folder or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem[:40]}.", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); choose another place with -o"
        ) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files that only their owner may read: give back what the umask would have given.
        with contextlib.suppress(OSError):
            temporary.chmod(0o666 & ~_umask())
        if durable:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    # It can only be read by setting it: two threads at once would leave the wrong one.
    with UMASK:
        mask = os.umask(0o022)
        os.umask(mask)
        return mask


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write `text` as UTF-8 with Unix line ends, whole or not at all; see `atomic`."""
    write_bytes(path, text.encode("utf-8"), durable=durable)


def write_bytes(path: Path, content: bytes | memoryview, *, durable: bool = True) -> None:
    """Write `content`, whole or not at all; see `atomic`."""
    with atomic(path, durable=durable) as temporary:
        temporary.write_bytes(content)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
