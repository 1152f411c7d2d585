"""Statistics and the report of an earlier run, of counts that have changed since: they are no longer true."""

import csv
import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path

from beadctl.errors import OutputError
from beadctl.results.written import file_state
from beadctl.text import csv_line

STATISTICS = (
    *("groups.csv", "dilution_series.csv", "dilution_levels.csv", "dilution.png", "dilution.svg"),
    *("agreement.csv", "agreement.png", "agreement.svg"),
    *("sizes.csv", "size_histogram.csv", "sizes.png", "sizes.svg"),
)
REPORT = "report.html"
# Begins each report, by which it is told from a file of someone else.
REPORT_MARK = '<meta name="generator" content="beadctl report">'
# Columns of counts.csv that tell what a run did, and no figure.
OF_THE_RUN = ("status", "reason")


class EarlierStatistics:
    """The tables and plots of statistics and the report in a folder of results, as a run finds them.

    Parameters
    ----------
    folder : Path
        Of the results.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        names = (*STATISTICS, *[REPORT] * is_report(folder / REPORT))
        self._files = {name: state for name in names if (state := file_state(folder / name))}
        self._figures = _figures(folder) if self._files else ""

    def remove_outdated(self) -> list[str]:
        """Remove those that this run did not replace if counts.csv has other figures now; return them.

        Raises
        ------
        OutputError
            If one cannot be removed.
        """
        kept = [name for name, state in self._files.items() if file_state(self._folder / name) == state]
        if not kept or _figures(self._folder) == self._figures:
            return []
        for path in (self._folder / name for name in kept):
            try:
                path.unlink()
            except OSError as error:
                words = f"cannot be removed ({error.strerror}), and its counts have changed"
                raise OutputError(f"{path}: {words}") from None
        return kept


def removed_words(folder: Path, names: Sequence[str]) -> str:
    """Return what a run says of statistics that it removed."""
    return f"{folder}: removed, as the counts that they are of have changed: {', '.join(names)}"


def is_report(path: Path) -> bool:
    """Return whether a file is a report of beadctl."""
    try:
        with path.open("rb") as file:
            return REPORT_MARK.encode() in file.read(1024)
    except OSError:
        return False


def _figures(folder: Path) -> str:
    """Return a hash of the figures in counts.csv; empty where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with (folder / "counts.csv").open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            head = next(rows, [])
            columns = [index for index, name in enumerate(head) if name not in OF_THE_RUN]
            for row in itertools.chain([head], rows):
                digest.update((csv_line(row[index] for index in columns) + "\n").encode())
    except (OSError, ValueError, IndexError, csv.Error):
        return ""
    return digest.hexdigest()
