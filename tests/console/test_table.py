"""Tables on standard output."""

import io
import json
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.console import Form, RowPrinter, print_rows, print_table
from beadctl.console.table import columns_that_fit
from beadctl.results.ledger import COLUMNS, Row


def test_lines_appear_at_once_and_an_array_at_the_end(capsys):
    row = Row("a.tif", 0, "", "ok", count=2, covered_fraction=0.123456789)
    for form, at_once in ((Form.CSV, True), (Form.JSONL, True), (Form.JSON, False), (Form.TABLE, False)):
        show = RowPrinter(form, COLUMNS)
        capsys.readouterr()
        show.row(row.cells())
        assert bool(capsys.readouterr().out) == at_once
        show.end()
        assert bool(capsys.readouterr().out) != at_once
    show = RowPrinter(Form.JSONL, COLUMNS)
    show.row(row.cells())
    assert json.loads(capsys.readouterr().out) == row.cells()


def test_an_empty_array_is_json(capsys):
    RowPrinter(Form.JSON, COLUMNS).end()
    assert json.loads(capsys.readouterr().out) == []


def test_a_table_without_rows_is_not_printed(capsys):
    """A program gets the header of the CSV; for people there is nothing to list."""
    print_table("", COLUMNS, [], to_stdout=True)
    print_rows(Form.TABLE, COLUMNS, [])
    assert capsys.readouterr().out == ""
    print_rows(Form.CSV, COLUMNS, [])
    assert capsys.readouterr().out == ",".join(COLUMNS) + "\n"


@given(
    st.lists(
        st.tuples(st.text("abc def", max_size=30), st.floats(-1e6, 1e6), st.integers(0, 10**9)),
        min_size=1,
        max_size=5,
    ),
    st.integers(20, 120),
    st.integers(1, 4),
)
def test_no_figure_is_cut_on_a_narrow_terminal(cells, width, times):
    """As many columns as fit are shown, and the others are named."""
    columns = [f"{name}{number}" for number in range(times) for name in ("name", "value", "count")]
    rows = [[name, f"{value:.4f}", str(count)] * times for name, value, count in cells]
    terminal = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        patch.setenv("COLUMNS", str(width))
        patch.setattr(terminal, "isatty", lambda: True, raising=False)
        patch.setenv("TERM", "xterm")
        print_table("", columns, rows, to_stdout=True)
    text = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert "…" not in text
    shown = columns_that_fit(columns, rows, width)
    for row in rows:
        for column, cell in zip(columns[:shown], row, strict=False):
            if not column.startswith("name") and shown > 1:
                assert cell in text.split()
    assert ("too narrow for" in " ".join(text.split())) == (shown < len(columns))
