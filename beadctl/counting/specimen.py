"""Which sample, dilution and replicate each image shows: by its name, or by a sample sheet."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from beadctl.counting.sheet import read_sheet
from beadctl.errors import SettingsError
from beadctl.words import first_names

PARTS = ("sample", "dilution", "replicate")
# Dilutions of a series.
LEAST_LEVELS = 3
# Largest dilution factor: beyond, a millilitre holds no bead.
MOST_DILUTED = 1e12


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
    are called. Without these the sample is its first group, or the whole match. An empty match is none.

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
            if not any(parts.values()):
                continue
            text = parts.get("dilution", "")
            dilution = _factor(text, f"{problem}: {name}") if text else None
            found[name] = Specimen(parts.get("sample", ""), dilution, parts.get("replicate", ""))
    if not found:
        example = f", such as {names[0]}" if names else ""
        raise SettingsError(f"{problem}: matches none of the images{example}; change it")
    return found


def by_sheet(names: Sequence[str], sheet: Path) -> dict[str, Specimen]:
    """Return the specimen of each image, as a sample sheet says.

    The sheet has the columns ``file`` and ``sample``, and ``dilution`` and ``replicate`` where there are any;
    see `beadctl.counting.sheet.read_sheet`.

    Parameters
    ----------
    names : sequence of str
        Images by their path below the input folder.
    sheet : Path
        The CSV file.

    Raises
    ------
    SettingsError
        If it cannot be read, lacks a column, names a file twice, or one that is no image of the run, or lacks
        an image.
    """
    found: dict[str, Specimen] = {}
    for line in read_sheet(sheet, names, "sample", ("dilution", "replicate")):
        # A line break in a cell would be one in the tables too.
        sample, dilution = " ".join(line.cells["sample"].split()), line.cells["dilution"]
        if line.image in found:
            raise SettingsError(f"{line.place}: {line.image} is already named above; remove one of the lines")
        if not sample:
            raise SettingsError(f"{line.place}: {line.image} has no sample; name it")
        factor = _factor(dilution, line.place) if dilution else None
        found[line.image] = Specimen(sample, factor, line.cells["replicate"])
    if missing := [name for name in names if name not in found]:
        raise SettingsError(
            f"{sheet}: has no line for {first_names(missing)}; add one, or leave images out by --exclude"
        )
    return found


def require_all_diluted(specimens: Mapping[str, Specimen], source: str) -> None:
    """Refuse dilutions of some images alone: the others would be taken for undiluted.

    Parameters
    ----------
    specimens : mapping of str to Specimen
        What each image shows.
    source : str
        Setting that the specimens are from.

    Raises
    ------
    SettingsError
        Names images without a dilution, where others have one.
    """
    without = [name for name, one in specimens.items() if one.dilution is None]
    if without and len(without) < len(specimens):
        raise SettingsError(
            f"{source}: states no dilution for {first_names(without)}, but for others; state 1 for undiluted "
            "ones, or leave images out by --exclude"
        )


def require_all_replicated(
    specimens: Mapping[str, Specimen], source: str, *, in_series: bool = False
) -> None:
    """Refuse replicates of some images of a group alone: its fields would be taken for independent.

    Parameters
    ----------
    specimens, source
        As for `require_all_diluted`.
    in_series : bool
        Whether the dilutions of a sample are fitted together, as one group.

    Raises
    ------
    SettingsError
        Names images without a replicate, where others of their group have one.
    """

    def group(one: Specimen) -> str:
        return one.sample if in_series else one.group

    replicated = {group(one) for one in specimens.values() if one.replicate}
    if without := [name for name, one in specimens.items() if not one.replicate and group(one) in replicated]:
        raise SettingsError(
            f"{source}: states no replicate for {first_names(without)}, but for others of the "
            f"{'sample' if in_series else 'group'}; state it for all of them, or for none"
        )


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
            has = first_names([f"{factor:g}x" for factor in sorted(found)]) or "none"
            raise SettingsError(
                f"--dilution-series: sample {sample or 'without name'} has too few dilutions ({has}); "
                f"it takes {LEAST_LEVELS}, from (?P<dilution>[0-9]+) in --group-by, or from --sample-sheet"
            )


def _factor(text: str, place: str) -> float:
    """Return a dilution factor from text such as ``10`` or ``10x``."""
    try:
        factor = float(text.strip().rstrip("xX"))
    except ValueError:
        factor = math.nan
    require_factor(factor, text, place)
    return factor


def require_factor(factor: float, text: str, place: str) -> None:
    """Refuse what is no dilution factor, such as 0.1, by which 1:10 may be meant.

    Raises
    ------
    SettingsError
        If it is not between 1 and `MOST_DILUTED`.
    """
    if not 1 <= factor <= MOST_DILUTED:
        raise SettingsError(f"{place}: {text} is no dilution factor; write 1 or more, such as 10 for 1:10")
