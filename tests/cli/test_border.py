"""Beads that the border cuts are counted, and a run says what they add to the density."""

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.fields import field

WORDS = "cut by the border: density is overstated by about"


@pytest.fixture
def fields():
    folder = Path("fields")
    folder.mkdir()
    rng = np.random.default_rng(2)
    for number in range(3):
        tifffile.imwrite(folder / f"{number}.tif", field(rng).astype(np.uint16))
    return folder


def test_cut_beads_are_in_a_column_and_told_where_they_are_many(run, fields):
    said = run("count", "--labels", fields, "-o", "out")
    assert said.code == 0
    with Path("out/counts.csv").open() as file:
        rows = list(csv.DictReader(file))
    with Path("out/beads.csv").open() as file:
        cut = [bead["image"] for bead in csv.DictReader(file) if bead["flags"]]
    assert [int(row["border_beads"]) for row in rows] == [cut.count(row["image"]) for row in rows]
    beads, half = sum(int(row["count"]) for row in rows), len(cut) / 2
    assert f"{len(cut)} of {beads} beads are {WORDS} {half / (beads - half):.0%}; " in said.err


@pytest.mark.parametrize(
    "rule", [("--counting-frame", "24px"), ("--counting-frame", "2px"), ("--exclude-border",)]
)
def test_a_rule_for_the_border_leaves_nothing_to_tell(run, fields, rule):
    said = run("count", "--labels", fields, *rule)
    assert said.code == 0
    assert WORDS not in said.err


def test_few_cut_beads_are_not_told(run):
    labels = np.zeros((200, 200), np.uint16)
    for label, top in enumerate(range(0, 200, 10), 1):
        labels[top : top + 5, 50:55] = label
    tifffile.imwrite("labels.tif", labels)
    said = run("count", "--labels", "labels.tif")
    assert said.code == 0
    assert WORDS not in said.err
