"""Processes that train together compute what one would and end together; one of them tells and writes."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from socket import socket

import pytest
import torch
from helpers.training import TINY, go, history, one_line, write_tiles
from helpers.world import command, ended, free_port, frozen_training, started, variables

from beadctl.dataset.manifest import read_manifest
from beadctl.errors import DeviceError, TrainingError
from beadctl.launch import Launch
from beadctl.segmentation.options import SegmentOptions
from beadctl.training import checkpoint, device, world
from beadctl.training.dataset import Batches
from beadctl.training.schedule import cosine
from beadctl.training.tiles import Tiles
from beadctl.training.unet import UNet
from beadctl.training.validation import score
from beadctl.training.world import World
from beadctl.weighting import WeightingName

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no forkserver")

ROOT = Path(__file__).parents[2]
# Two steps an epoch of at most four samples, of five: the second process has none in the last step.
PLAN = replace(TINY, batch_size=1, accumulate=2, dropout=0.0, lr=1e-3, min_area_px=3)
WORDS = (
    "train",
    "--size",
    32,
    "--width",
    4,
    "--depth",
    2,
    "--batch-size",
    1,
    "--device",
    "cpu",
    "--threads",
    1,
)


@pytest.fixture(scope="module")
def odd_tiles(tmp_path_factory):
    """Five tiles to train on and three to validate on: neither number is even."""
    return write_tiles(tmp_path_factory.mktemp("odd"), ("train",) * 5 + ("val",) * 3)


def train_together(folder, plan, tiles, device="cpu"):
    """Train in two processes with frozen batch normalisation; return their last states."""
    with started(folder, frozen_training, plan, tiles, device) as processes:
        codes, said = ended(processes, folder)
    assert codes == [0, 0], said
    return [torch.load(folder / f"state-{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.fixture(
    scope="module",
    params=[WeightingName.BALANCE, pytest.param(WeightingName.UNCERTAINTY, marks=pytest.mark.slow)],
)
def pair(request, tmp_path_factory, odd_tiles):
    """The folder of a run in two processes, its plan, and the last states of both."""
    folder, plan = tmp_path_factory.mktemp("together"), replace(PLAN, weighting=request.param)
    return folder, plan, train_together(folder, plan, odd_tiles)


@contextmanager
def frozen_normalisation():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UNet, "train", lambda self, _=True: torch.nn.Module.train(self, False))
        yield


def test_two_processes_give_the_weights_of_one_with_the_doubled_batch(pair, odd_tiles, tmp_path):
    folder, plan, (state, _) = pair
    with frozen_normalisation():
        go(replace(plan, batch_size=2), odd_tiles, tmp_path / "alone")
    alone = checkpoint.load(tmp_path / "alone" / "last.pt")
    assert alone.step == state["step"] == 4
    for kind in ("model", "average", "weighting"):
        torch.testing.assert_close(state[kind], dict(getattr(alone, kind)), atol=1e-5, rtol=0)
    # It has learned: the first weights are those of both.
    first = UNet(plan.architecture).state_dict()
    assert any((state["model"][name] - first[name]).abs().max() > 1e-3 for name in first)
    for row, other in zip(history(folder / "run"), history(tmp_path / "alone"), strict=True):
        for name in ("train_loss", "mask_loss", "marker_loss", "lr"):
            assert float(row[name]) == pytest.approx(float(other[name]), rel=1e-4)


def test_both_processes_end_with_the_same_state(pair):
    _, _, (first, second) = pair
    for kind in ("model", "average", "weighting", "best_score", "step"):
        torch.testing.assert_close(first[kind], second[kind], atol=0, rtol=0)
    moments = [state["optimizer"]["state"] for state in (first, second)]
    torch.testing.assert_close(*moments, atol=0, rtol=0)
    figures = [[row["val_f1"], row["count_mae"]] for row in first["history"]]
    assert figures == [[row["val_f1"], row["count_mae"]] for row in second["history"]]


def test_gradients_are_summed_once_in_an_optimiser_step(pair):
    folder, plan, (state, _) = pair
    weights = sum(value.numel() for value in UNet(plan.architecture).parameters())
    for rank in range(2):
        sums = json.loads((folder / f"sums-{rank}.json").read_text())
        assert len([numbers for numbers in sums if numbers >= weights]) == state["step"]


def test_divided_validation_has_the_figures_of_one_process(pair, odd_tiles):
    folder, plan, _ = pair
    state = checkpoint.load(folder / "run" / "last.pt")
    options = SegmentOptions(plan.threshold, plan.marker_threshold, plan.min_area_px)
    scenes = Tiles(read_manifest(odd_tiles), "val", odd_tiles)
    figures = score(state.network(), scenes, torch.device("cpu"), options).columns()
    assert {name: state.history[-1][name] for name in figures} == figures


@pytest.mark.parametrize("accumulate", [4, 2])
def test_one_process_goes_on_with_the_run_of_two(pair, odd_tiles, tmp_path, accumulate):
    """With as many samples a step, or with the same words and half as many."""
    folder, plan, _ = pair
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last.pt").write_bytes((folder / "run" / "last.pt").read_bytes())
    plan = replace(plan, epochs=4, accumulate=accumulate)
    assert go(plan, odd_tiles, tmp_path / "run", resume=True).epochs == 4
    # The schedule goes by epochs, which have more steps now.
    third = float(history(tmp_path / "run")[2]["lr"])
    assert third == pytest.approx(plan.lr * cosine(3 / 4, plan.final_lr_fraction))
    with pytest.raises(TrainingError, match="accumulate"):
        go(replace(plan, accumulate=3), odd_tiles, tmp_path / "run", resume=True)


@pytest.mark.slow
def test_two_processes_resume_to_the_bit(odd_tiles, tmp_path):
    """With dropout and augmentation, whose random numbers each process has of its own."""
    words = (*WORDS, "--tiles", odd_tiles, "-o", "run", "--dropout", 0.2, "--epochs", 20, "--patience", 20)
    for name in ("straight", "killed"):
        (tmp_path / name).mkdir()
    with started(tmp_path / "straight", command, *words) as processes:
        codes, said = ended(processes, tmp_path / "straight")
        assert codes == [0, 0], said
    with started(tmp_path / "killed", command, *words) as processes:
        while not (tmp_path / "killed/run/last.pt").exists():
            assert processes[0].is_alive()
    with started(tmp_path / "killed", command, *words, "--resume") as processes:
        codes, said = ended(processes, tmp_path / "killed")
        assert codes == [0, 0], said
    straight, killed = (checkpoint.load(tmp_path / name / "run/last.pt") for name in ("straight", "killed"))
    for kind in ("model", "average", "step"):
        torch.testing.assert_close(getattr(killed, kind), getattr(straight, kind), atol=0, rtol=0)


def test_one_process_tells_and_writes(odd_tiles, tmp_path):
    words = (*WORDS, "--tiles", odd_tiles, "--epochs", 1, "-o", "run", "--log-json", "log")
    with started(tmp_path, command, *words) as processes:
        codes, said = ended(processes, tmp_path)
    assert codes == [0, 0], said
    assert (tmp_path / "said-1").read_text() == ""
    assert "in 2 processes, 2 samples a step" in said
    events = [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    assert events.count("start") == events.count("epoch") == events.count("end") == 1
    assert json.loads((tmp_path / "run/run.json").read_text())["processes"] == 2


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("--tiles", "nowhere", "-o", "run"), 3, "nowhere"),
        (("--simulate", 2, "-o", "run", "--device", "cuda:0"), 3, "cuda:0"),
        (("--no-such-option",), 2, "--no-such-option"),
    ],
    ids=["missing tiles", "missing device", "usage"],
)
def test_an_error_of_all_processes_is_told_once(tmp_path, more, code, words):
    with started(tmp_path, command, *WORDS, *more) as processes:
        codes, said = ended(processes, tmp_path)
    assert codes == [code, code]
    (line,) = [line for line in said.splitlines() if line.startswith("error:")]
    assert words in line
    assert "Traceback" not in said


@pytest.mark.parametrize("killed", [0, 1])
def test_the_end_of_one_process_ends_the_other_with_one_line(odd_tiles, tmp_path, killed):
    words = (*WORDS, "--tiles", odd_tiles, "-o", "run", "--epochs", 10_000, "--patience", 10_000)
    with started(tmp_path, command, *words) as processes:
        deadline = time.monotonic() + 120
        while not (tmp_path / "run/last.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(processes[killed].pid, signal.SIGKILL)
        codes, said = ended(processes, tmp_path)
    assert codes[1 - killed] == 3
    (line,) = [line for line in said.splitlines() if line.startswith("error:")]
    assert f"process {1 - killed} of 2 lost another one" in line
    assert "--resume" in line
    assert "Traceback" not in said


def test_a_signal_to_one_process_ends_all_in_good_order(odd_tiles, tmp_path):
    words = (*WORDS, "--tiles", odd_tiles, "-o", "run", "--epochs", 10_000, "--patience", 10_000)
    with started(tmp_path, command, *words) as processes:
        deadline = time.monotonic() + 120
        while not (tmp_path / "run/last.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(processes[1].pid, signal.SIGTERM)
        codes, said = ended(processes, tmp_path)
    assert codes == [130, 143], said
    assert "--resume" in said
    assert "error:" not in said


def test_a_missing_process_is_one_line(monkeypatch):
    for name, value in variables(0, 2, free_port()).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE")
    monkeypatch.setattr(world, "START", timedelta(seconds=1))
    with pytest.raises(TrainingError, match="process 0 of 2 cannot meet the others") as error:
        world.meeting(Launch.of(), "cpu").__enter__()
    one_line(error)


def test_a_port_in_use_is_one_line(monkeypatch):
    with socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        for name, value in variables(0, 2, taken.getsockname()[1]).items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE")
        monkeypatch.setattr(world, "START", timedelta(seconds=1))
        with pytest.raises(TrainingError, match="port") as error:
            world.meeting(Launch.of(), "cpu").__enter__()
    assert "in use" in one_line(error).lower()


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    launches = [Launch(rank, 2, rank, 2) for rank in range(2)]
    own = [[device.own(asked, launch) for launch in launches] for asked in ("cuda", "auto", "cpu")]
    assert own == [["cuda:0", "cuda:1"], ["cuda:0", "cuda:1"], ["cpu", "cpu"]]
    assert device.own("cuda:1", Launch()) == "cuda:1"
    for asked, launch, words in (
        ("cuda", Launch(0, 3, 0, 3), "3 processes but only 2 GPU"),
        ("auto", Launch(2, 3, 2, 3), "--nproc-per-node 2"),
        ("cuda:1", Launch(0, 2, 0, 2), "--device cuda"),
    ):
        with pytest.raises(DeviceError, match=words) as error:
            device.own(asked, launch)
        one_line(error)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("numbers", [(5, 1, 2), (1, 4, 1), (24, 2, 3), (25, 2, 1)])
def test_every_sample_is_in_one_process_and_all_have_the_same_steps(size, numbers):
    samples, batch_size, accumulate = numbers
    of_step = []
    group = batch_size * accumulate * size
    for rank in range(size):
        batches = Batches(samples, batch_size, World(rank, size))
        own, steps = list(batches), []
        for first in range(0, samples, group):
            number = batches.among(first, min(first + group, samples))
            assert number <= accumulate
            steps.append([key for keys in own[:number] for key in keys])
            own = own[number:]
        assert own == []
        of_step.append(steps)
    for number, parts in enumerate(zip(*of_step, strict=True)):
        indices = sorted(index for part in parts for _, index in part)
        assert indices == list(range(number * group, min((number + 1) * group, samples)))
    assert len(of_step[0]) == math.ceil(samples / group)


def test_processes_with_other_tiles_are_refused(monkeypatch):
    monkeypatch.setattr(World, "_all", lambda self, own: [own, own | {"tiles": "b"}])
    with pytest.raises(TrainingError, match="process 1 of 2 has tiles = b, the first a") as error:
        World(0, 2).require_same({"lr": 1, "tiles": "a"})
    one_line(error)


@pytest.mark.slow
def test_torchrun(odd_tiles, tmp_path):
    """Real torchrun: a training, one that is told to end, its resumption without torchrun, and an error."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}

    def run(*words, **more):
        line = [*torchrun, "-m", "beadctl", *map(str, words)]
        return subprocess.Popen(
            line, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, **more
        )

    process = run(*WORDS, "--tiles", odd_tiles, "-o", "run", "--epochs", 2)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert len(history(tmp_path / "run")) == 2

    process = run(*WORDS, "--tiles", odd_tiles, "-o", "long", "--epochs", 10_000, "--patience", 10_000)
    while not (tmp_path / "long/last.pt").exists():
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=300)
    assert process.returncode != 0
    assert "beadctl: error" not in said
    assert "resume with the same command" in said
    done = len(history(tmp_path / "long"))
    alone = [sys.executable, "-m", "beadctl", *map(str, WORDS), "--tiles", str(odd_tiles)]
    subprocess.run([*alone, "-o", "long", "--epochs", str(done + 1), "--resume"], cwd=tmp_path, check=True)
    assert len(history(tmp_path / "long")) == done + 1

    process = run(*WORDS, "--tiles", "nowhere", "-o", "run")
    _, said = process.communicate(timeout=300)
    assert process.returncode != 0
    assert len([line for line in said.splitlines() if line.startswith("error:")]) == 1
