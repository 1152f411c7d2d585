"""`--log-json`: a JSON line for each event, from the start of a command to its end."""

import json
import sys
from pathlib import Path

import pytest


def events(path="log/run.jsonl"):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def test_a_batch_has_a_line_for_start_image_warning_and_end(run, bead_folder, model_path):
    (bead_folder / "broken.tif").write_text("Dear microscope,")
    (bead_folder / "dark_masks.png").write_bytes((bead_folder / "dark.png").read_bytes())
    log = ("-m", model_path, "--log-json", "log/run.jsonl")
    assert run("segment", bead_folder, "-o", "out", *log).code == 1
    found = events()
    assert [one["event"] for one in (found[0], found[-1])] == ["start", "end"]
    assert (found[0]["command"], found[-1]["exit_code"]) == ("segment", 1)
    images = [one for one in found if one["event"] == "image"]
    assert len(images) == 8
    assert {one["image"]: one["status"] for one in images if one["image"] in ("dark.png", "broken.tif")} == {
        "dark.png": "ok",
        "broken.tif": "failed",
    }
    assert any("dark_masks.png" in one["text"] for one in found if one["event"] == "warning")
    assert [one["time"] for one in found] == sorted(one["time"] for one in found)
    # A second command adds to it.
    assert run("count", bead_folder / "dark.png", *log).code == 0
    assert [one.get("command") for one in events() if one["event"] == "start"] == ["segment", "count"]
    assert "log_json" not in Path("out/settings.toml").read_text()


def test_an_error_is_the_end(run, model_path):
    said = run("count", "absent", "-m", model_path, "--log-json", "run.jsonl")
    *_, end = events("run.jsonl")
    assert (end["event"], end["exit_code"]) == ("end", said.code)
    assert said.error == f"error: {end['reason']}"


def test_a_log_that_cannot_be_written_is_one_line(run, bead_folder, model_path):
    Path("file").write_text("mine")
    said = run("count", bead_folder, "-m", model_path, "--log-json", "file/log")
    assert (said.code, said.out) == (3, "")
    assert "--log-json file/log: cannot be written" in said.error


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is of Linux")
def test_a_log_without_room_does_not_end_the_work_and_is_said_once(run, bead_folder, model_path):
    whole = run("count", bead_folder, "-m", model_path)
    said = run("count", bead_folder, "-m", model_path, "--log-json", "/dev/full")
    assert (said.code, said.out) == (0, whole.out)
    words = "warning: --log-json /dev/full: could not be written (No space left on device)"
    assert said.err.count(words) == said.err.count("--log-json") == 1
    # A log that is written in full is not spoken of.
    assert "--log-json" not in run("count", bead_folder, "-m", model_path, "--log-json", "run.jsonl").err


def test_training_logs_its_epochs(run):
    pytest.importorskip("torch", reason="torch is not installed (extra train)")
    said = run(
        *("train", "--simulate", 2, "--size", 32, "--epochs", 2, "--width", 2, "--depth", 2, "--workers", 0),
        *("--batch-size", 2, "--device", "cpu", "-o", "run", "--log-json", "run.jsonl"),
    )
    assert said.code == 0, said.err
    assert [one["epoch"] for one in events("run.jsonl") if one["event"] == "epoch"] == [1, 2]
