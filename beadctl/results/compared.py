"""Planes with a manual count beside that of beadctl, and how far both agree."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from beadctl.console import Messages, shown
from beadctl.counting.agreement import Agreement, agreement, bands
from beadctl.files import write_csv
from beadctl.results.ledger import Row

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
        known = [None if math.isnan(figure) else figure for figure in figures]
        return cls(band, found.fields, found.bias, *known)


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


def compared(planes: Sequence[Row], manual: Mapping[tuple[str, int], int]) -> list[Compared]:
    """Return the planes that have both counts."""
    return [
        Compared(row.image, row.plane, row.count, manual[row.image, row.plane])
        for row in planes
        if row.count is not None and (row.image, row.plane) in manual
    ]


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


def tell_agreement(pairs: Sequence[Compared], messages: Messages) -> None:
    """Print the agreement for people, if there is a plane that both counted."""
    rows = agreement_rows(pairs) if pairs else []
    table = [[shown(getattr(row, name)) for name in HEADS] for row in rows]
    messages.table("Agreement with manual counts", tuple(HEADS.values()), table)
