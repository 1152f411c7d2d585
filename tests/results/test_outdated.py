"""Statistics of an earlier run stay as long as the counts do that they are of."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.images import discs
from helpers.results_folder import table
from PIL import Image

from beadctl.errors import Interrupted
from beadctl.results import image_work

GROUPS = ("--group-by", "^[ab]")


@pytest.fixture
def count(run, model_path, tmp_path):
    """A function that counts two fields into ``out``, where an earlier run left groups and sizes."""
    (tmp_path / "fields").mkdir()
    for name, beads in (("a1", 3), ("b1", 5)):
        Image.fromarray(discs(beads, 64, 128)[0]).save(tmp_path / "fields" / f"{name}.png")

    def count(*words):
        return run("count", tmp_path / "fields", "-m", model_path, "-o", "out", *words)

    assert count(*GROUPS, "--sizes").code == 0
    return count


def statistics():
    return {path.stem for path in Path("out").glob("*.csv")} - {"counts", "beads"}


def test_they_stay_where_the_counts_do(count):
    before = Path("out/groups.csv").read_bytes()
    said = count("--sizes")
    assert (said.code, "removed" in said.err) == (0, False)
    assert statistics() == {"groups", "sizes", "size_histogram"}
    assert Path("out/groups.csv").read_bytes() == before
    assert "groups.csv" in json.loads(Path("out/run.json").read_text())["files"]


def test_those_of_other_counts_are_removed_and_said(count, tmp_path):
    Image.fromarray(discs(4, 64, 128)[0]).save(tmp_path / "fields" / "a2.png")
    said = count("--sizes")
    assert said.code == 0
    assert "warning: out: removed, as the counts that they are of have changed: groups.csv" in said.err
    assert statistics() == {"sizes", "size_histogram"}
    assert sum(int(row["beads"]) for row in table("out/sizes.csv")) == 12
    assert "groups.csv" not in json.loads(Path("out/run.json").read_text())["files"]


def test_an_interrupted_run_leaves_none_and_a_rerun_writes_them(count, tmp_path, monkeypatch):
    Image.fromarray(np.zeros((64, 128), np.uint8)).save(tmp_path / "fields" / "b2.png")

    def interrupted(*_):
        raise Interrupted(15)

    with monkeypatch.context() as patch:
        patch.setattr(image_work, "finished", interrupted)
        said = count(*GROUPS)
    assert said.code == 143
    assert statistics() == set()
    assert {row["image"]: row["status"] for row in table("out/counts.csv")} == {
        "a1.png": "skipped",
        "b1.png": "skipped",
        "b2.png": "failed",
    }
    assert count(*GROUPS).code == 0
    assert [(row["sample"], row["fields"], row["beads"]) for row in table("out/groups.csv")] == [
        ("a", "1", "3"),
        ("b", "2", "5"),
    ]


def test_what_cannot_be_removed_is_said(count, tmp_path, monkeypatch):
    Image.fromarray(discs(4, 64, 128)[0]).save(tmp_path / "fields" / "a2.png")
    real = Path.unlink

    def unlink(path, *args, **kwargs):
        if path.name == "groups.csv":
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(Path, "unlink", unlink)
    said = count()
    assert said.code == 1
    assert "groups.csv: cannot be removed (Permission denied), and its counts have changed" in said.err
