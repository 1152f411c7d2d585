"""Manual counts of images, as people write them in a table."""

from collections.abc import Sequence
from pathlib import Path

from beadctl.counting.sheet import read_sheet
from beadctl.errors import SettingsError

Counted = tuple[str, int | None]
"""An image, and the number of the plane of which a count is, from 0; None where no plane is named."""


def manual_counts(names: Sequence[str], path: Path) -> dict[Counted, int]:
    """Return the manual counts, by image and number of the plane, where one is named.

    The table is a CSV file with the columns ``file`` (or ``image``, as in counts.csv) and ``count``, and
    ``plane`` for stacks; lines without a count are left out.

    Parameters
    ----------
    names : sequence of str
        Images by their path below the input folder.
    path : Path
        The CSV file.

    Raises
    ------
    SettingsError
        If it cannot be read, lacks a column, has a count that is none, names a plane twice or a file that is
        no image of the run, or has no count at all.
    """
    found: dict[Counted, int] = {}
    for line in read_sheet(path, names, "count", ("plane",)):
        text = line.cells["count"]
        if not text:
            continue
        named = line.cells["plane"]
        number = _number(named, "plane", line.place) if named else None
        # The only plane of an image may be named or not.
        if any((line.image, one) in found for one in ([number] if number else [None, 0])):
            raise SettingsError(
                f"{line.place}: {line.image} is already counted above; remove one of the lines"
            )
        found[line.image, number] = _number(text, "count", line.place)
    if not found:
        raise SettingsError(f"{path}: has no count; fill in its column count")
    return found


# Above, floats are no whole numbers.
MOST = 2**53


def _number(text: str, what: str, place: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < MOST or not value.is_integer():
        raise SettingsError(f"{place}: {text} is no {what}; write a whole number")
    return int(value)
