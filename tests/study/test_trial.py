"""``compare-losses`` on the command line: trials that are run, kept, shared between tasks, and refused."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from helpers import version_1

from beadctl import lock
from beadctl.errors import OutputError
from beadctl.study import run as study_run
from beadctl.study.grid import Trial
from beadctl.study.outcome import Arm
from beadctl.study.trial import kept
from beadctl.study.trial import run as run_trial
from beadctl.training.choices import SelectName
from beadctl.training.options import TrainCallbacks, TrainOptions
from beadctl.training.plan import TrainingPlan

SMALL = (
    *("--epochs", "1", "--width", "4", "--depth", "2", "--size", "32"),
    *("--batch-size", "4", "--threads", "1", "--workers", "0", "-o", "out"),
)


@pytest.fixture
def compare(run, tmp_path, monkeypatch):
    """Run the command on four simulated scenes cut into tiles."""
    monkeypatch.setenv("COLUMNS", "150")
    assert run("simulate", "sim", "-n", "4", "--size", "64", "--seed", "3").code == 0
    cut = ("tile", "sim/images", "sim/masks", "-o", "tiles", "--size", "32", "--overlap", "0")
    assert run(*cut, "--val-fraction", "0.25", "--test-fraction", "0.25").code == 0

    def call(*arguments):
        return run("compare-losses", *SMALL, *arguments)

    return call


def rows(name="runs.csv"):
    with Path("out", name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def stamps():
    return {path: path.stat().st_mtime_ns for path in Path("out").glob("*/*.pt")}


def results():
    return {path: path.stat().st_mtime_ns for path in Path("out").glob("*/result.json")}


DICE = "dice-fixed-lr0.001-batch4-dropout0.1-seed0"


def test_a_trial_that_another_call_is_running_is_refused(compare):
    with lock.held(Path("out", DICE), print):
        said = compare("--losses", "dice", "--seeds", "1")
    assert said.code == 3
    assert f"{DICE}: in use by another job" in said.error
    assert not list(Path("out").rglob("*.pt"))


def test_a_trial_that_another_call_has_run_in_the_meantime_is_kept(compare, monkeypatch):
    assert compare("--losses", "dice", "--seeds", "1").code == 0
    before, calls = stamps() | results(), []

    def missing_at_first(*arguments, **named):
        calls.append(arguments)
        return kept(*arguments, **named) if len(calls) > 1 else None

    monkeypatch.setattr(study_run, "kept", missing_at_first)
    said = compare("--losses", "dice", "--seeds", "1")
    assert (said.code, stamps() | results()) == (0, before), said.err
    assert "1 of 1 trial to run" in said.err


def test_finished_runs_are_not_run_again(compare):
    first = compare("--losses", "dice,focal", "--seeds", "1", "--gradient-audit")
    assert first.code == 0, first.err
    assert [line.split()[0] for line in first.out.splitlines() if "dice" in line or "focal" in line]
    assert "fewer than 3 seeds prove nothing" in first.err
    assert [(row["loss"], row["seed"], row["split"]) for row in rows()] == [
        ("dice", "0", "test"),
        ("focal", "0", "test"),
    ]
    names = {"runs.csv", "summary.csv", "differences.csv", "comparison.json", "comparison.md"}
    assert {path.name for path in Path("out").iterdir() if path.is_file()} == {
        *names,
        "report.png",
        "report.html",
    }
    page = Path("out/report.html").read_text(encoding="utf-8")
    # One test tile has beads; the others are empty, and nothing is found in them.
    assert page.count("<figcaption>") == 2
    assert "dice, seed 0: best test tile" in page
    audited = {row["loss"] for row in rows(f"{DICE}/gradients.csv")}
    assert audited == {"dice", "focal", "combined", "tversky", "focal-tversky", "multi-term", "bce", "lovasz"}

    before = stamps()
    assert len(before) == 4
    again = compare("--losses", "dice,focal", "--seeds", "1")
    assert again.code == 0, again.err
    assert again.out == first.out
    assert stamps() == before

    # Another loss and another seed: only they are run.
    more = compare("--losses", "dice,focal,bce", "--seeds", "2", "--no-pictures")
    assert more.code == 0, more.err
    assert "4 of 6 trials to run" in more.err
    assert {path: stamp for path, stamp in stamps().items() if path in before} == before
    assert len(rows()) == 6
    assert "worst test tile" not in Path("out/report.html").read_text(encoding="utf-8")


def test_the_figures_are_those_of_eval(compare, run):
    """Exporting the best checkpoint of a run and scoring the same tiles gives its outcome."""
    assert compare("--losses", "combined", "--seeds", "1", "--epochs", "4", "--lr", "0.01").code == 0
    (row,) = rows()
    assert run("export", f"out/{row['folder']}", "-o", "bead.onnx").code == 0
    said = run("eval", "--tiles", "tiles", "--split", row["split"], "-m", "bead.onnx")
    figures = json.loads(said.out)["figures"]
    for ours, theirs in (("jaccard", "jaccard"), ("f1", "f1@0.50"), ("count_mape", "count_mape")):
        assert float(row[ours]) == pytest.approx(figures[theirs], abs=0.01), ours


def test_a_grid_of_settings(compare):
    grid = ("--losses", "dice,combined", "--weighting", "fixed,ramp", "--lr", "1e-3,1e-2")
    said = compare(*grid, "--seeds", "1")
    assert said.code == 0, said.err
    arms = [(row["loss"], row["weighting"], float(row["lr"])) for row in rows()]
    # A ramp needs two terms, so Dice has none.
    assert arms == [
        ("dice", "fixed", 1e-3),
        ("dice", "fixed", 1e-2),
        ("combined", "fixed", 1e-3),
        ("combined", "fixed", 1e-2),
        ("combined", "ramp", 1e-3),
        ("combined", "ramp", 1e-2),
    ]


def test_tasks_of_a_job_array_share_the_runs(compare):
    grid = ("--losses", "dice,focal,bce", "--seeds", "1", "--no-pictures")
    first = compare(*grid, "--shard", "1/2")
    assert first.code == 0, first.err
    assert [row["loss"] for row in rows()] == ["dice", "bce"]
    assert "1 of 3 trials missing" in first.err
    before = stamps()
    second = compare(*grid, "--shard", "2/2")
    assert second.code == 0, second.err
    assert "1 of 1 trial to run" in second.err
    assert sorted(row["loss"] for row in rows()) == ["bce", "dice", "focal"]
    assert before.items() <= stamps().items()


def test_a_failed_run_is_a_row_with_its_reason_and_runs_again_with_retry(compare, monkeypatch):
    from beadctl.study import trial

    real = trial.train

    def train(plan, folder, **rest):
        if plan.loss == "focal":
            raise RuntimeError("CUDA out of memory.\nTried to allocate")
        return real(plan, folder, **rest)

    grid = ("--losses", "focal,dice", "--seeds", "1", "--no-pictures")
    monkeypatch.setattr(trial, "train", train)
    said = compare(*grid)
    assert said.code == 1
    reasons = {row["loss"]: row["reason"] for row in rows()}
    assert reasons == {"focal": "CUDA out of memory.", "dice": ""}
    assert "CUDA out of memory" in Path("out/report.html").read_text(encoding="utf-8")

    monkeypatch.setattr(trial, "train", real)
    assert compare(*grid).code == 1, "a failed run is kept without --retry"
    said = compare(*grid, "--retry")
    assert said.code == 0, said.err
    assert {row["reason"] for row in rows()} == {""}


def test_another_budget_in_the_same_folder_is_an_error(compare):
    grid = ("--losses", "dice", "--seeds", "1", "--no-pictures")
    assert compare(*grid).code == 0
    said = compare(*grid, "--epochs", "2")
    assert said.code == 3
    assert len(said.errors) == 1
    assert "epochs = 1, not 2" in said.error
    assert "-o" in said.error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--losses", "dice,hinge"), ("hinge", "lovasz")),
        (("--losses", "dice,dice"), ("--losses", "once")),
        (("--losses", "dice,"), ("--losses", "commas")),
        (("--weighting", "fixed,best"), ("best", "uncertainty")),
        (("--losses", "dice", "--weighting", "ramp"), ("ramp", "combined")),
        (("--lr", "1e-3,-1"), ("train.lr", "-1")),
        (("--batch-size", "4,x"), ("--batch-size x", "train.batch_size")),
        (("--dropout", "0,1"), ("train.dropout", "1")),
        (("--shard", "3/2"), ("--shard 3/2", "I/N")),
        (("--shard", "half"), ("--shard half", "I/N")),
    ],
)
def test_a_wrong_list_is_one_line_and_exit_code_2(run, arguments, words):
    said = run("compare-losses", "-o", "out", *arguments)
    assert said.code == 2
    assert len(said.errors) == 1
    assert all(word in said.error for word in words)
    assert not Path("out").exists()


def test_missing_tiles_are_an_error_before_the_first_run(run):
    said = run("compare-losses", "--losses", "dice,focal", "--seeds", "1", "--tiles", "absent", "-o", "out")
    assert said.code == 3
    assert len(said.errors) == 1
    assert "absent" in said.error
    assert "beadctl tile" in said.error
    assert not Path("out").exists()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_killed_comparison_is_resumed(compare):
    grid = ("--losses", "dice,focal,bce,combined", "--seeds", "1", "--no-pictures", "--epochs", "6")
    command = [sys.executable, "-m", "beadctl", "compare-losses", *SMALL, *grid]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, **silent) as one:
        deadline = time.monotonic() + 120
        while not results() or len(list(Path("out").glob("*/last.pt"))) < 2:
            assert one.poll() is None, "the command ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        one.send_signal(signal.SIGKILL)
    finished = results()
    assert 1 <= len(finished) < 4
    said = compare(*grid)
    assert said.code == 0, said.err
    assert f"{4 - len(finished)} of 4 trials to run" in said.err
    assert finished.items() <= results().items()
    assert [row["epochs"] for row in rows()] == ["6"] * 4


def test_a_comparison_of_version_0_1_is_resumed_and_kept(tmp_path):
    """Its ``run.json`` has the keys ``seed_weight`` and ``seed_threshold``."""
    plan = TrainingPlan(simulate=4, size=32, epochs=2, batch_size=2, width=4, depth=2, validation_scenes=2)
    plan = replace(plan, marker_weight=1.5, marker_threshold=0.4, select=SelectName.JACCARD)
    trial = Trial(Arm("combined", "fixed", plan.lr, plan.batch_size, plan.dropout), plan, {})
    folder, options = tmp_path / trial.folder, TrainOptions(device="cpu", workers=0, threads=1)

    def to_version_0_1():
        before = version_1.facts(folder / "run.json")
        assert (before["seed_weight"], before["seed_threshold"]) == (1.5, 0.4)
        assert not any("marker" in name for name in before)
        version_1.checkpoint(folder / "last.pt")

    epochs = []
    stop = TrainCallbacks(epochs.append, should_stop=lambda: len(epochs) == 1)
    assert run_trial(trial, tmp_path, tiles=None, options=options, callbacks=stop) is None
    to_version_0_1()
    outcome = run_trial(trial, tmp_path, tiles=None, options=options, callbacks=TrainCallbacks(epochs.append))
    assert (outcome.reason, outcome.epochs) == ("", 2)
    assert [record.epoch for record in epochs] == [1, 2], "the first epoch is not repeated"

    to_version_0_1()
    assert repr(kept(trial, tmp_path)) == repr(outcome)  # nan is not equal to itself
    other = replace(trial, plan=replace(plan, marker_weight=3.0))
    with pytest.raises(OutputError, match=r"marker_weight = 1\.5, not 3"):
        kept(other, tmp_path)
