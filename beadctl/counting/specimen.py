"""Which sample, dilution and replicate each image shows: by its name, or by a sample sheet."""

import csv
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from beadctl.errors import SettingsError

PARTS = ("sample", "dilution", "replicate")
COLUMNS = ("file", *PARTS)
NEEDED = ("file", "sample")
# Dilutions of a series.
LEAST_LEVELS = 3
# Names in a message.
MOST_NAMES = 3


@dataclass(frozen=True)
class Specimen:
    """What an image shows.

    Attributes
    ----------
    sample : str
        Name of the sample; may be empty where the dilution tells groups apart.
    dilution : float or None
        Factor by which the stock was diluted, such as 10; None where it is not stated.
    replicate : str
        Name of the replicate: fields of one replicate are not independent. Empty where it is not stated.
    """

    sample: str
    dilution: float | None = None
    replicate: str = ""

    @property
    def group(self) -> str:
        """Name of the group of fields of one sample and dilution."""
        return " ".join(filter(None, (self.sample, "" if self.dilution is None else f"{self.dilution:g}x")))


def by_expression(names: Sequence[str], expression: str) -> dict[str, Specimen]:
    r"""Return the specimen of each image whose name an expression matches.

    The groups ``(?P<sample>)``, ``(?P<dilution>)`` and ``(?P<replicate>)`` of the expression are what they
    are called. Without these the sample is its first group, or the whole match.

    Parameters
    ----------
    names : sequence of str
        Images by their path below the input folder.
    expression : str
        Regular expression that is searched in each name.

    Raises
    ------
    SettingsError
        If the expression is malformed, has other names or matches no image, or a dilution is no number.

    Examples
    --------
    >>> by_expression(["A_10x_1.tif", "blank.tif"], r"^(?P<sample>[A-Z])_(?P<dilution>\d+)x")
    {'A_10x_1.tif': Specimen(sample='A', dilution=10.0, replicate='')}
    """
    problem = f"--group-by '{expression}'"
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise SettingsError(f"{problem}: not a regular expression ({error})") from None
    if unknown := sorted(pattern.groupindex.keys() - set(PARTS)):
        raise SettingsError(f"{problem}: no group is called {unknown[0]}; name groups {', '.join(PARTS)}")
    found = {}
    for name in names:
        if match := pattern.search(name):
            parts = match.groupdict("") or {"sample": match.group(1 if pattern.groups else 0) or ""}
            text = parts.get("dilution", "")
            dilution = _factor(text, f"{problem}: {name}") if text else None
            found[name] = Specimen(parts.get("sample", ""), dilution, parts.get("replicate", ""))
    if not found:
        example = f", such as {names[0]}" if names else ""
        raise SettingsError(f"{problem}: matches none of the {len(names)} images{example}; change it")
    return found


def by_sheet(names: Sequence[str], sheet: Path) -> dict[str, Specimen]:
    """Return the specimen of each image, as a sample sheet says.

    The sheet is a CSV file with the columns ``file`` and ``sample``, and ``dilution`` and ``replicate`` where
    there are any; others are ignored. A file is named by its path below the input folder, or by its name
    alone where only one image has it.

    Parameters
    ----------
    names : sequence of str
        Images by their path below the input folder.
    sheet : Path
        The CSV file, in UTF-8, with commas, semicolons or tabs.

    Raises
    ------
    SettingsError
        If it cannot be read, lacks a column, names a file twice, or one that is no image of the run, or lacks
        an image.
    """
    alone = Counter(name.rpartition("/")[2] for name in names)
    by_file = {base: name for name in names if alone[base := name.rpartition("/")[2]] == 1}
    by_file |= {name: name for name in names}
    found: dict[str, Specimen] = {}
    unknown = []
    for line, row in _rows(sheet):
        place = f"{sheet}, line {line}"
        name = by_file.get(row["file"])
        if name is None:
            unknown.append(row["file"])
        elif name in found:
            raise SettingsError(f"{place}: {name} is already named above; remove one of the lines")
        elif not row["sample"]:
            raise SettingsError(f"{place}: {name} has no sample; name it")
        else:
            dilution = _factor(row["dilution"], place) if row["dilution"] else None
            found[name] = Specimen(row["sample"], dilution, row["replicate"])
    if unknown:
        what = "no images of this run, or names of several"
        raise SettingsError(f"{sheet}: {some(unknown)}: {what}; write files as in counts.csv")
    if missing := [name for name in names if name not in found]:
        raise SettingsError(
            f"{sheet}: has no line for {some(missing)}; add one, or leave images out by --exclude"
        )
    return found


def require_levels(specimens: Iterable[Specimen]) -> None:
    """Refuse samples that are no dilution series.

    Raises
    ------
    SettingsError
        If a sample has fewer than three dilutions.
    """
    levels: dict[str, set[float]] = {}
    for one in specimens:
        levels.setdefault(one.sample, set()).update(() if one.dilution is None else (one.dilution,))
    for sample, found in levels.items():
        if len(found) < LEAST_LEVELS:
            has = some([f"{factor:g}x" for factor in sorted(found)]) or "none"
            raise SettingsError(
                f"--dilution-series: sample {sample or 'without name'} has too few dilutions ({has}); "
                f"it takes {LEAST_LEVELS}, from (?P<dilution>[0-9]+) in --group-by, or from --sample-sheet"
            )


def _rows(sheet: Path) -> list[tuple[int, dict[str, str]]]:
    """Return the lines of a sample sheet with their numbers, all of `COLUMNS` in each."""
    try:
        with sheet.open(newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=head.count)
            reader = csv.DictReader(file, delimiter=delimiter, restval="")
            columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
            if lacking := [name for name in NEEDED if name not in columns]:
                raise SettingsError(
                    f"{sheet}: has no column {lacking[0]}; its first line is {','.join(COLUMNS)}"
                )
            return [
                (
                    reader.line_num,
                    {name: row[columns[name]].strip() if name in columns else "" for name in COLUMNS},
                )
                for row in reader
            ]
    except OSError as error:
        raise SettingsError(f"{sheet}: cannot be read ({error.strerror}); check --sample-sheet") from None
    except (csv.Error, UnicodeDecodeError):
        raise SettingsError(f"{sheet}: is no CSV file in UTF-8; save it as one") from None


def _factor(text: str, place: str) -> float:
    """Return a dilution factor from text such as ``10`` or ``10x``."""
    try:
        factor = float(text.strip().rstrip("xX"))
    except ValueError:
        factor = math.nan
    if not 0 < factor < math.inf:
        raise SettingsError(f"{place}: {text} is no dilution factor; write a number above 0, such as 10")
    return factor


def some(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
