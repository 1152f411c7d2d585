"""Errors of image decoders as one-line messages that name the file."""

import contextlib
import logging
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from beadctl.errors import ImageError

READERS = ("tifffile", "liffile", "nd2")
"""Packages that log what is wrong with a file, by the names of their loggers."""

# Of what a reader says.
MOST_CHARACTERS = 160
FIRST_PRIVATE_TAG = 32768
STK_PLANES_TAG = 33629

# Descriptions by tifffile and ImageJ that do not fit the pages, which are read then.
OUTDATED_DESCRIPTION = (
    "shaped series shape does not match page shape",
    "shaped series axes do not match shape",
    "invalid shaped series metadata",
    "ImageJ series metadata invalid",
)


class _Records(logging.Filter):
    """Drop the log records of `READERS` in this thread, which a handler would pass on; keep errors."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()
        self.errors: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self.thread:
            return True
        message = record.getMessage()
        is_harmless = _is_about_private_tag(message) or any(text in message for text in OUTDATED_DESCRIPTION)
        if record.levelno >= logging.ERROR and not is_harmless:
            self.errors.append(message)
        return False


def _is_about_private_tag(message: str) -> bool:
    """Whether the message is about a vendor's private tag, which does not affect the planes."""
    _, found, rest = message.partition("TiffTag ")
    code = rest.split(" ", 1)[0]
    return bool(found) and code.isdigit() and FIRST_PRIVATE_TAG <= int(code) != STK_PLANES_TAG


@contextlib.contextmanager
def failures(path: Path) -> Iterator[None]:
    """Context that turns every failure of a decoder into an `ImageError`.

    Invalid files make tifffile, imagecodecs and Pillow raise almost any exception, so all are caught; the
    block should hold little besides calls of these libraries. tifffile reports a truncated chain of pages
    or a damaged tag only by a log record of level ERROR, which counts as a failure too.

    A call of beadctl that a library does not have, as other versions may not, tells nothing of the file:
    this exception remains, and is reported as an internal error.

    Raises
    ------
    ImageError
        Names `path`; instead of anything else that was raised or logged as an error inside.
    """
    loggers = [logging.getLogger(name) for name in READERS]
    records = _Records()
    for logger in loggers:
        logger.addFilter(records)
    try:
        yield
    except ImageError:
        raise
    except Exception as error:
        if _is_unknown_call(error):
            raise
        raise ImageError(_description(path, error)) from error
    finally:
        for logger in loggers:
            logger.removeFilter(records)
    if records.errors:
        raise damaged(path, records.errors[0])


def _is_unknown_call(error: Exception) -> bool:
    """Whether a line of beadctl itself uses a name or an argument that a library does not have.

    Numbers, strings and None are what a damaged file may give in place of another object.
    """
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    if not frame.f_globals.get("__name__", "").startswith("beadctl."):
        return False
    match error:
        case AttributeError(obj=obj):
            return isinstance(obj, ModuleType) or type(obj).__module__ not in {"builtins", "numpy"}
        case TypeError():
            return any(f"{kind} argument" in str(error) for kind in ("keyword", "positional"))
    return False


def damaged(path: Path, detail: str) -> ImageError:
    """Return the error for a file at `path` with damaged or missing content, `detail` in words."""
    return ImageError(f"{path}: damaged or truncated ({_one_line(detail)}); copy or export it again")


def _description(path: Path, error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return f"{path}: no such file; check the path"
        case PermissionError():
            return f"{path}: permission denied; make it readable"
        case IsADirectoryError():
            return f"{path}: a folder, not an image; name a file in it"
        case MemoryError():
            return f"{path}: too large for the available memory; save it as a tiled TIFF"
        case ImportError():
            return _codec_missing(path, error)
        case OSError(errno=int(), strerror=str(reason)):
            return f"{path}: cannot be read ({reason}); check the disk or the network"
    if "requires the" in str(error) or isinstance(error, NotImplementedError):
        return _codec_missing(path, error)
    return str(damaged(path, str(error) or type(error).__name__))


def _codec_missing(path: Path, error: Exception) -> str:
    fault = f"stored in an encoding that cannot be decoded ({_one_line(str(error))})"
    return f"{path}: {fault}; save it uncompressed or with zlib"


def _one_line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= MOST_CHARACTERS else f"{flat[: MOST_CHARACTERS - 1]}…"
