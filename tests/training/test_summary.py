"""The learning curve in the terminal."""

import io
import re

import pytest

pytest.importorskip("torch")

from rich.console import Console

from beadctl.console import Messages
from beadctl.files import write_csv
from beadctl.training import summary
from beadctl.training.run_folder import HISTORY


def rows_of(figures, best):
    return [
        {name: str(value) for name in summary.FIGURES} | {"best": str(place in best)}
        for place, value in enumerate(figures)
    ]


def test_first_best_and_last_epoch_are_told():
    for name, first, best, last, _ in summary.rows(rows_of([0.1, 0.9, 0.8, 0.5], best={0, 1})):
        assert name in summary.FIGURES.values()
        assert (first, best, last) == ("0.100", "0.900", "0.500")


def test_the_curve_rises_and_falls_with_the_values_and_fits():
    assert summary.curve([1, 2, 3, 2, 1]) == summary.curve([1, 2, 3, 2, 1])[::-1]
    assert summary.curve([4.0, 4.0]) == summary.BLOCKS[0] * 2
    many = summary.curve(list(range(500)))
    assert sorted(many) == list(many)
    assert set(many) == set(summary.BLOCKS)


@pytest.mark.parametrize("terminal", [True, False])
def test_it_is_drawn_on_a_terminal_of_80_columns_and_plain_elsewhere(tmp_path, monkeypatch, terminal):
    rows = [dict(row, best=row["best"] == "True") for row in rows_of([0.1, 0.9, 0.4], best={0, 1})]
    write_csv(tmp_path / HISTORY, list(rows[0]), rows)
    said = io.StringIO()
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm" if terminal else "dumb")

    def console():
        return Console(file=said, force_terminal=terminal, width=80)

    monkeypatch.setattr(summary, "stderr", console)
    monkeypatch.setattr("beadctl.console.table.stderr", console)
    summary.show(tmp_path, Messages(0))
    lines = re.sub(r"\x1b\[[\d;]*m", "", said.getvalue()).splitlines()
    assert bool(set(said.getvalue()) & set(summary.BLOCKS)) == terminal
    assert all(name in "\n".join(lines) for name in summary.FIGURES.values())
    assert max(map(len, lines)) <= 80
