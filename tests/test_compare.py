"""Losses against each other: a fair table, a cautious sentence, and no run that is run twice."""

import csv
import math
import statistics
from pathlib import Path

import pytest

from beadctl.compare import Outcome, summarise, verdict
from beadctl.losses import Loss

pytest.importorskip("torch")


def outcomes(**losses):
    return [
        Outcome(loss, seed, jaccard, 1.0 + seed, 5)
        for loss, runs in losses.items()
        for seed, jaccard in enumerate(runs)
    ]


def test_a_loss_is_the_mean_over_its_seeds():
    runs = [*outcomes(dice=[0.5, 0.7, 0.6], focal=[0.9, 0.8]), Outcome("focal", 2, reason="diverged")]
    first, second = summarise(runs, [Loss.DICE, Loss.FOCAL])
    assert (first.loss, first.n, first.failed) == ("focal", 2, 1)
    assert (second.loss, second.n, second.failed) == ("dice", 3, 0)
    assert second.mean == pytest.approx(0.6)
    assert second.best == 0.7
    assert second.sd == pytest.approx(statistics.stdev([0.5, 0.7, 0.6]))
    assert second.count_mae == pytest.approx(2)


def test_a_loss_whose_runs_all_failed_comes_last():
    runs = [*outcomes(dice=[0.1]), Outcome("focal", 0, reason="diverged")]
    rows = summarise(runs, [Loss.FOCAL, Loss.DICE])
    assert [row.loss for row in rows] == ["dice", "focal"]
    assert math.isnan(rows[1].mean)
    assert "nothing to compare" in verdict(rows)


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ({"dice": [0.9, 0.91, 0.9], "focal": [0.5, 0.51, 0.5]}, "dice is better than focal by 0.4"),
        ({"dice": [0.9, 0.5, 0.7], "focal": [0.6, 0.8, 0.69]}, "no difference shown"),
        ({"dice": [0.9], "focal": [0.5]}, "fewer than 3 seeds prove nothing"),
        ({"dice": [0.9, 0.9, 0.9]}, "nothing to compare"),
    ],
)
def test_the_verdict_says_what_the_runs_allow(losses, words):
    assert words in verdict(summarise(outcomes(**losses), [Loss(name) for name in losses]))


def test_runs_are_kept_and_not_run_again(run, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    assert run("simulate", "sim", "-n", "4", "--size", "64", "--seed", "3").code == 0
    cut = ("tile", "sim/images", "sim/masks", "-o", "tiles", "--size", "32", "--overlap", "0")
    assert run(*cut, "--val-fraction", "0.25", "--test-fraction", "0").code == 0
    call = ["compare-losses", "--losses", "dice,focal", "--seeds", "1", "--epochs", "1", "-o", "out"]
    call += ["--width", "4", "--depth", "2", "--size", "32", "--batch-size", "4", "--threads", "1"]
    monkeypatch.setenv("BEADCTL_TRAIN__WORKERS", "0")
    first = run(*call)
    assert first.code == 0, first.err
    assert [line.split()[0] for line in first.out.splitlines() if "dice" in line or "focal" in line]
    assert "fewer than 3 seeds prove nothing" in first.err
    with Path("out/runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["loss"], row["seed"], row["epoch"]) for row in rows] == [
        ("dice", "0", "1"),
        ("focal", "0", "1"),
    ]
    stamps = {path: path.stat().st_mtime_ns for path in Path("out").glob("*/*.pt")}
    assert len(stamps) == 4
    again = run(*call)
    assert again.code == 0, again.err
    assert again.out == first.out
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_runs_that_fail_are_told(run, tmp_path):
    said = run("compare-losses", "--losses", "dice,focal", "--seeds", "1", "--tiles", "absent", "-o", "out")
    assert said.code != 0
    assert all("absent" in line and "beadctl tile" in line for line in said.errors)
    assert said.errors
