"""Mutated files of every kind: a result or an error of one line, in seconds and bounded memory.

The suite runs a few mutations of each kind. A long campaign, which is the same with other mutations, is

    FUZZ_SECONDS=3600 python -m pytest -m fuzz -s tests/fuzz

It takes `FUZZ_SECONDS` a kind (an hour by default; with ``-k images`` one kind alone) and prints for each the
number of cases, how many a second, the places where one failed, and the most CPU time and memory that one
took. What fails is kept in ``tests/fuzz/crashes``, with as few mutations as it takes; from there every run
repeats it. A core reads about 900 mutated images a second, a million in 20 minutes; 2,000 annotations,
settings, checkpoints or ledgers; and 340 models.
"""

import os
import time
from random import Random

import pytest
from fuzz.campaign import CRASHES, Campaign
from fuzz.seeds import KINDS
from fuzz.targets import TARGETS, answer

QUICK = {"images": 500, "models": 60, "annotations": 400, "settings": 150, "checkpoints": 200, "ledgers": 300}


def needs(target):
    if target in ("checkpoints", "models"):
        pytest.importorskip("torch", reason="torch is not installed (extra train)")


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_are_read(target, tmp_path):
    needs(target)
    for name, content in KINDS[target]().items():
        (tmp_path / name).write_bytes(content)
        assert answer(target, tmp_path / name) == "", name


@pytest.mark.parametrize("target", TARGETS)
def test_mutated_files_are_a_result_or_one_line(target, tmp_path):
    needs(target)
    campaign = Campaign(target, tmp_path)
    campaign.run(Random(0), lambda: campaign.cases < QUICK[target])
    assert not campaign.crashes, campaign


@pytest.mark.parametrize(
    "path", sorted(CRASHES.glob("*/*")), ids=lambda path: path.relative_to(CRASHES).as_posix()
)
def test_files_that_once_failed(path, tmp_path):
    needs(path.parent.name)
    _, name = path.name.split("_", 1)
    assert Campaign(path.parent.name, tmp_path).fault(name, path.read_bytes()) == ""


def test_a_crash_is_kept_with_the_one_mutation_that_it_takes(tmp_path, monkeypatch):
    monkeypatch.setattr("fuzz.campaign.CRASHES", tmp_path / "crashes")
    monkeypatch.setattr(
        "fuzz.campaign.answer", lambda _, path: int(b"\xff" not in path.read_bytes()) or 1 / 0
    )
    campaign = Campaign("settings", tmp_path)
    campaign.run(Random(0), lambda: not campaign.crashes)
    campaign.save()
    (path,) = (tmp_path / "crashes/settings").iterdir()
    seed = KINDS["settings"]()[path.name.split("_", 1)[1]]
    assert b"\xff" in path.read_bytes()
    assert abs(len(path.read_bytes()) - len(seed)) <= 8
    assert "1 kinds of crash" in str(campaign)
    assert "ZeroDivisionError in test_fuzz.py" in str(campaign)


@pytest.mark.fuzz
@pytest.mark.parametrize("target", TARGETS)
def test_fuzz(target, tmp_path):
    needs(target)
    campaign = Campaign(target, tmp_path)
    end = time.monotonic() + float(os.environ.get("FUZZ_SECONDS", "3600"))
    try:
        campaign.run(Random(), lambda: time.monotonic() < end)
    finally:
        campaign.save()
        print(campaign)
    assert not campaign.crashes
