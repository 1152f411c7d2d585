"""The tables of a run: counts.csv, beads.csv, and the summary for a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from beadctl.console import shown
from beadctl.files import name_text, write_csv
from beadctl.images import Found
from beadctl.results import ledger
from beadctl.results.ledger import ImageResult, Row
from beadctl.results.outputs import Outputs
from beadctl.segmentation.measure import COLUMNS as BEAD_COLUMNS

# Column of the ledger -> its head in a table for people, who have eighty characters.
HEADS = {
    "image": "image",
    "plane": "plane",
    "status": "status",
    "count": "beads",
    "mean_diameter_px": "diameter px",
    "mean_diameter_um": "diameter um",
    "quality": "quality",
    "reason": "reason",
}


def write_tables(
    folder: Path, found: Sequence[Found], results: Sequence[ImageResult], key: str, outputs: Outputs
) -> tuple[list[str], list[str]]:
    """Write counts.csv and beads.csv: the run's images, then others that the same model and settings made.

    Returned are the names of these others, and of those that are left out because their files are gone: a
    renamed image must not be counted twice.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    found, results : sequence of Found and of ImageResult
        The run's images, and the results of those that are done.
    key : str
        Fingerprint of model and settings.
    outputs : Outputs
        Of the run: an image without all of them is not done, and one that is to be overwritten neither.
    """
    current = {result.rows[0].image: result for result in results}
    names = [str(item.name) for item in found]
    own = set(names)
    kept, gone = set[str](), list[str]()
    for name in ledger.images(folder):
        entry = ledger.read(folder, PurePosixPath(name))
        if entry and entry.key.startswith(key):
            if name in own or Path(entry.source).exists():
                kept.add(name)
            else:
                gone.append(name)
    others = sorted(kept - own)
    names += others

    def result_of(name: str) -> ImageResult:
        if (text := name_text(PurePosixPath(name))) in current:
            return current[text]
        if name in kept and not (outputs.overwrite and name in own):
            earlier = _kept(folder, name)
            files = outputs.all_paths(PurePosixPath(name), len(earlier.rows)) if name in own else []
            if all(path.exists() for path in files):
                return earlier
        return ledger.failed(PurePosixPath(name), "not reached: the run was stopped")

    def bead_rows() -> Iterator[Mapping[str, object]]:
        for name in names:
            # Failed planes have no beads, even where an earlier run left some.
            done = {row.plane for row in result_of(name).rows if row.status != "failed"}
            if name in kept and done:
                yield from (bead for bead in _kept(folder, name).beads if bead["plane"] in done)

    rows = (row.cells() for name in names for row in result_of(name).rows)
    write_csv(folder / "counts.csv", ledger.COLUMNS, rows, rounded=True)
    write_csv(folder / "beads.csv", ("image", "plane", *BEAD_COLUMNS), bead_rows(), rounded=True)
    return others, gone


def _kept(folder: Path, name: str) -> ImageResult:
    """Read a result from the ledger: one at a time, because a folder may hold millions of beads."""
    entry = ledger.read(folder, PurePosixPath(name))
    assert entry is not None
    return entry.result


def flagged(row: Row) -> str:
    """Return the warning for a plane that has quality flags."""
    place = f"{row.image}, plane {row.plane}" if row.position else row.image
    share = f"{row.doubt or 0:.0%} of the beads are expected to be wrong or missed"
    return f"{place}: count {row.count} is {row.quality}: {share}"


def summary(results: Sequence[ImageResult]) -> list[list[str]]:
    """Return the rows of the summary table under `HEADS`, and their sum last."""
    rows = [row for result in results for row in result.rows]
    table = [[shown(getattr(row, name)) for name in HEADS] for row in rows]
    if len(rows) > 1:
        total = str(sum(row.count or 0 for row in rows))
        table.append([f"{len(rows)} planes", "", "", total, *[""] * (len(HEADS) - 4)])
    return table
