"""Tables on standard output."""

import json

from beadctl.console import Form, RowPrinter
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
