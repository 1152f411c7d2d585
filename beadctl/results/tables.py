"""The tables of a run: counts.csv, beads.csv, and the summary for a terminal."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path, PurePosixPath

from beadctl.console import shown
from beadctl.files import atomic, csv_line, write_csv
from beadctl.images import Found
from beadctl.results import ledger
from beadctl.results.ledger import Entry, ImageResult, Row, Status
from beadctl.results.outputs import Outputs
from beadctl.results.sources import SHARED_LABELS
from beadctl.results.tally import Tally
from beadctl.segmentation.count_rule import NARROW_GUARD
from beadctl.segmentation.quality import DOUBTFUL

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
# Why an image has no result of its own, and none of an earlier run.
NOT_REACHED = "not reached: the run was stopped"
REMOVED = "its results were removed during the run"
# Flags that stand without `doubtful` -> what is wrong, and what to do.
REMEDIES = {
    NARROW_GUARD: "beads in the counting frame are cut by the image's border; give --counting-frame a wider "
    "distance",
    SHARED_LABELS: "separate beads share a number and count as one; give each bead its own number",
}


def write_tables(
    folder: Path, found: Sequence[Found], tally: Tally, key: str, outputs: Outputs
) -> tuple[list[str], list[str], list[str]]:
    """Write counts.csv and beads.csv: the run's images, then others that the same model and settings made.

    Returned are the names of these others, of those that are left out because their files are gone, as a
    renamed image must not be counted twice, and of the run's images whose results were removed since. Results
    are read from the ledger one at a time, because a folder may hold many images and millions of beads.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    found, tally : sequence of Found and Tally
        The run's images, and what it has done.
    key : str
        Fingerprint of model and settings.
    outputs : Outputs
        Of the run: an image without all of them is not done, and one that is to be overwritten neither.
    """
    own = {str(item.name) for item in found}
    others, gone, lost = list[str](), list[str](), dict[str, None]()

    def entry_of(name: PurePosixPath) -> Entry | None:
        entry = ledger.read(folder, name)
        return entry if entry and entry.key.startswith(key) else None

    for name in sorted(name for name in ledger.names(folder) if name not in own):
        if entry := entry_of(PurePosixPath(name)):
            (others if _is_there(Path(entry.source)) else gone).append(name)

    def results() -> Iterator[tuple[PurePosixPath, ImageResult]]:
        for item, state in zip_longest(found, tally.images):
            result = _result(item.name, state, entry_of(item.name), outputs)
            if result.rows[0].reason == REMOVED:
                lost[str(item.name)] = None
            yield item.name, result
        for name in map(PurePosixPath, others):
            if entry := entry_of(name):
                yield name, entry.result

    rows = (row.cells() for _, result in results() for row in result.rows)
    write_csv(folder / "counts.csv", ledger.COLUMNS, rows, rounded=True)
    done = ((name, result) for name, result in results() if entry_of(name))
    _write_beads(folder, done)
    return others, gone, list(lost)


def _result(
    name: PurePosixPath, state: ImageResult | Status | None, entry: Entry | None, outputs: Outputs
) -> ImageResult:
    """Return the result of an image by what became of it, None if it was not reached, and by the ledger."""
    if isinstance(state, ImageResult):
        return state
    files = outputs.all_paths(name, len(entry.result.rows)) if entry else []
    if entry is None or not all(path.exists() for path in files):
        return ledger.failed(name, REMOVED if state else NOT_REACHED)
    if state == "ok":
        return entry.result
    if state is None and outputs.overwrite:
        return ledger.failed(name, NOT_REACHED)
    # Of an image that was not reached, an earlier result counts.
    return entry.result if entry.result.failed else ledger.skipped(entry.result)


def _write_beads(folder: Path, results: Iterable[tuple[PurePosixPath, ImageResult]]) -> None:
    """Write beads.csv of the images that the ledger has."""
    with (
        atomic(folder / "beads.csv") as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        file.write(csv_line(ledger.BEAD_COLUMNS) + "\n")
        for image, result in results:
            file.writelines(_lines(folder, image, result))


def _lines(folder: Path, name: PurePosixPath, result: ImageResult) -> Iterator[str]:
    """Yield the lines of beads.csv for an image, those of its failed planes left out."""
    lines = ledger.bead_lines(folder, name)
    if not result.failed:
        return lines
    # Failed planes have no beads, even where an earlier run left some.
    done = {str(row.plane) for row in result.rows if row.status != "failed"}
    return (line for line in lines if next(csv.reader([line]))[1] in done)


def _is_there(path: Path) -> bool:
    """Return whether a file exists; one in a closed folder cannot be seen."""
    try:
        return path.exists()
    except OSError:
        return False


def flagged(row: Row) -> str:
    """Return the warning for a plane that has quality flags."""
    place = f"{row.image}, plane {row.plane}" if row.position else row.image
    count, flags = f"{place}: count {row.count}", row.quality.split()
    if DOUBTFUL in flags:
        return f"{count} is {', '.join(flags)}: it changes by {row.doubt or 0:.0%} with the thresholds"
    return f"{count}: {'; '.join(REMEDIES.get(flag, flag) for flag in flags)}"


def summary(tally: Tally) -> list[list[str]]:
    """Return the rows of the summary table under `HEADS`: the first planes, and the sum of all last."""
    table = [[shown(getattr(row, name)) for name in HEADS] for row in tally.first]
    blank = [""] * len(HEADS)
    if more := tally.planes - len(tally.first):
        table.append([f"{more} more in counts.csv", *blank[1:]])
    if tally.planes > 1:
        table.append([f"{tally.planes} planes", "", "", str(tally.beads), *blank[4:]])
    return table
