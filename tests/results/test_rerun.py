"""A run into a folder of results: what is done is skipped, and what does not belong to it is refused."""

import json
import os
import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import COUNTS, discs
from helpers.model import write_model
from helpers.results_folder import counts, files, table
from PIL import Image

from beadctl.cli import main
from beadctl.results.ledger import COLUMNS


def test_a_rerun_skips_what_is_done(segment, bead_folder):
    assert segment(bead_folder, "-o", "out").code == 0
    before = {path: Path("out", path).stat().st_mtime_ns for path in files("out")}
    first = table("out/counts.csv")
    said = segment(bead_folder, "-o", "out")
    assert said.code == 0
    assert "segmenting: 5 of 5 done (5 by an earlier run) in" in said.err
    again = table("out/counts.csv")
    assert {row["status"] for row in again} == {"skipped"}
    assert {row["reason"] for row in again} == {"done by an earlier run"}
    same = [name for name in COLUMNS if name not in ("status", "reason")]
    assert [[row[name] for name in same] for row in again] == [[row[name] for name in same] for row in first]
    for path, stamp in before.items():
        if path.startswith(("masks/", "overlays/", ".beadctl/parts")):
            assert Path("out", path).stat().st_mtime_ns == stamp, path


def test_a_new_image_joins_the_table(segment, bead_folder):
    segment(bead_folder, "-o", "out")
    Image.fromarray(discs(6)[0]).save(bead_folder / "later.png")
    said = segment(bead_folder, "-o", "out")
    assert said.code == 0
    assert "segmenting: 6 of 6 done (5 by an earlier run) in" in said.err
    assert counts("out/counts.csv")[("later.png", 0)] == 6
    status = {row["image"]: row["status"] for row in table("out/counts.csv")}
    assert Counter(status.values()) == {"skipped": 5, "ok": 1}
    # What an earlier run left there is told too, also when this run asks for one image.
    assert segment(bead_folder / "later.png", "-o", "out").code == 0
    assert {row["image"] for row in table("out/counts.csv")} == set(status)
    assert len(table("out/beads.csv")) == sum(counts("out/counts.csv").values())


def test_a_renamed_image_is_counted_once_and_said(segment, bead_folder):
    segment(bead_folder, "-o", "out")
    total = sum(counts("out/counts.csv").values())
    (bead_folder / "dark.png").rename(bead_folder / "darker.png")
    said = segment(bead_folder, "-o", "out")
    assert said.code == 0
    assert "images that are no longer there left out: 1, such as dark.png" in said.err
    found = counts("out/counts.csv")
    assert ("dark.png", 0) not in found
    assert sum(found.values()) == total
    assert "dark.png" not in {bead["image"] for bead in table("out/beads.csv")}


def test_an_image_that_an_earlier_run_named_otherwise_is_counted_once_and_said(segment, bead_folder):
    segment(bead_folder, "-o", "out")
    segment(bead_folder / "rgb.png", "-o", "out")
    total = sum(counts("out/counts.csv").values())
    said = segment(bead_folder.parent, "-o", "out", "--include", f"{bead_folder.name}/*")
    assert said.code == 0
    assert "earlier results of the same images by other names left out: 5, such as dark.png" in said.err
    found = counts("out/counts.csv")
    assert {image.split("/")[0] for image, _ in found} == {bead_folder.name}
    assert sum(found.values()) == total == len(table("out/beads.csv"))
    # The names of this run count; others that are there twice are once in the table too.
    said = segment(bead_folder / "rgb.png", "-o", "out")
    assert "by other names left out: 5" in said.err
    assert sum(counts("out/counts.csv").values()) == total


def test_images_that_have_other_settings_than_the_one_done_anew_are_left_out_and_said(segment, bead_folder):
    segment(bead_folder, "-o", "out")
    options = (bead_folder / "rgb.png", "-o", "out", "--exclude-border", "--overwrite")
    said = segment(*options)
    assert said.code == 0
    assert "images of another model or other settings left out: 4, such as dark.png" in said.err
    assert {image for image, _ in counts("out/counts.csv")} == {"rgb.png"}


def test_an_image_in_a_folder_that_was_closed_is_left_out_and_said(segment, bead_folder, monkeypatch):
    segment(bead_folder, "-o", "out")
    exists = Path.exists

    def refused(self, **named):
        if self.name == "dark.png":
            raise PermissionError(13, "Permission denied", str(self))
        return exists(self, **named)

    monkeypatch.setattr(Path, "exists", refused)
    said = segment(bead_folder / "rgb.png", "-o", "out")
    assert said.code == 0
    assert "images that are no longer there left out: 1, such as dark.png" in said.err
    assert ("dark.png", 0) not in counts("out/counts.csv")


def test_images_of_a_renamed_folder_are_known_by_their_new_place(segment, run, bead_folder):
    segment(bead_folder, "-o", "out")
    moved = bead_folder.rename(bead_folder.with_name("moved"))
    assert segment(moved, "-o", "out").code == 0
    assert run("verify", "out").code == 0
    said = segment(moved / "rgb.png", "-o", "out")
    assert "no longer there" not in said.err
    assert len(counts("out/counts.csv")) == len(COUNTS) + 1


def test_another_folder_with_the_same_names_is_refused_before_any_work(segment, bead_folder, tmp_path):
    segment(bead_folder, "-o", "out")
    before = {path: Path("out", path).read_bytes() for path in files("out")}
    other = tmp_path / "other"
    other.mkdir()
    Image.fromarray(discs(8, dark=True)[0]).save(other / "dark.png")
    said = segment(other, "-o", "out")
    assert said.code == 3
    assert "holds the result of another dark.png" in said.error
    assert {path: Path("out", path).read_bytes() for path in files("out")} == before
    # A copy of the folder is the same images.
    copy = shutil.copytree(bead_folder, tmp_path / "copy")
    assert segment(copy, "-o", "out").code == 0
    assert {row["status"] for row in table("out/counts.csv")} == {"skipped"}


def test_a_lost_mask_is_made_again(segment, bead_folder):
    segment(bead_folder, "-o", "out")
    Path("out/masks/dark_masks.tif").unlink()
    assert segment(bead_folder, "-o", "out").code == 0
    assert Path("out/masks/dark_masks.tif").exists()
    assert Counter(row["status"] for row in table("out/counts.csv")) == {"skipped": 6, "ok": 1}


def test_a_changed_image_is_refused_until_overwrite(segment, bead_folder):
    segment(bead_folder, "-o", "out")
    mask = Path("out/masks/dark_masks.tif").read_bytes()
    Image.fromarray(discs(8, dark=True)[0]).save(bead_folder / "dark.png")
    said = segment(bead_folder, "-o", "out")
    assert said.code == 1
    assert "dark.png" in said.error
    assert "--overwrite" in said.error
    assert Path("out/masks/dark_masks.tif").read_bytes() == mask
    row = next(row for row in table("out/counts.csv") if row["image"] == "dark.png")
    assert (row["status"], row["count"]) == ("failed", "")
    assert "dark.png" not in {bead["image"] for bead in table("out/beads.csv")}
    assert segment(bead_folder, "-o", "out", "--overwrite").code == 0
    assert counts("out/counts.csv")[("dark.png", 0)] == 8
    assert len(np.unique(tifffile.imread("out/masks/dark_masks.tif"))) == 9


def test_a_pixel_size_that_a_text_beside_an_image_states_later_is_seen(segment, run, bead_folder, model_path):
    """The text is of an electron microscope; its size was left out of the tables without a word."""
    assert segment(bead_folder, "-o", "out").code == 0
    assert run("count", bead_folder, "-m", model_path, "-o", "counted").code == 0
    (bead_folder / "dark.txt").write_text("$$SM_MICRON_BAR 100\n$$SM_MICRON_MARKER 30um\n")
    said = segment(bead_folder, "-o", "out")
    assert said.code == 1
    assert said.error == (
        "error: dark.png: its pixel size, in a file beside it, has changed since its result was written; "
        "use --overwrite to replace that"
    )
    assert segment(bead_folder, "-o", "out", "--overwrite").code == 0
    # Where nothing is to be replaced, it is counted anew.
    assert run("count", bead_folder, "-m", model_path, "-o", "counted").code == 0
    for name in ("out", "counted"):
        sizes = {row["image"]: row["pixel_size_um"] for row in table(f"{name}/counts.csv")}
        assert sizes.pop("dark.png") == "0.3"
        assert "0.3" not in sizes.values()
    assert run("verify", "out").code == 0
    assert "5 of 5 done (5 by an earlier run)" in segment(bead_folder, "-o", "out").err


def test_what_a_companion_of_an_image_states_later_is_seen_and_named(segment, bead_folder):
    schema = 'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
    only = f'<OME {schema}><BinaryOnly MetadataFile="set.companion.ome" UUID="urn:uuid:9"/></OME>'
    image = np.asarray(Image.open(bead_folder / "dark.png"))
    tifffile.imwrite(bead_folder / "set.ome.tif", image, description=only, metadata=None)

    def state(um, z_um):
        (bead_folder / "set.companion.ome").write_text(
            f'<OME {schema}><Image ID="Image:0"><Pixels PhysicalSizeX="{um}" PhysicalSizeY="{um}" '
            f'PhysicalSizeZ="{z_um}" ID="Pixels:0"><TiffData><UUID FileName="set.ome.tif">urn:uuid:1</UUID>'
            "</TiffData></Pixels></Image></OME>"
        )

    state(0.3, 1.0)
    assert segment(bead_folder, "-o", "out").code == 0
    assert "6 of 6 done (6 by an earlier run)" in segment(bead_folder, "-o", "out").err
    for um, z_um, words in (
        (0.4, 1.0, "its pixel size, in a file beside it, has"),
        (0.3, 2.0, "its Z step, in a file beside it, has"),
        (0.4, 2.0, "its pixel size and Z step, in a file beside it, have"),
    ):
        state(um, z_um)
        said = segment(bead_folder, "-o", "out")
        assert said.code == 1
        assert f"set.ome.tif: {words} changed since its result was written" in said.error
    assert segment(bead_folder, "-o", "out", "--overwrite").code == 0
    (row,) = (row for row in table("out/counts.csv") if row["image"] == "set.ome.tif")
    assert row["pixel_size_um"] == "0.4"


def test_other_settings_are_refused_until_overwrite(segment, bead_folder):
    segment(bead_folder, "-o", "out")
    before = {path: Path("out", path).read_bytes() for path in files("out")}
    said = segment(bead_folder, "-o", "out", "--min-area", "50000")
    assert said.code == 3
    assert "--overwrite" in said.error
    assert {path: Path("out", path).read_bytes() for path in files("out")} == before
    assert segment(bead_folder, "-o", "out", "--min-area", "50000", "--overwrite").code == 0
    assert set(counts("out/counts.csv").values()) == {0}
    assert table("out/beads.csv") == []


def test_another_model_is_refused(segment, bead_folder, run, tmp_path):
    segment(bead_folder, "-o", "out")
    other = write_model(tmp_path / "other.onnx", facts={"name": "other"})
    assert "another model" in run("segment", bead_folder, "-o", "out", "-m", other).error


def test_the_saved_settings_do_not_overwrite_again(bead_folder, model_path, tmp_path):
    out = tmp_path / "out"
    main.run(["segment", str(bead_folder), "-m", str(model_path), "-o", str(out), "-q", "--overwrite"])
    assert "overwrite = false" in (out / "settings.toml").read_text(encoding="utf-8")


def test_masks_of_an_entry_without_stamps_count_as_done(segment, bead_folder):
    segment(bead_folder, "-o", "out", "--save", "masks")
    part = Path("out/.beadctl/parts/dark.png.json")
    first, _, beads = part.read_text().partition("\n")
    content = json.loads(first)
    del content["written"]
    part.write_text(json.dumps(content) + "\n" + beads)
    assert segment(bead_folder, "-o", "out", "--save", "masks").code == 0
    assert {row["status"] for row in table("out/counts.csv")} == {"skipped"}


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names there are Unicode")
def test_an_image_of_an_earlier_run_whose_name_is_no_utf8_is_still_there(segment, bead_folder):
    named = Path(os.fsdecode(os.fsencode(bead_folder) + b"/5\xb5m.png"))
    (bead_folder / "dark.png").rename(named)
    segment(bead_folder, "-o", "out")
    said = segment(bead_folder / "rgb.png", "-o", "out")
    assert "no longer there" not in said.err
    assert r"5\xb5m.png" in {row["image"] for row in table("out/counts.csv")}
