"""Text and JSON of annotation files: read and parsed, with errors that name the file."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from beadctl.annotations.outline import Ring
from beadctl.errors import AnnotationError

# Larger coordinates are damaged data; their squares would also lose digits.
FARTHEST_PX = 1e7


def unreadable(path: Path, error: OSError) -> AnnotationError:
    """Return the error for a file at `path` that the operating system cannot read."""
    return AnnotationError(
        f"{path}: cannot be read ({error.strerror or error}); check the path and its permissions"
    )


def one_line(error: Exception) -> str:
    """Return the text of an exception of a foreign library on one line."""
    return " ".join(str(error).split())


def parsed(path: Path, content: bytes) -> Any:
    """Parse the JSON content of the file at `path`; an `AnnotationError` if it is not valid."""
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        detail = f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError) as error:
        detail = one_line(error)
    raise AnnotationError(f"{path}: no valid JSON ({detail}); export the annotations again")


def content(path: Path) -> bytes:
    """Read the whole file at `path`; an `AnnotationError` if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


def text(path: Path) -> str:
    """Read the whole file at `path` as text; an `AnnotationError` if it cannot be read or is not UTF-8."""
    try:
        return content(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise AnnotationError(f"{path}: is not UTF-8 text; save it as text in UTF-8") from None


def ring(coordinates: object, path: Path, name: str) -> Ring:
    """Return parsed JSON, a list of x, y, x, y, ... or of (x, y), as an outline of (y, x).

    Raises
    ------
    AnnotationError
        If they are not pairs of numbers; it names the file at `path` and the object `name`.
    """
    try:
        points = np.array(coordinates, np.float64)
    except (TypeError, ValueError, OverflowError):
        points = np.array(math.nan)
    if points.ndim == 1 and points.size % 2 == 0:
        points = points.reshape(-1, 2)
    # A position may have a third number, its height (RFC 7946, 3.1.1).
    if points.ndim != 2 or points.shape[1] not in (2, 3) or not (np.abs(points[:, :2]) < FARTHEST_PX).all():
        raise AnnotationError(f"{path}: {name} has an outline that is not a list of x and y; export it again")
    return points[:, 1::-1]
