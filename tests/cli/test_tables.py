"""Tables: the same rows in every form."""

import json

import numpy as np
import tifffile
from helpers.commandline import rows_of
from helpers.images import discs

from beadctl import console
from beadctl.results.ledger import COLUMNS


def key(row):
    return row["image"], int(row["plane"])


def test_the_csv_of_count_is_counts_csv(count, run, model_path, bead_folder, tmp_path):
    printed = count(bead_folder, "--format", "csv", "-o", tmp_path / "out")
    assert printed.out == (tmp_path / "out/counts.csv").read_text()
    assert not (tmp_path / "out/masks").exists()
    assert count(bead_folder).out == printed.out
    run("segment", bead_folder, "-m", model_path, "-o", tmp_path / "segmented")
    assert (tmp_path / "segmented/counts.csv").read_text() == printed.out


def test_every_form_has_the_same_rows(count, bead_folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    wanted = [(key(row), int(row["count"])) for row in rows_of(count(bead_folder, "--format", "csv").out)]
    whole = json.loads(count(bead_folder, "--format", "json").out)
    lines = [json.loads(line) for line in count(bead_folder, "--format", "jsonl").out.splitlines()]
    assert whole == lines
    assert [(key(row), row["count"]) for row in whole] == wanted
    assert tuple(whole[0]) == COLUMNS
    table = count(bead_folder, "--format", "table").out
    cells = [line.split() for line in table.splitlines() if " ok " in line]
    assert [((line[0], int(line[1])), int(line[3])) for line in cells] == wanted


def test_an_unknown_form_is_refused_with_the_choices(count, bead_folder):
    said = count(bead_folder, "--format", "xml")
    assert said.code == 2
    assert all(f"'{form}'" in said.error for form in ("xml", *console.Form))
    assert "see beadctl count --help" in said.error
    assert "Value error" not in said.error


def test_every_table_has_every_form(run, model_path, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    image, labels = discs(4)
    for folder, plane in (("images", image), ("masks", labels[::-1])):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "a.tif", plane)
    calls = {
        ("audit", "images", "masks", "--no-find"): "image",
        ("tile", "images", "masks", "--size", "64", "--overlap", "8", "--dry-run"): "image",
        ("eval", "images", "masks", "-m", model_path): "figure",
        ("info",): "fact",
        ("info", "--settings"): "setting",
    }
    for call, column in calls.items():
        out = {form: run(*call, "--format", form).out for form in ("csv", "json", "jsonl", "table")}
        rows = rows_of(out["csv"])
        assert next(iter(rows[0])) == column
        whole, lines = json.loads(out["json"]), [json.loads(line) for line in out["jsonl"].splitlines()]
        assert all(row[column] in out["table"] for row in rows), call
        if isinstance(whole, list):
            assert [row[column] for row in whole] == [row[column] for row in lines]
            assert [row[column] for row in whole] == [row[column] for row in rows]
        else:
            assert [whole] == lines, call


def test_a_count_of_an_empty_plane_is_zero_in_every_form(count, tmp_path):
    tifffile.imwrite(tmp_path / "none.tif", np.zeros((30, 30), np.uint8))
    (row,) = json.loads(count("none.tif", "--format", "json").out)
    assert (row["count"], row["mean_diameter_px"], row["status"]) == (0, None, "ok")
    assert json.loads(count("none.tif", "--format", "jsonl").out) == row
    (row,) = rows_of(count("none.tif", "--format", "csv").out)
    assert (row["count"], row["mean_diameter_px"], row["status"]) == ("0", "", "ok")
    (line,) = [line for line in count("none.tif", "--format", "table").out.splitlines() if " ok " in line]
    assert line.split()[3] == "0"
