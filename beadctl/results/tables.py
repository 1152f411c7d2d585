"""The tables of a run: counts.csv, beads.csv, and the summary for a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from beadctl.files import cell, write_csv
from beadctl.images import Found
from beadctl.results import ledger
from beadctl.results.ledger import Part, Row
from beadctl.segmentation.measure import COLUMNS as BEAD_COLUMNS

# Column of the ledger -> its head in a table for people, who have eighty characters.
HEADS = {
    "image": "image",
    "plane": "plane",
    "status": "status",
    "count": "beads",
    "mean_diameter_px": "mean px",
    "mean_diameter_um": "mean um",
    "reason": "reason",
}


def write_tables(
    folder: Path, found: Sequence[Found], parts: Sequence[Part], fingerprint: str, overwrite: bool
) -> None:
    """Write counts.csv and beads.csv: this run's images, then what the same settings made of others.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    found : sequence of Found
        The run's images.
    parts : sequence of Part
        Those that are done, of this run.
    fingerprint : str
        Of model and settings.
    overwrite : bool
        Take no earlier part for an image of this run.
    """
    told = {part.rows[0].image: part for part in parts}
    names = [str(item.name) for item in found]
    earlier = {
        name for name in ledger.images(folder) if ledger.recalled(folder, name)[0].startswith(fingerprint)
    }
    names += sorted(earlier.difference(names))

    def part_of(name: str) -> Part:
        if name in told:
            return told[name]
        if name in earlier and not (overwrite and name in names[: len(found)]):
            return ledger.recalled(folder, name)[1]
        return ledger.failed(PurePosixPath(name), "not reached: the run was stopped")

    def bead_rows() -> Iterator[Mapping[str, object]]:
        for name in names:
            # A failed plane has no beads, even where an earlier run left some.
            done = {row.plane for row in part_of(name).rows if row.status != "failed"}
            if name in earlier and done:
                beads = ledger.recalled(folder, name)[1].beads
                yield from (bead for bead in beads if bead["plane"] in done)

    rows = (row.cells() for name in names for row in part_of(name).rows)
    write_csv(folder / "counts.csv", ledger.COLUMNS, rows, rounded=True)
    write_csv(folder / "beads.csv", ("image", "plane", *BEAD_COLUMNS), bead_rows(), rounded=True)


def summary(parts: Sequence[Part]) -> list[list[str]]:
    """Return the rows of the summary table under `HEADS`, and their sum last."""
    rows = [row for part in parts for row in part.rows]
    shown = [cells(row) for row in rows]
    if len(rows) > 1:
        total = str(sum(row.count or 0 for row in rows))
        shown.append([f"{len(rows)} planes", "", "", total, *[""] * (len(HEADS) - 4)])
    return shown


def cells(row: Row) -> list[str]:
    """Return what a table for people shows of a row, under `HEADS`."""
    content = row.cells()
    return [
        f"{content[name]:.4g}" if isinstance(content[name], float) else cell(content[name]) for name in HEADS
    ]
