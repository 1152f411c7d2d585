"""Warnings of the counts that have quality flags: a line an image, and a bound for a run."""

from pathlib import Path

from beadctl import console
from beadctl.results.ledger import ImageResult, Row
from beadctl.results.sources import SHARED_LABELS
from beadctl.segmentation.causes import Cause
from beadctl.segmentation.count_rule import NARROW_GUARD
from beadctl.segmentation.misfit import DIAMETER_MISFIT
from beadctl.segmentation.quality import DOUBTFUL

# Images of a run that are named, and planes of each; the table has all.
IMAGES, PLANES = 20, 3
# Flags that stand without `doubtful` -> what is wrong, and what to do.
REMEDIES = {
    DIAMETER_MISFIT: "the objects have another size than --diameter states; correct it, or leave it out",
    NARROW_GUARD: "beads in the counting frame are cut by the image's border, or by an area of NaN; give "
    "--counting-frame a wider distance",
    Cause.SURROUND: "one value around the field counts as area of it, so densities are too low; crop the "
    "image, or give a --region",
    SHARED_LABELS: "separate beads share a number and count as one; give each bead its own number",
}


class FlagWarnings:
    """Warns of the flagged planes of each image, and says once that further images are in the table alone.

    Parameters
    ----------
    messages : Messages
        Prints the warnings.
    folder : Path or None
        Folder of the results that gets ``counts.csv``, if there is one.
    """

    def __init__(self, messages: console.Messages, folder: Path | None) -> None:
        self._messages, self._told = messages, 0
        self._table = folder / "counts.csv" if folder else "the table"

    def tell(self, result: ImageResult) -> None:
        """Warn of the flagged planes of an image, if it has any."""
        words = flagged(result)
        self._told += bool(words)
        if words and self._told <= IMAGES:
            self._messages.warn(words)
        elif words and self._told == IMAGES + 1:
            what = f"more than {IMAGES} images have a quality flag"
            self._messages.warn(f"{what}; for the further ones see the column `quality` of {self._table}")


def flagged(result: ImageResult) -> str:
    """Return the warning for an image whose planes have quality flags; empty where none has."""
    rows = [row for row in result.rows if row.quality and row.status != "failed"]
    if not rows:
        return ""
    planes = dict[str, int]()
    for flag in (flag for row in rows for flag in row.quality.split()):
        planes[flag] = planes.get(flag, 0) + 1
    advice = [REMEDIES[flag] for flag in planes if flag in REMEDIES]
    if DOUBTFUL in planes:
        advice.insert(0, _chance([row.doubt or 0 for row in rows if DOUBTFUL in row.quality.split()]))
    if len(rows) > 1:
        return "; ".join([_planes(rows, len(result.rows), planes), *advice])
    count = f"{rows[0].place}: count {rows[0].count}"
    if DOUBTFUL in planes:
        return f"{count} is {', '.join(planes)}: {'; '.join(advice)}"
    return f"{count}: {'; '.join(advice or planes)}"


def _chance(doubts: list[float]) -> str:
    """Say how likely a count is wrong, or each of several."""
    low, high = f"{min(doubts):.0%}", f"{max(doubts):.0%}"
    what = "it" if len(doubts) == 1 else "each doubtful one"
    to = "" if low == high else f" to {high}"
    return f"{what} is off by more than a fifth with a probability of {low}{to}"


def _planes(rows: list[Row], of: int, planes: dict[str, int]) -> str:
    """Say how many planes of an image are flagged, which ones come first, and how many have each flag."""
    first = ", ".join(str(row.plane) for row in rows[:PLANES]) + " ..." * (len(rows) > PLANES)
    flags = ", ".join(f"{flag} {number}" for flag, number in planes.items())
    what = f"{len(rows)} of {of} planes have a quality flag (planes {first})"
    return f"{rows[0].image}: {what}: {flags}"
