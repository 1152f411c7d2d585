"""JSON as annotation tools write it: read, and taken apart with errors that name the file."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from beadctl.annotations.outline import Ring
from beadctl.errors import AnnotationError

# Beyond this no pixel lies, and squares of coordinates would lose their digits.
FARTHEST_PX = 1e7


def parsed(path: Path, content: bytes) -> Any:
    """Parse JSON.

    Raises
    ------
    AnnotationError
        If it is none.
    """
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise AnnotationError(
            f"{path}: no valid JSON (line {error.lineno}: {error.msg}); export the annotations again"
        ) from None
    except (ValueError, RecursionError) as error:
        words = " ".join(str(error).split())
        raise AnnotationError(f"{path}: no valid JSON ({words}); export the annotations again") from None


def content(path: Path) -> bytes:
    """Read a whole file.

    Raises
    ------
    AnnotationError
        If it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise AnnotationError(
            f"{path}: cannot be read ({error.strerror or error}); check its permissions"
        ) from None


def text(path: Path) -> str:
    """Read a whole file as text.

    Raises
    ------
    AnnotationError
        If it cannot be read, or is no UTF-8.
    """
    try:
        return content(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise AnnotationError(f"{path}: is no UTF-8 text; save it as text in UTF-8") from None


def ring(flat: object, path: Path, name: str) -> Ring:
    """Return a list of x and y in turns, or of (x, y), as an outline of (y, x).

    Raises
    ------
    AnnotationError
        If they are no pairs of numbers.
    """
    try:
        points = np.array(flat, np.float64)
    except (TypeError, ValueError, OverflowError):
        points = np.array(math.nan)
    if points.ndim == 1 and points.size % 2 == 0:
        points = points.reshape(-1, 2)
    # Positions may have a height, which is of no use here (RFC 7946, 3.1.1).
    if points.ndim != 2 or points.shape[1] not in (2, 3) or not (np.abs(points[:, :2]) < FARTHEST_PX).all():
        raise AnnotationError(f"{path}: {name} has an outline that is no list of x and y; export it again")
    return points[:, 1::-1]
