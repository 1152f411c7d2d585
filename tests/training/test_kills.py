"""A training that is killed at any moment, and resumed, leaves the folder of one that nobody disturbed.

    python -m pytest -s -m "slow or not slow" tests/training/test_kills.py

kills a hundred and prints how they went.
"""

import csv
import json
import sys

import pytest
import torch
from helpers.kills import Kills

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")

# What differs between two trainings that nobody disturbed.
OF_THE_RUN = {"started", "ended", "elapsed_s", "seconds", "images_per_s"}


def same_in_all(value):
    """A value without what differs between two runs, in which nan is equal to nan."""
    if isinstance(value, dict):
        return {key: same_in_all(held) for key, held in value.items() if key not in OF_THE_RUN}
    if isinstance(value, list | tuple):
        return [same_in_all(held) for held in value]
    if isinstance(value, torch.Tensor):
        return value.shape, value.numpy().tobytes()
    return repr(value) if isinstance(value, float) else value


def content(folder):
    """Every file of a run."""
    files = {}
    for path in folder.rglob("*"):
        match path.suffix:
            case ".pt":
                files[path.name] = same_in_all(torch.load(path, weights_only=True))
            case ".json":
                files[path.name] = same_in_all(json.loads(path.read_text()))
            case ".csv":
                files[path.name] = same_in_all(list(csv.DictReader(path.read_text().splitlines())))
            case _:
                files[path.name] = path.read_bytes()
    return files


@pytest.fixture(scope="module")
def training(tiles):
    """The words of a training into ``run``; it measures gradients too."""
    network = ("--size", 32, "--width", 4, "--depth", 2, "--lr", 0.01, "--batch-size", 2, "--epochs", 3)
    process = ("--device", "cpu", "--threads", 1, "--workers", 0)
    return "train", "--tiles", tiles, "-o", "run", *network, *process, "--gradient-audit"


@pytest.fixture(scope="module")
def kills(training, tmp_path_factory):
    """A training that nobody disturbed; at the end, its kills are told."""
    kills = Kills.of(tmp_path_factory.mktemp("undisturbed"), "run", content, *training)
    yield kills
    print(f"\ntrain: {kills}")


def look(run):
    """Look for a part of a file under its final name."""
    for path in run.glob("[!.]*.pt"):
        torch.load(path, weights_only=True)


def resumed(run):
    return ("--resume",) if (run / "last.pt").exists() else ()


@pytest.mark.parametrize("kill", range(3))
def test_a_killed_training_is_resumed_to_the_bit(kill, training, kills, tmp_path):
    kills.kill_and_rerun(kill, tmp_path, training, look, resumed)


@pytest.mark.slow
@pytest.mark.parametrize("kill", range(1000, 1100))
def test_many_killed_trainings(kill, training, kills, tmp_path):
    kills.kill_and_rerun(kill, tmp_path, training, look, resumed)
