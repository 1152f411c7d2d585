"""The end of a run in any case: tables of what is done, and ``run.json``, which says how it ended."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any

from beadctl.console import fail, stopping
from beadctl.errors import IncompleteError, OutputError
from beadctl.files import atomic, sha256, write_json
from beadctl.results.formats.coco import JOINED
from beadctl.results.outdated import REPORT, STATISTICS

# What a run writes that is not of one image.
HASHED_FILES = ("counts.csv", "beads.csv", "settings.toml", *STATISTICS, JOINED)
RUN_FILES = (*HASHED_FILES, "run.json", REPORT)
# Bytes set aside for run.json and counts.csv, and for the rows of an image in it.
RESERVED, RESERVED_IMAGE = 2**17, 2**9


@contextlib.contextmanager
def recorded(
    folder: Path,
    reserve: Path,
    facts: Mapping[str, Any],
    images: int,
    check: Callable[[], None],
    write_tables: Callable[[], None],
) -> Iterator[None]:
    """Write ``run.json`` at the start of a run; however it ends, write the tables, and ``run.json`` again.

    The space for counts.csv and ``run.json`` is set aside at the start, so that they fit on a full disk.

    Parameters
    ----------
    folder, reserve : Path
        Folder of ``run.json``, and the file that sets space aside.
    facts, images : mapping and int
        What ``run.json`` says, and the number of images.
    check : callable
        Raises an `OutputError` if the folder is no longer ours: then nothing is written.
    write_tables : callable
        Writes the tables.

    Raises
    ------
    IncompleteError
        If a file could not be written, in the block or at the end; the message names each.
    """
    start, problems = _now(), list[str]()

    def describe(end: str | None, outcome: str) -> None:
        write_record(folder, {**facts, "start": start, "end": end, "outcome": outcome})

    def attempt(step: Callable[[], None]) -> bool:
        try:
            step()
        except OutputError as error:
            problems.append(str(error))
            return False
        return True

    def conclude(outcome: str) -> None:
        with stopping.finishing():
            if attempt(check):
                with contextlib.suppress(OSError):
                    reserve.unlink()
                complete = attempt(write_tables)
                attempt(lambda: describe(_now(), outcome if complete else "stopped"))

    _set_aside(reserve, images)
    try:
        describe(None, "running")
        with stopping.before_leaving(reserve.unlink):
            yield
    except OutputError as error:
        problems.append(str(error))
        conclude("stopped")
    except BaseException:
        conclude("stopped")
        for problem in problems:
            fail(problem)
        raise
    else:
        conclude("finished")
    if problems:
        raise IncompleteError("; ".join(dict.fromkeys(problems)))


def write_record(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write ``run.json``, at the end of a run with the hashes of its tables."""
    files = {}
    if facts["end"]:
        present = [name for name in HASHED_FILES if (folder / name).is_file()]
        files = {"files": {name: sha256(folder / name) for name in present}}
    write_json(folder / "run.json", {**facts, **files})


def _set_aside(reserve: Path, images: int) -> None:
    """Write a file as large as the record and the counts of so many images may be."""
    with atomic(reserve) as temporary, temporary.open("wb") as file:
        for size in (RESERVED, *repeat(RESERVED_IMAGE, images)):
            # Random bytes, which no file system stores in less space.
            file.write(os.urandom(size))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
