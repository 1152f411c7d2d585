"""An image that fails is a row with the reason, and the others are done."""

from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import COUNTS, discs
from helpers.ome import write_ome_set
from helpers.results_folder import counts, table
from helpers.stages import STAGES
from PIL import Image

from beadctl.images import open_image


def test_a_failed_image_is_a_row_and_the_others_are_done(segment, bead_folder):
    (bead_folder / "broken.tif").write_bytes((bead_folder / "stack.tif").read_bytes()[:2000])
    said = segment(bead_folder, "-o", "out")
    assert said.code == 1
    assert said.error.startswith("error: broken.tif: ")
    rows = {row["image"]: row for row in table("out/counts.csv")}
    assert (rows["broken.tif"]["status"], rows["broken.tif"]["count"]) == ("failed", "")
    assert rows["broken.tif"]["reason"]
    assert Counter(row["status"] for row in table("out/counts.csv")) == {"ok": 7, "failed": 1}
    assert not Path("out/masks/broken_masks.tif").exists()
    # Mended, it is done by a rerun without --overwrite.
    tifffile.imwrite(bead_folder / "broken.tif", discs(1)[0])
    assert segment(bead_folder, "-o", "out").code == 0
    assert counts("out/counts.csv")[("broken.tif", 0)] == 1


def test_a_lost_file_of_a_set_is_a_failed_row(segment, tmp_path):
    (folder := tmp_path / "set").mkdir()
    stack = write_ome_set(folder, np.stack([discs(count)[0] for count in (1, 2, 3)]))
    (folder / "t1.ome.tif").unlink()
    said = segment(folder, "-o", "out")
    assert (said.code, said.error) == (
        1,
        "error: t0.ome.tif, plane 1: its set lacks 1 file (t1.ome.tif); copy what is missing to its folder",
    )
    rows = {(row["image"], row["position"]): row["count"] for row in table("out/counts.csv")}
    assert rows == {("t0.ome.tif", "T=0"): "1", ("t0.ome.tif", "T=1"): "", ("t2.ome.tif", "T=2"): "3"}
    # Copied there, it is done by a rerun.
    write_ome_set(folder, stack)
    assert segment(folder, "-o", "out").code == 0
    assert sum(counts("out/counts.csv").values()) == 6


@pytest.mark.parametrize("stage", STAGES)
def test_an_internal_error_of_one_image_is_its_row(segment, bead_folder, monkeypatch, stage):
    module = import_module(STAGES[stage])
    real, calls = getattr(module, stage), []

    def broken(*arguments, **named):
        calls.append(arguments)
        if len(calls) == 2:
            raise ZeroDivisionError("a bug\nof two lines")
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(module, stage, broken)
        said = segment(bead_folder, "-o", "out")
    assert said.code == 1
    assert (
        "internal error, please report it: ZeroDivisionError: a bug of two lines (broken, line " in said.error
    )
    rows = table("out/counts.csv")
    (failed,) = [row for row in rows if row["status"] == "failed"]
    assert failed["reason"] in said.error
    assert len(rows) >= 5
    assert segment(bead_folder, "-o", "out").code == 0


def test_a_reader_of_another_version_is_an_internal_error_and_no_damage(segment, bead_folder, monkeypatch):
    """Where it has no longer what is asked for."""
    with monkeypatch.context() as patch:
        patch.delattr(tifffile.TiffPageSeries, "axes")
        said = segment(bead_folder, "-o", "out")
    assert said.code == 1
    rows = table("out/counts.csv")
    failed = [row["reason"] for row in rows if row["status"] == "failed"]
    assert failed
    assert len(failed) < len(rows)
    for reason in failed:
        assert reason.startswith("internal error, please report it: AttributeError: 'TiffPageSeries' object")
    assert segment(bead_folder, "-o", "out").code == 0


@pytest.mark.parametrize("length", [246, 250])
def test_a_name_that_is_too_long_for_results_is_a_row(segment, bead_folder, length):
    """Of the mask alone, and of the record too."""
    Image.fromarray(discs(3)[0]).save(bead_folder / f"{'n' * length}.png")
    said = segment(bead_folder, "-o", "out")
    assert said.code == 1
    assert "too long" in said.error
    assert Counter(row["status"] for row in table("out/counts.csv"))["failed"] == 1
    assert segment(bead_folder, "-o", "out").code == 1


def test_an_image_that_is_still_written_is_a_row_and_a_rerun_does_it(segment, bead_folder, monkeypatch):
    def growing(path, *arguments, **named):
        image = open_image(path, *arguments, **named)
        if path.name == "dark.png":
            with path.open("ab") as file:
                file.write(bytes(9))
        return image

    with monkeypatch.context() as patch:
        patch.setattr(import_module("beadctl.results.image_work"), "open_image", growing)
        said = segment(bead_folder, "-o", "out")
    assert said.code == 1
    assert said.error == "error: dark.png: changed while it was read; run again once it is complete"
    assert Counter(row["status"] for row in table("out/counts.csv")) == {"ok": 6, "failed": 1}
    assert not Path("out/masks/dark_masks.tif").exists()
    assert segment(bead_folder, "-o", "out").code == 0
    assert counts("out/counts.csv")[("dark.png", 0)] == COUNTS[("dark.png", 0)]


def test_a_file_that_is_refused_is_not_read_for_its_hash(segment, bead_folder, monkeypatch):
    """It may be a disk's image of a terabyte, most of it holes."""
    image_work, hashed = import_module("beadctl.results.image_work"), []
    real = image_work.content_key
    monkeypatch.setattr(image_work, "content_key", lambda path: hashed.append(path.name) or real(path))
    with (bead_folder / "disk.tif").open("wb") as file:
        file.truncate(2**20)
    tifffile.imwrite(bead_folder / "large.tif", np.zeros((1, 20_000), np.uint8))
    Path("limits.toml").write_text("[images]\nmax_pixels = 19_999\n")
    for _ in range(2):
        said = segment(bead_folder, "-o", "out", "--config", "limits.toml")
        assert said.code == 1
        failed = {row["image"] for row in table("out/counts.csv") if row["status"] == "failed"}
        assert failed >= {"disk.tif", "large.tif"}
        assert not failed.intersection(hashed)
    assert "dark.png" in hashed
