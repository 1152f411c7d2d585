"""Tables on standard output."""

import io
import json
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.console import Form, RowPrinter, bars, print_rows, print_table
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


def on_terminal(monkeypatch, width, columns=("name", "count"), rows=(("a", "5"), ("b", "12")), **table):
    """Return the lines of a table on a terminal of so many columns."""
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    print_table("", columns, rows, to_stdout=True, **table)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    return [line.strip() for line in plain.splitlines() if line.strip()]


@pytest.mark.parametrize(("width", "is_whole"), [(80, True), (42, True), (40, True), (39, False)])
def test_columns_move_together_before_a_name_is_folded(monkeypatch, width, is_whole):
    name = "fluorescent_16bit.tif"
    rows = [[name, "ok", "120"], ["b.tif", "failed", ""]]
    lines = on_terminal(monkeypatch, width, columns=("image", "status", "beads"), rows=rows)
    assert any(line.split() == [name, "ok", "120"] for line in lines) == is_whole


@given(st.integers(44, 120), st.text("abc ", min_size=1, max_size=90), st.integers(0, 4))
def test_the_reason_of_a_failure_is_never_left_out(width, reason, figures):
    reason = f"r{reason}".rstrip()
    columns = ("image", *(f"figure{number}" for number in range(figures)), "reason")
    rows = [["a_long_name.tif", *["0.1234"] * figures, ""], ["b.tif", *[""] * figures, reason]]
    with pytest.MonkeyPatch.context() as patch:
        text = "\n".join(on_terminal(patch, width, columns=columns, rows=rows))
    assert "reason" in text
    assert "reason" not in text.partition("too narrow for")[2]
    line = next(line for line in text.splitlines() if line.startswith("b.tif"))
    shown = line.removeprefix("b.tif").strip()
    assert shown == reason or (shown.endswith("…") and reason.startswith(shown.removesuffix("…").rstrip()))
    room = width - len("a_long_name.tif") - figures * 11
    assert shown == reason or len(reason) > min(room - 8, 40)


def test_sums_are_below_a_line_and_aligned_with_their_columns(monkeypatch):
    *_, last, line, total = on_terminal(monkeypatch, 80, total=["2 files", "17"])
    assert last.split() == ["b", "12"]
    assert set(line) == {"─"}
    assert re.fullmatch(r"2 files +17", total)
    assert total.rindex("17") + 2 == last.rindex("12") + 2


@pytest.mark.parametrize(("width", "is_shown"), [(24, True), (23, False)])
def test_bars_are_shown_where_there_is_room(monkeypatch, width, is_shown):
    lines = on_terminal(monkeypatch, width, bars=("sizes", ["──┿──", " ─┿─"]))
    assert ("sizes" in lines[0]) == is_shown
    assert any("──┿──" in line for line in lines) == is_shown
    assert not any("too narrow" in line for line in lines)
    assert on_terminal(monkeypatch, width)[-1].split() == ["b", "12"]


def test_bars_are_left_out_of_a_file(capsys):
    print_table("", ("name",), [["a"]], bars=("sizes", ["──┿──"]), to_stdout=True)
    assert "sizes" not in capsys.readouterr().out


@given(st.lists(st.floats(0, 1e9, allow_subnormal=False), min_size=1, max_size=30))
def test_levels_grow_with_their_values_and_show_each_that_is_not_0(values):
    drawn = bars.levels(values)
    heights = [bars.LEVELS.index(level) for level in drawn]
    assert len(drawn) == len(values)
    assert [height > 0 for height in heights] == [value > 0 for value in values]
    assert sorted(heights) == [height for _, height in sorted(zip(values, heights, strict=True))]


# Below this a character is no length that a float holds.
LENGTHS = st.just(0.0) | st.floats(1e-9, 1e6)


@given(st.lists(LENGTHS, min_size=3, max_size=3), st.floats(1, 4), st.integers(4, 40))
def test_a_span_has_its_ends_and_its_mark_in_place(values, room, width):
    low, middle, high = sorted(values)
    drawn = bars.span(low, middle, high, high * room, width)
    assert len(drawn) <= width
    assert drawn.count("┿") == 1
    if high > 0:
        scale = width / (high * room)
        for value, place in ((low, len(drawn) - len(drawn.lstrip())), (middle, drawn.index("┿"))):
            assert abs(min(width - 1, value * scale) - place) <= 1
