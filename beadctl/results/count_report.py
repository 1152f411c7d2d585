"""What `count` tells: a row for each plane as soon as it is done, and the statistics at the end."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from beadctl.console import Form, Messages, RowPrinter
from beadctl.errors import Interrupted
from beadctl.results.ledger import COLUMNS, TYPES, ImageResult, Row
from beadctl.results.planes_table import HEADS, PlanesTable
from beadctl.results.sizes import PlaneSizes, sizes_of
from beadctl.results.summary import Statistics, Summary
from beadctl.results.tally import Tally


class CountReport:
    """Prints the rows of planes on standard output, and gathers what the statistics need.

    Parameters
    ----------
    asked : Statistics
        Which statistics are asked for.
    form : Form, optional
        Form of the table on standard output; by default there is none.
    """

    def __init__(self, asked: Statistics, form: Form | None = None) -> None:
        chosen = form and form.chosen(Form.CSV)
        self._asked, self._table, self._people = asked, None, None
        if chosen is Form.TABLE:
            self._people = Tally(shown=sys.maxsize)
        elif chosen:
            self._table = RowPrinter(chosen, COLUMNS, HEADS, TYPES)
        self._planes: list[Row] = []
        self._sizes: list[PlaneSizes] = []

    def take(self, result: ImageResult) -> None:
        """Take the result of an image."""
        if self._table:
            for row in result.rows:
                self._table.row(row.cells())
        if self._people:
            self._people.add(result)
        if self._asked.grouping or self._asked.manual:
            self._planes += result.rows
        if self._asked.sizes:
            self._sizes += sizes_of(result)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Print the rows of what is done if a signal ends the block."""
        try:
            yield
        except Interrupted:
            self._end_table()
            raise

    def write(self, folder: Path | None) -> None:
        """Write the statistics into a folder, if there is one, once every image is taken."""
        self._summary.write(folder)

    def end(self, messages: Messages) -> bool:
        """Print the statistics; return whether some lack."""
        self._end_table()
        return self._summary.tell(messages)

    def _end_table(self) -> None:
        if self._table:
            self._table.end()
        if self._people:
            PlanesTable.of(self._people).print()

    @cached_property
    def _summary(self) -> Summary:
        return Summary.of(self._asked, self._planes, self._sizes)
