"""The tables of a run: counts.csv, beads.csv, and the summary for a terminal."""

import csv
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from beadctl.files import atomic, write_csv
from beadctl.results import joined, ledger
from beadctl.results.ledger import Entry, ImageResult, Status
from beadctl.results.outputs import Outputs
from beadctl.text import csv_line
from beadctl.url import Url

# Why an image has no result of its own, and none of an earlier run.
NOT_REACHED = "not reached: the run was stopped"
REMOVED = "its results were removed during the run"


@dataclass(frozen=True)
class Left:
    """What `write_tables` found beside the results of the run.

    Attributes
    ----------
    others : list of str
        Images of earlier runs that are in the tables too.
    gone : list of str
        Images of earlier runs that are left out because their files are gone: a renamed image must not be
        counted twice.
    again : list of str
        Images of earlier runs that are left out because their files are in the tables by another name.
    unlike : list of str
        Images of earlier runs that are left out because their model or settings are others.
    lost : list of str
        The run's images whose results were removed since.
    """

    others: list[str]
    gone: list[str]
    again: list[str]
    unlike: list[str]
    lost: list[str]

    def notes(self, folder: Path) -> Iterator[tuple[bool, str]]:
        """Yield what is kept and left out, as (is a warning, a line)."""
        table = folder / "counts.csv"
        if self.others:
            yield False, f"{table}: images of earlier runs kept: {len(self.others)}"
        for names, what in (
            (self.gone, "images that are no longer there"),
            (self.again, "earlier results of the same images by other names"),
            (self.unlike, "images of another model or other settings"),
        ):
            if names:
                yield True, f"{table}: {what} left out: {len(names)}, such as {names[0]}"

    @property
    def removed(self) -> str:
        """Of how many images the results were removed, and one of them; empty where none were."""
        return f"{len(self.lost)}, such as {self.lost[0]}" if self.lost else ""


States = Callable[[], Iterable[tuple[PurePosixPath, ImageResult | Status | None]]]
"""Gives the images of a run and what became of each: its result where a plane failed, its status, or None
where it was not reached."""


def write_tables(
    folder: Path,
    states: States,
    key: str,
    outputs: Outputs,
    take: Callable[[ImageResult], None] = lambda _: None,
    was_ours: Callable[[PurePosixPath], bool] = lambda _: False,
) -> Left:
    """Write the tables, and joined files: the run's images, then others of the same model and settings.

    Results are read from the ledger one at a time, once a table, because a folder may hold many images and
    millions of beads; counts.csv is whole before beads.csv, for which a disk may be too full.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    states : callable
        Gives the run's images and what became of them; it is called several times.
    key : str
        Fingerprint of model and settings.
    outputs : Outputs
        Of the run: an image without all of them is not done, and one that is to be overwritten neither.
    take : callable
        Called with the result of each of the run's images.
    was_ours : callable
        Tells which images the run has done and then left out, as the masks of one that came later.
    """
    lost = dict[str, None]()

    def entry_of(name: PurePosixPath) -> Entry | None:
        entry = ledger.read(folder, name)
        return entry if entry and entry.key.startswith(key) else None

    earlier = _earlier(folder, states, key, was_ours)

    def results(
        take: Callable[[ImageResult], None] = lambda _: None,
    ) -> Iterator[tuple[PurePosixPath, ImageResult, bool]]:
        for name, state in states():
            entry = entry_of(name)
            result = _result(name, state, entry, outputs)
            if result.rows[0].reason == REMOVED:
                lost[str(name)] = None
            take(dataclasses.replace(result, beads=partial(ledger.beads, folder, name)) if entry else result)
            yield name, result, entry is not None
        for name in map(PurePosixPath, earlier.others):
            if entry := entry_of(name):
                yield name, entry.result, True

    rows = (row.cells() for _, result, _ in results(take) for row in result.rows)
    write_csv(folder / "counts.csv", ledger.COLUMNS, rows, rounded=True)
    _write_beads(folder, ((name, result) for name, result, is_there in results() if is_there))
    counted = (name for name, result, _ in results() if not result.failed)
    joined.write(folder, ((name, entry) for name in counted if (entry := entry_of(name))), outputs.save)
    return dataclasses.replace(earlier, lost=list(lost))


def _earlier(folder: Path, states: States, key: str, was_ours: Callable[[PurePosixPath], bool]) -> Left:
    """Tell which images of earlier runs are in the tables too; parameters are those of `write_tables`."""
    left = Left([], [], [], [], [])
    names = _others(folder, states)
    own = (ledger.read(folder, name) for name, _ in states()) if names else ()
    sources = {entry.source for entry in own if entry}
    for name in names:
        entry = ledger.read(folder, PurePosixPath(name))
        if entry is None:
            continue
        if not entry.key.startswith(key):
            left.unlike.append(name)
        # Nobody asks a store whether it still has an object.
        elif not (Url.parse(entry.source) or _is_there(Path(entry.source))):
            left.gone.append(name)
        elif was_ours(PurePosixPath(name)):
            continue
        elif entry.source and entry.source in sources:
            left.again.append(name)
        else:
            left.others.append(name)
            sources.add(entry.source)
    return left


def _others(folder: Path, states: States) -> list[str]:
    """Return the images that the ledger knows beyond those of a run, sorted."""
    own = sum(_is_there(ledger.path_of(folder, name)) for name, _ in states())
    if own == sum(1 for _ in ledger.names(folder)):
        # So the names of all images need not be in memory, unless there are others.
        return []
    names = {str(name) for name, _ in states()}
    return sorted(name for name in ledger.names(folder) if name not in names)


def _result(
    name: PurePosixPath, state: ImageResult | Status | None, entry: Entry | None, outputs: Outputs
) -> ImageResult:
    """Return the result of an image by what became of it, None if it was not reached, and by the ledger."""
    if isinstance(state, ImageResult):
        return state
    files = outputs.all_paths(name, len(entry.result.rows)) if entry else []
    if entry is None or not all(map(outputs.exists, files)):
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
