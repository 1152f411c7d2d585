"""Values and names of files as text: in cells of tables, CSV, JSON and TOML."""

import csv
import io
import json
import math
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from beadctl.printable import escaped, printable
from beadctl.url import named

# What a formula begins with in a spreadsheet.
FORMULA = ("=", "+", "-", "@")


def name_text(name: PurePosixPath) -> str:
    r"""Return the name of a file as one line of text that every table can hold, and that can be turned back.

    Bytes that are no UTF-8, and control characters, become ``\xNN``; ``\x`` itself becomes ``\x5cx``. So does
    a first character by which a spreadsheet would take the name for a formula. Control characters and line
    ends beyond ASCII become ``\uNNNN``. That of an object in a store becomes its address.

    Examples
    --------
    >>> print(name_text(PurePosixPath("=1+2.tif")))
    \x3d1+2.tif
    """
    text = named(str(name))
    if sys.getfilesystemencoding() != "utf-8":
        # In locales such as C, so that a name is the same in the tables of every job.
        text = os.fsencode(text).decode("utf-8", "surrogateescape")
    return no_formula(printable(re.sub(r"\\(?=[xu])", r"\\x5c", text)))


def alike(name: str) -> str:
    """Return what names have in common that some file systems take for one: by case, or composed accents.

    Examples
    --------
    >>> alike("One.tif") == alike("one.TIF")
    True
    """
    return unicodedata.normalize("NFC", name).casefold()


def no_formula(text: str) -> str:
    r"""Return `text` with a first character as ``\xNN`` by which a spreadsheet takes it for a formula."""
    return f"\\x{ord(text[0]):02x}{text[1:]}" if text.startswith(FORMULA) else text


def cell(value: object) -> str:
    """Return a value as the text of a table cell: empty for None and nan, six digits of a float."""
    match value:
        case float():
            return "" if math.isnan(value) else f"{value:.6g}"
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def csv_line(cells: Iterable[object], delimiter: str = ",") -> str:
    """Return one line of CSV without the line end."""
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator="").writerow(cells)
    return buffer.getvalue()


def json_text(content: object, *, indent: int | None = 2) -> str:
    """Return a value as strict JSON: nan and infinity become null, unknown types their text."""
    return json.dumps(_strict(content), indent=indent, allow_nan=False, ensure_ascii=False, default=str)


def _strict(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", escaped, value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def toml_text(content: Mapping[str, object]) -> str:
    """Return a mapping of plain values as TOML, which has no null: entries of None are left out."""
    import tomli_w

    return tomli_w.dumps(_without_none(content))


def _without_none(content: Mapping[str, object]) -> dict[str, object]:
    return {
        key: _without_none(value) if isinstance(value, Mapping) else value
        for key, value in content.items()
        if value is not None
    }
