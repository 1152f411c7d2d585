"""What the machine causes in a training is one line that says what to do."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from helpers.training import TINY, go, one_line

from beadctl.errors import TrainingError
from beadctl.training.learner import Learner


def fails(tiles, tmp_path, **more):
    with pytest.raises(TrainingError) as error:
        go(replace(TINY, epochs=4), tiles, tmp_path / "run", **more)
    return one_line(error)


def allocate(*_):
    return torch.empty(2**61, dtype=torch.uint8)


def raises(error):
    def raised(*_):
        raise error

    return raised


@pytest.mark.parametrize(
    "accumulate",
    [
        allocate,
        raises(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")),
        raises(MemoryError()),
    ],
    ids=["cpu", "cuda", "python"],
)
def test_too_little_memory(tiles, tmp_path, monkeypatch, accumulate):
    monkeypatch.setattr(Learner, "accumulate", accumulate)
    told = fails(tiles, tmp_path)
    assert "memory does not suffice" in told
    assert "--batch-size" in told
    assert "no epoch was finished" in told


def test_what_is_kept_is_said(tiles, tmp_path, monkeypatch):
    def full(record):
        monkeypatch.setattr(Learner, "accumulate", raises(MemoryError()))

    told = fails(tiles, tmp_path, on_epoch=full)
    assert f"{tmp_path / 'run' / 'last.pt'} holds the last finished epoch" in told
    monkeypatch.undo()
    assert go(replace(TINY, epochs=4), tiles, tmp_path / "run", resume=True).epochs == 4


# In a process of its own: torch tells of dead workers at any later time.
KILLED = """
import multiprocessing
import sys
from pathlib import Path

from beadctl.errors import TrainingError
from beadctl.training import device
from beadctl.training.options import TrainCallbacks, TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.train import train

maker, workers, tiles, run = sys.argv[1:]
device.makes_views = lambda target: maker == "device"


def kill(record):
    for worker in multiprocessing.active_children():
        worker.kill()


plan = TrainingPlan(size=32, epochs=4, batch_size=2, width=4, depth=2)
options = TrainOptions(device="cpu", workers=int(workers))
try:
    train(plan, Path(run), tiles=Path(tiles), options=options, callbacks=TrainCallbacks(on_step=kill))
except TrainingError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.parametrize("maker", ["processes", "device"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_worker(tiles, tmp_path, maker, workers):
    words = [sys.executable, "-c", KILLED, maker, str(workers), tiles, tmp_path / "run"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "was killed" in done.stdout
    assert "--workers" in done.stdout
    assert done.stdout.count("\n") == 1


def test_too_little_shared_memory(tiles, tmp_path, monkeypatch):
    text = "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that ..."
    monkeypatch.setattr(Learner, "accumulate", raises(RuntimeError(text)))
    assert "--workers 0" in fails(tiles, tmp_path)


def test_other_errors_pass(tiles, tmp_path, monkeypatch):
    monkeypatch.setattr(Learner, "accumulate", raises(RuntimeError("a fault of beadctl")))
    with pytest.raises(RuntimeError, match="a fault of beadctl"):
        go(TINY, tiles, tmp_path / "run")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_too_little_memory_of_a_gpu(tiles, tmp_path, monkeypatch):
    monkeypatch.setattr(Learner, "accumulate", lambda *_: torch.empty(2**44, device="cuda"))
    assert "memory does not suffice" in fails(tiles, tmp_path, device="cuda")
