"""Event files of TensorBoard: the figures of history.csv, and one line where the package is missing."""

import sys

import pytest
from helpers.training import write_tiles

pytest.importorskip("torch")

FLAGS = ("--width", 4, "--depth", 2, "--batch-size", 2, "--workers", 0, "--threads", 1, "--device", "cpu")


def test_the_missing_package_is_named_before_any_work(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    tiles = write_tiles(tmp_path / "tiles")
    said = run("train", "--tiles", tiles, "-o", "run", *FLAGS, "--tensorboard")
    assert said.code == 3
    assert said.error == 'error: tensorboard is not installed; pip install "beadctl[tensorboard]"'
    assert not (tmp_path / "run").exists()


def test_the_events_are_those_of_the_history(run, tmp_path):
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    from helpers.training import history
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tiles = write_tiles(tmp_path / "tiles")
    call = ("train", "--tiles", tiles, "-o", "run", *FLAGS, "--tensorboard")
    assert run(*call, "--epochs", 1).code == 0
    assert run(*call, "--epochs", 2, "--resume").code == 0
    read = EventAccumulator(str(tmp_path / "run/tensorboard"))
    read.Reload()
    rows = history(tmp_path / "run")
    assert len(rows) == 2
    for name in ("loss/train_loss", "validation/val_f1", "count/count_mape", "run/lr"):
        events = read.Scalars(name)
        assert [event.step for event in events] == [1, 2]
        assert [event.value for event in events] == pytest.approx(
            [float(row[name.split("/")[1]]) for row in rows], rel=1e-5
        )
    steps = [event.step for event in read.Scalars("step/loss")]
    assert steps == list(range(1, len(steps) + 1))
    # A run that is refused leaves no further file.
    files = sorted((tmp_path / "run/tensorboard").iterdir())
    assert run(*call).code == 3
    assert sorted((tmp_path / "run/tensorboard").iterdir()) == files
