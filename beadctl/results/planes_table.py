"""The planes of a run as a table for people: what was counted, sums, and the range of diameters as bars."""

from collections.abc import Sequence
from dataclasses import dataclass

from beadctl.console import Messages, bars, print_table, shown
from beadctl.results.ledger import Row
from beadctl.results.tally import Tally

# Column of the ledger -> its head in a table for people, who have eighty characters. All but the first four
# are left out where no plane has a value.
HEADS = {
    "image": "image",
    "plane": "plane",
    "status": "status",
    "count": "beads",
    "quality": "quality",
    "mean_diameter_px": "diameter px",
    "mean_diameter_um": "diameter um",
    "reason": "reason",
}
ALWAYS = ("image", "plane", "status", "count")
# Characters of a bar.
BAR_WIDTH = 16


@dataclass(frozen=True)
class PlanesTable:
    """A table for people.

    Attributes
    ----------
    columns, rows : sequence of str and of sequences of str
        Heads, and cells of each plane.
    total : sequence of str or None
        Sums of all planes, where there are several.
    bars : tuple of str and sequence of str, or None
        Head and cells of a column that may be left out: from where to where the diameters of most beads are.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    total: Sequence[str] | None
    bars: tuple[str, Sequence[str]] | None

    @classmethod
    def of(cls, tally: Tally) -> "PlanesTable":
        """Return the table of a run: its first planes, and the sum of all."""
        planes = tally.first
        names = [name for name in HEADS if name in ALWAYS or _is_told(planes, name)]
        table = [[shown(getattr(row, name)) for name in names] for row in planes]
        if more := tally.planes - len(planes):
            table.append([f"{more} more in counts.csv", *[""] * (len(names) - 1)])
        failed = tally.planes - tally.counted
        sums = {
            "image": f"{tally.planes} planes",
            "status": f"{failed} failed" if failed else "",
            "count": str(tally.beads),
            "quality": f"{tally.flagged} to check" if tally.flagged else "",
        }
        total = [sums.get(name, "") for name in names] if tally.planes > 1 else None
        ranges = _bars(planes)
        return cls(
            [HEADS[name] for name in names],
            table,
            total,
            ranges and (ranges[0], [*ranges[1], *[""] * (len(table) - len(planes))]),
        )

    def tell(self, title: str, messages: Messages) -> None:
        """Print it among the messages."""
        messages.table(title, self.columns, self.rows, total=self.total, bars=self.bars)

    def print(self) -> None:
        """Print it on standard output."""
        print_table("", self.columns, self.rows, total=self.total, bars=self.bars, to_stdout=True)


def _is_told(planes: Sequence[Row], name: str) -> bool:
    """Return whether a column tells something: diameters in px do only where some are not known in um."""
    if name == "mean_diameter_px":
        return any(row.mean_diameter_px and not row.mean_diameter_um for row in planes)
    return any(getattr(row, name) not in (None, "") for row in planes)


def _bars(planes: Sequence[Row]) -> tuple[str, list[str]] | None:
    """Return the 10th to the 90th percentile of the diameters of each plane as bars on one scale."""
    known = [row for row in planes if row.p50_diameter_px is not None]
    if not known:
        return None
    unit = "px" if any(row.p50_diameter_um is None for row in known) else "um"
    names = [f"p{share}_diameter_{unit}" for share in (10, 50, 90)]
    most = max(getattr(row, names[-1]) for row in known)

    def bar(row: Row) -> str:
        low, middle, high = (getattr(row, name) for name in names)
        return "" if middle is None else bars.span(low, middle, high, most, BAR_WIDTH)

    return f"sizes 0 to {most:.3g} {unit}", [bar(row) for row in planes]
