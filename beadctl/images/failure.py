"""What a decoder raises or logs about a file, turned into one line for a person."""

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from beadctl.errors import ImageError

FIRST_PRIVATE_TAG = 32768


class _Records(logging.Filter):
    """Swallows what tifffile logs in this thread and keeps the errors.

    A filter rather than a handler: a handler would leave the records to those above it, and a
    library's warnings about tags have no place on the user's terminal.
    """

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()
        self.errors: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self.thread:
            return True
        message = record.getMessage()
        if record.levelno >= logging.ERROR and not _is_about_private_tag(message):
            self.errors.append(message)
        return False


def _is_about_private_tag(message: str) -> bool:
    """Whether the record is about a vendor's own tag, which says nothing about the pixels."""
    _, found, rest = message.partition("TiffTag ")
    code = rest.split(" ", 1)[0]
    return bool(found) and code.isdigit() and int(code) >= FIRST_PRIVATE_TAG


@contextlib.contextmanager
def failures(path: Path) -> Iterator[None]:
    """Turn every failure of a decoder into an `ImageError` that names `path`.

    Foreign bytes make tifffile, imagecodecs and Pillow raise nearly anything, so everything is
    caught, and little but calls into these belongs inside. tifffile reports a cut page chain or a damaged
    tag by a log record of level ERROR alone and then returns fewer pages; that is a failure too.

    Parameters
    ----------
    path : Path
        The file that is being read.

    Raises
    ------
    ImageError
        In place of whatever was raised or logged inside.
    """
    logger = logging.getLogger("tifffile")
    records = _Records()
    logger.addFilter(records)
    try:
        yield
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(describe(path, error)) from error
    finally:
        logger.removeFilter(records)
    if records.errors:
        raise damaged(path, records.errors[0])


def damaged(path: Path, detail: str) -> ImageError:
    """Return the error for a file whose content is not whole."""
    return ImageError(f"{path}: damaged or truncated ({_one_line(detail)}); copy or export it again")


def describe(path: Path, error: Exception) -> str:
    """Say in one line what `error` means for the file at `path`."""
    match error:
        case FileNotFoundError():
            return f"{path}: no such file; check the path"
        case PermissionError():
            return f"{path}: permission denied; make it readable"
        case IsADirectoryError():
            return f"{path}: a folder, not an image; name a file in it"
        case MemoryError():
            return f"{path}: too large for the memory at hand; save it as a tiled TIFF"
        case ImportError():
            return _codec_missing(path, error)
        case OSError(errno=int(), strerror=str(reason)):
            return f"{path}: cannot be read ({reason}); check the disk or the network"
    if "requires the" in str(error) or isinstance(error, NotImplementedError):
        return _codec_missing(path, error)
    return str(damaged(path, str(error) or type(error).__name__))


def _codec_missing(path: Path, error: Exception) -> str:
    detail = _one_line(str(error))
    return f"{path}: stored in a way that cannot be decoded ({detail}); save it uncompressed or with zlib"


def _one_line(text: str, limit: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"
