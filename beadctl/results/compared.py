"""Planes with a manual count beside that of beadctl, and how far both agree."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from beadctl.console import Messages, fail, shown
from beadctl.counting.agreement import Agreement, agreement, bands
from beadctl.counting.manual import Counted
from beadctl.files import write_csv
from beadctl.results.ledger import Row
from beadctl.results.plane_row import known
from beadctl.words import first_names

FILE = "agreement.csv"


@dataclass(frozen=True)
class Compared:
    """A plane that both counted."""

    image: str
    plane: int
    count: int
    manual: int


@dataclass(frozen=True)
class AgreementRow:
    """The planes of a density band, or ``all``; see `beadctl.counting.agreement.Agreement`."""

    band: str
    planes: int
    bias: float
    bias_low: float | None
    bias_high: float | None
    limit_low: float | None
    limit_high: float | None
    concordance: float | None
    concordance_low: float | None
    concordance_high: float | None
    mape: float | None

    @classmethod
    def of(cls, band: str, found: Agreement) -> "AgreementRow":
        """Return the row of an agreement, unknown figures as None."""
        figures = (
            *(found.bias_interval.low, found.bias_interval.high),
            *(found.limits.low, found.limits.high, found.concordance),
            *(found.concordance_interval.low, found.concordance_interval.high, found.mape),
        )
        return cls(band, found.fields, found.bias, *map(known, figures))


COLUMNS = tuple(field.name for field in dataclasses.fields(AgreementRow))
HEADS = {
    "band": "beads",
    "planes": "planes",
    "bias": "bias",
    "limit_low": "limit low",
    "limit_high": "limit high",
    "concordance": "concordance",
    "concordance_low": "low",
    "concordance_high": "high",
    "mape": "MAPE",
}


def compared(planes: Sequence[Row], manual: Mapping[Counted, int]) -> list[Compared]:
    """Return the planes that have both counts.

    The only manual count of an image, of plane 0 or of none that is named, is that of its only row, which may
    be a projected plane.
    """
    alone = _alone(planes, manual)
    found = []
    for row in planes:
        by_hand = manual.get((row.image, row.plane))
        if by_hand is None and row.image in alone:
            by_hand = manual.get((row.image, None), manual.get((row.image, 0)))
        if row.count is not None and by_hand is not None:
            found.append(Compared(row.image, row.plane, row.count, by_hand))
    return found


def _alone(planes: Sequence[Row], manual: Mapping[Counted, int]) -> set[str]:
    """Return the images that have one row and one manual count."""
    rows, counts = Counter(row.image for row in planes), Counter(image for image, _ in manual)
    return {image for image, number in rows.items() if number == 1 and counts[image] == 1}


def not_compared(planes: Sequence[Row], manual: Mapping[Counted, int]) -> list[Counted]:
    """Return what has a manual count and is no plane of the run, of images that did not fail."""
    failed = {row.image for row in planes if row.count is None}
    known: set[Counted] = {(row.image, row.plane) for row in planes}
    known |= {(image, plane) for image in _alone(planes, manual) for plane in (0, None)}
    return [one for one in manual if one not in known and one[0] not in failed]


def agreement_rows(pairs: Sequence[Compared]) -> list[AgreementRow]:
    """Return the agreement of all planes, and of each density band."""
    counts = [pair.count for pair in pairs], [pair.manual for pair in pairs]
    return [AgreementRow.of(*row) for row in (("all", agreement(*counts)), *bands(*counts))]


def write_agreement(folder: Path, pairs: Sequence[Compared]) -> None:
    """Write agreement.csv, and its plot where matplotlib is installed."""
    write_csv(folder / FILE, COLUMNS, map(vars, agreement_rows(pairs)), rounded=True)
    if find_spec("matplotlib"):
        from beadctl.results.compared_plot import draw

        draw(folder, pairs)


def tell_agreement(pairs: Sequence[Compared], missing: Sequence[Counted], messages: Messages) -> bool:
    """Print the agreement for people, if there is a plane that both counted, and lines of what it lacks.

    Returns
    -------
    bool
        Whether there is a manual count of a plane that the run has not, or of an unnamed one of several.
    """
    rows = agreement_rows(pairs) if pairs else []
    table = [[shown(getattr(row, name)) for name in HEADS] for row in rows]
    messages.table("Agreement with manual counts", tuple(HEADS.values()), table)
    if named := [f"{image} plane {plane}" for image, plane in missing if plane is not None]:
        fail(f"--manual: {first_names(named)}: no planes of this run; write planes as in counts.csv")
    if unnamed := [image for image, plane in missing if plane is None]:
        fail(
            f"--manual: {first_names(unnamed)}: of which plane is the count? fill in the column plane, or "
            "give --unit file for counts of files"
        )
    return bool(missing)
