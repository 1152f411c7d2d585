"""Tables that people write about their images: CSV with a line for each file."""

import csv
import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from beadctl.errors import SettingsError
from beadctl.words import first_names

FILE = "file"
# Its name in counts.csv.
FILE_TOO = "image"
# Least similarity of a heading that may be misspelt.
LEAST_ALIKE = 0.75


@dataclass(frozen=True)
class Line:
    """A line of a table: its place for messages, the image that it is about, and its cells by column."""

    place: str
    image: str
    cells: Mapping[str, str]


def read_sheet(path: Path, names: Sequence[str], needed: str, optional: Sequence[str]) -> list[Line]:
    """Read a table of images: the column ``file`` (or ``image``), one more that it needs, and others.

    Other columns are ignored, and those of `optional` that are missing are empty, unless another one may be
    meant by its name, which is refused. A line may end early, but not hold more cells than the first line, as
    numbers with a decimal comma do; one whose cells are all empty is ignored. A file is named by its path
    below the input folder, or by its name alone where only one image has it.

    Parameters
    ----------
    path : Path
        The CSV file, in UTF-8, with commas, semicolons or tabs.
    names : sequence of str
        Images by their path below the input folder.
    needed, optional : str and sequence of str
        Names of columns.

    Raises
    ------
    SettingsError
        If the file cannot be read, lacks a column, has it twice or misspelt, has a line with more cells than
        the first one or without a file, or names a file that is no image of the run.
    """
    alone = Counter(map(_base, names))
    by_file = {_base(name): name for name in names if alone[_base(name)] == 1} | {
        name: name for name in names
    }
    columns = (FILE, needed, *optional)
    rows = _rows(path, columns)
    if unknown := [row[FILE] for _, row in rows if row[FILE] not in by_file]:
        what = "no images of this run, or names of several"
        raise SettingsError(f"{path}: {first_names(unknown)}: {what}; write files as in counts.csv")
    return [Line(f"{path}, line {number}", by_file[row[FILE]], row) for number, row in rows]


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _alike(name: str, heads: Sequence[str]) -> str:
    """Return a heading that may be another spelling of a column's name, or an empty text.

    Examples
    --------
    >>> [_alike("dilution", [head]) for head in ("dilution factor", "dilutions", "diluton", "notes")]
    ['dilution factor', 'dilutions', 'diluton', '']
    """
    near = difflib.get_close_matches(name, heads, 1, LEAST_ALIKE)
    return next((head for head in heads if name in head), near[0] if near else "")


def _rows(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Return the lines of a table with their numbers, all of `columns` in each."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=max(",;\t", key=head.count), restval="")
            heads = [name.strip().lower() for name in reader.fieldnames or ()]
            given = dict(zip(heads, reader.fieldnames or (), strict=True))
            given.setdefault(FILE, given.get(FILE_TOO, ""))
            if twice := [name for name in columns if heads.count(name) > 1]:
                raise SettingsError(f"{path}: has the column {twice[0]} twice; rename one of them")
            if lacking := [name for name in columns[:2] if not given.get(name)]:
                raise SettingsError(
                    f"{path}: has no column {lacking[0]}; its first line is {','.join(columns)}"
                )
            for name in columns[2:]:
                if name not in given and (alike := _alike(name, heads)):
                    raise SettingsError(
                        f"{path}: has no column {name}, but {alike}; rename it to {name}, or to another word"
                    )
            rows = []
            for row in reader:
                if any(cell.strip() for cell in row.pop(None, ())):
                    raise SettingsError(
                        f"{path}, line {reader.line_num}: has more cells than the first line; "
                        "write numbers with a point, and texts with commas in quotes"
                    )
                # Spreadsheets write cells that were emptied as lines of commas.
                if not any(cell.strip() for cell in row.values()):
                    continue
                cells = {name: row[given[name]].strip() if name in given else "" for name in columns}
                if not cells[FILE]:
                    raise SettingsError(f"{path}, line {reader.line_num}: names no file; fill in its {FILE}")
                rows.append((reader.line_num, cells))
            return rows
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); check its path") from None
    except (csv.Error, UnicodeDecodeError):
        raise SettingsError(f"{path}: is no CSV file in UTF-8; save it as one") from None
