"""The end of a run when its results can no longer be written: the disk is full, or the folder is gone."""

import csv
import errno
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import tifffile
from helpers.images import discs

from beadctl import files, lock
from beadctl.errors import OutputError
from beadctl.results import run as results_run

IMAGES = 4


@pytest.fixture
def few(tmp_path):
    folder = tmp_path / "few"
    folder.mkdir()
    for index in range(IMAGES):
        tifffile.imwrite(folder / f"i{index}.tif", discs(index + 1, 240, 240, seed=index)[0])
    return folder


def is_said(said, out):
    """Check what a run left that could not write all; return its rows."""
    (line,) = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in said.err
    for path in out.rglob("*_masks.tif"):
        assert path.name.startswith(".") or tifffile.imread(path).shape == (240, 240)
    record = out / "run.json"
    if not record.exists() or json.loads(record.read_text())["outcome"] == "running":
        assert "run.json" in line
    if not (out / "counts.csv").exists():
        assert "counts.csv" in line
        return []
    with (out / "counts.csv").open() as table:
        rows = list(csv.DictReader(table))
    masks = {path.name.removesuffix("_masks.tif") + ".tif" for path in out.glob("masks/i*_masks.tif")}
    assert {row["image"] for row in rows if row["status"] == "ok"} == masks
    return rows


@pytest.mark.parametrize("stays_full", [True, False])
def test_a_full_disk_is_said_at_whichever_file_it_comes(
    segment, few, model_path, monkeypatch, stays_full, tmp_path
):
    """No space for the n-th file, for every n: the disk is full from there on, or others make room."""
    written = 0
    real = os.fsync

    def fsync(number):
        nonlocal written
        written += 1
        if written == failing or (stays_full and written > failing):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(number)

    monkeypatch.setattr(files.os, "fsync", fsync)
    failing, code = 0, None
    while code != 0:
        failing, written = failing + 1, 0
        out = tmp_path / f"out{failing}"
        said = segment(few / "i0.tif", few / "i1.tif", "-o", out)
        code = said.code
        if code:
            assert code == (3 if failing == 1 else 1)
            assert "No space left on device" in said.error
            rows = is_said(said, out) if failing > 1 else []
            assert stays_full or failing == 1 or len(rows) == 2 or "counts.csv" in said.error
        assert not list(out.rglob(f"{files.TEMPORARY}*"))
        assert not (out / lock.NAME).exists()
    assert failing > 3 * 2


def test_a_run_goes_on_once_there_is_room(segment, few, monkeypatch, tmp_path):
    real, calls = results_run.publish, []

    def publish(hidden):
        calls.append(hidden)
        if len(calls) == 3:
            raise OutputError("out: cannot be written (No space left on device)")
        real(hidden)

    with monkeypatch.context() as patch:
        patch.setattr(results_run, "publish", publish)
        assert segment(few, "-o", "out").code == 1
    rows = list(csv.DictReader(Path("out/counts.csv").open()))
    assert [row["status"] for row in rows] == ["ok"] * 2 + ["failed"] * 2
    assert segment(few, "-o", "out").code == 0


@pytest.mark.parametrize("replaced", [False, True])
def test_a_folder_that_is_removed_in_the_middle_ends_the_run(segment, few, monkeypatch, replaced):
    out = Path("out")

    def remove():
        shutil.rmtree(out)
        if replaced:
            out.mkdir()

    said = disturbed(segment, few, monkeypatch, remove)
    assert said.code == 1
    assert said.err.count("error: ") == 1
    assert "out: was removed during the run" in said.error
    assert not list(out.rglob("*"))


def disturbed(segment, few, monkeypatch, disturb):
    """Do something to the folder of results before the third of the images is written."""
    real, calls = results_run._result, []

    def result(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            disturb()
        return real(*arguments)

    monkeypatch.setattr(results_run, "_result", result)
    return segment(few, "-o", "out", "--save", "masks")


@pytest.mark.parametrize(
    "removed", [".beadctl/parts/i0.tif.json", ".beadctl/parts", ".beadctl", "masks/i1_masks.tif", "masks"]
)
def test_results_that_are_removed_in_the_middle_are_failures(segment, few, monkeypatch, removed):
    def remove():
        path = Path("out", removed)
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    with monkeypatch.context() as patch:
        said = disturbed(segment, few, patch, remove)
    assert said.code == 1
    assert "out: results removed during the run" in said.error
    rows = list(csv.DictReader(Path("out/counts.csv").open()))
    reasons = {row["reason"] for row in rows if row["status"] == "failed"}
    assert reasons == {"its results were removed during the run"}
    masks = {path.name.replace("_masks", "") for path in Path("out/masks").iterdir()}
    assert {row["image"] for row in rows if row["status"] == "ok"} <= masks
    assert json.loads(Path("out/run.json").read_text())["outcome"] == "stopped"
    assert segment(few, "-o", "out", "--save", "masks", "--overwrite").code == 0


@pytest.mark.parametrize("name", ["counts.csv", "beads.csv", "run.json", "settings.toml", "groups.csv"])
def test_a_folder_in_the_place_of_a_file_is_a_line(segment, few, monkeypatch, name):
    def place():
        path = Path("out", name)
        path.unlink(missing_ok=True)
        path.mkdir()

    said = disturbed(segment, few, monkeypatch, place)
    written = name not in ("settings.toml", "groups.csv")
    assert said.code == int(written)
    assert not written or f"{name}: cannot be written" in said.error


def test_a_file_in_the_place_of_the_ledger_is_a_line(segment, few, monkeypatch):
    def place():
        shutil.rmtree("out/.beadctl")
        Path("out/.beadctl").touch()

    said = disturbed(segment, few, monkeypatch, place)
    assert said.code == 1
    assert "Traceback" not in said.err
    assert said.err.count("error: ") == 1


@pytest.fixture
def disk(tmp_path):
    """A function that makes a small disk of so many KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def make(size):
        subprocess.run(["umount", str(folder)], capture_output=True)
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(folder)]
        if subprocess.run(words, capture_output=True).returncode:
            pytest.skip("cannot mount a disk")
        return folder

    yield make
    subprocess.run(["umount", str(folder)], capture_output=True)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to mount a disk")
def test_a_small_disk_has_room_for_the_counts_and_the_record(segment, few, disk):
    codes = []
    for size in range(40, 440, 20):
        out = disk(size) / "out"
        said = segment(few, "-o", out)
        codes.append(said.code)
        assert not [*out.rglob(f"{files.TEMPORARY}*"), *out.rglob("reserve")]
        if said.code:
            assert "No space left on device" in said.error
            assert files.TEMPORARY not in said.error
        if said.code == 1:
            assert len(is_said(said, out)) == IMAGES
            assert json.loads((out / "run.json").read_text())["outcome"] == "stopped"
        else:
            assert said.code == 0 or not (out / "run.json").exists()
    assert codes == sorted(codes, key=[3, 1, 0].index)
    assert set(codes) == {3, 1, 0}
