"""``count --format``: the same rows in every form."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from helpers.images import discs

from beadctl.results.ledger import COLUMNS, TYPES, Row


@pytest.fixture
def labels(run):
    """Two fields, one with a name for every separator, and a file that is no image."""
    Path("labels").mkdir()
    tifffile.imwrite("labels/a, b|c.tif", discs(5)[1])
    tifffile.imwrite("labels/none.tif", np.zeros((20, 30), np.uint8))
    Path("labels/broken.tif").write_bytes(b"II*\0")
    return Path("labels")


def rows(run, labels, form):
    said = run("count", "--labels", labels, "--format", form, "--pixel-size", "0.5", "-q")
    assert said.code == 1
    return said.out


def test_delimited_forms_hold_the_same_cells(run, labels):
    tables = [
        list(csv.reader(io.StringIO(rows(run, labels, form)), delimiter=delimiter))
        for form, delimiter in (("csv", ","), ("tsv", "\t"))
    ]
    assert tables[0] == tables[1]
    assert tuple(tables[0][0]) == COLUMNS
    assert [row[0] for row in tables[0][1:]] == ["a, b|c.tif", "broken.tif", "none.tif"]
    assert pd.read_csv(io.StringIO(rows(run, labels, "tsv")), sep="\t")["count"].tolist()[::2] == [5, 0]


def test_json_forms_hold_the_same_values(run, labels):
    whole = json.loads(rows(run, labels, "json"))
    assert whole == [json.loads(line) for line in rows(run, labels, "jsonl").splitlines()]
    assert [row["count"] for row in whole] == [5, None, 0]


def test_markdown_is_a_table_for_a_report(run, labels):
    head, line, *body = rows(run, labels, "md").splitlines()
    assert head.startswith("| image | plane | status | beads | ")
    assert set(line) == set("|- ")
    assert body[0].startswith("| a, b\\|c.tif | 0 | ok | 5 | ")
    # Each line has the same cells.
    assert len({text.replace("\\|", "").count("|") for text in (head, line, *body)}) == 1


def test_a_type_is_stated_for_every_column():
    assert set(TYPES) == set(COLUMNS)
    assert (TYPES["image"], TYPES["count"], TYPES["doubt"], TYPES["plane"]) == (str, int, float, int)
    row = Row("a", 0, "", "ok", count=1)
    assert all(value is None or isinstance(value, TYPES[name]) for name, value in row.cells().items())


def parquet(labels, *more):
    pytest.importorskip("pyarrow")
    words = [sys.executable, "-m", "beadctl", "count", "--labels", labels, "--format", "parquet", "-q", *more]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(words, capture_output=True, env=environment, timeout=300, check=False)


def test_parquet_holds_values_of_one_type_a_column(run, labels):
    done = parquet(labels, "--pixel-size", "0.5")
    assert done.returncode == 1
    found = pd.read_parquet(io.BytesIO(done.stdout), engine="pyarrow")
    assert tuple(found.columns) == COLUMNS
    expected = json.loads(rows(run, labels, "json"))
    for name in COLUMNS:
        for value, row in zip(found[name], expected, strict=True):
            assert row[name] is None if pd.isna(value) else value == row[name], name
    # Columns without a value have their type too.
    from pyarrow import parquet as pq

    schema = pq.read_schema(io.BytesIO(done.stdout))
    kinds = {str: "string", int: "int64", float: "double"}
    assert {name: str(schema.field(name).type) for name in COLUMNS} == {
        name: kinds[kind] for name, kind in TYPES.items()
    }


def test_parquet_without_pyarrow_is_one_line_before_any_work(run, labels, monkeypatch):
    monkeypatch.setattr("beadctl.errors.find_spec", lambda name: None)
    said = run("count", "--labels", labels, "--format", "parquet", "-o", "out")
    assert said.code == 3
    assert said.error == 'error: pyarrow is not installed; pip install "beadctl[parquet]"'
    assert not Path("out").exists()


def test_parquet_on_a_terminal_is_one_line(run, labels, monkeypatch):
    monkeypatch.setattr("beadctl.errors.find_spec", lambda name: name)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    said = run("count", "--labels", labels, "--format", "parquet")
    assert said.code == 3
    assert said.error == "error: standard output: is a terminal; send Parquet to a file with > FILE"
