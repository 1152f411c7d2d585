"""The folder of a run: what it holds, and that no run is overwritten."""

import json
from dataclasses import replace

import pytest
from helpers.training import TINY, go, history, one_line
from PIL import Image

from beadctl.errors import ModelError, OutputError
from beadctl.training import checkpoint
from beadctl.training.records import EpochRecord


def test_run_folder(tiles, tmp_path):
    run_dir = tmp_path / "run"
    records, steps = [], []
    result = go(TINY, tiles, run_dir, settings={"size": 32}, on_epoch=records.append, on_step=steps.append)
    names = {path.name for path in run_dir.iterdir()}
    assert names == {"best.pt", "last.pt", "history.csv", "run.json", "learning_curve.png"}
    assert [row["epoch"] for row in history(run_dir)] == ["1", "2"]
    plain = [name for name in EpochRecord.__dataclass_fields__ if name != "weights"]
    assert list(history(run_dir)[0]) == [*plain, "weight_dice", "weight_focal", "weight_marker"]
    weights = [float(history(run_dir)[0][f"weight_{name}"]) for name in ("dice", "focal", "marker")]
    assert weights == [0.7, 0.3, 1]
    assert [float(row["val_jaccard"]) for row in history(run_dir)] == [
        record.val_jaccard for record in records
    ]
    assert [(step.epoch, step.step, step.steps) for step in steps] == [
        (epoch, step, 3) for epoch in (1, 2) for step in (1, 2, 3)
    ]
    for record in records:
        assert record.train_loss == pytest.approx(record.mask_loss + record.marker_loss)
    with Image.open(run_dir / "learning_curve.png") as picture:
        assert picture.width > 800
    facts = json.loads((run_dir / "run.json").read_text())
    assert facts["settings"] == {"size": 32}
    assert facts["device"] == {
        "asked": "auto",
        "used": result.device,
        "precision": facts["device"]["precision"],
    }
    assert facts["stopped"] == "finished"
    assert len(facts["data"]["fingerprint"]) == 64
    best = checkpoint.load(result.best)
    assert best.epoch == best.best_epoch == result.record.epoch
    assert best.history[-1]["val_f1"] == max(record.val_f1 for record in records)
    assert best.facts["diameter_px"] == pytest.approx(8, abs=3)


def test_a_folder_with_a_run_is_not_overwritten(tiles, tmp_path):
    go(replace(TINY, epochs=1), tiles, tmp_path / "run")
    before = (tmp_path / "run" / "last.pt").read_bytes()
    with pytest.raises(OutputError, match="already holds a run") as error:
        go(TINY, tiles, tmp_path / "run")
    one_line(error)
    assert (tmp_path / "run" / "last.pt").read_bytes() == before


def test_resuming_nothing_is_refused(tiles, tmp_path):
    with pytest.raises(ModelError, match=r"no last\.pt") as error:
        go(TINY, tiles, tmp_path / "run", resume=True)
    one_line(error)


def test_a_resumed_run_gets_the_files_that_a_killed_one_lacks(tiles, tmp_path):
    """Killed after ``last.pt`` of its first, best and last epoch was written."""
    folder = tmp_path / "run"
    go(replace(TINY, epochs=1), tiles, folder, gradient_audit=True)
    kept = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".csv", ".png")}
    best = checkpoint.load(folder / "best.pt")
    for path in folder.iterdir():
        if path.name != "last.pt":
            path.unlink()
    assert go(replace(TINY, epochs=1), tiles, folder, resume=True).epochs == 1
    assert checkpoint.load(folder / "best.pt").history == best.history
    assert {name: (folder / name).read_bytes() for name in kept} == kept
    assert len(kept) == 3
