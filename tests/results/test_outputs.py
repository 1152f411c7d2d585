"""Files of a run: none is shared by two images, and none replaces what this run did not write."""

import sys
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import tifffile
from helpers.images import COUNTS, discs
from helpers.results_folder import files, table
from PIL import Image

from beadctl.images import Found
from beadctl.results.formats import Output
from beadctl.results.outputs import Names, Outputs, is_short


def test_planes_of_a_stack_and_an_image_named_like_one_share_no_file(segment, tmp_path):
    folder = tmp_path / "stacks"
    folder.mkdir()
    plane = discs(3)[0]
    tifffile.imwrite(folder / "a.tif", np.stack([plane, plane]), imagej=True, metadata={"axes": "ZYX"})
    tifffile.imwrite(folder / "a_p0001.tif", plane)
    said = segment(folder, "-o", "out")
    assert said.code == 3
    assert "may both write a_p0001_overlay.png" in said.error
    assert not Path("out").exists()


@pytest.mark.parametrize("folder", ["a.tif.json", "a_masks.tif", "a_overlay.png"])
def test_a_folder_that_is_named_like_a_result_is_refused_before_any_work(segment, tmp_path, folder):
    (tmp_path / "images" / folder).mkdir(parents=True)
    for name in ("a.tif", f"{folder}/b.tif"):
        tifffile.imwrite(tmp_path / "images" / name, discs(2)[0])
    said = segment("images", "-o", "out")
    assert said.code == 3
    assert said.error.endswith(f"a.tif: its result {folder} has the name of the folder {folder}; rename one")
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("a.tif", True),
        (f"{'b/' * 400}a.tif", True),
        (f"{'b/' * 600}a.tif", False),
        (f"{'folder of a hundred letters' * 4}/" * 40 + "a.tif", False),
        (f"{'n' * 242}.tif", True),
        (f"{'n' * 246}.tif", False),
    ],
    ids=["short", "deep", "deeper", "long path", "long", "longer"],
)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits differ")
def test_names_and_paths_that_systems_refuse(name, fits):
    outputs = Outputs(Path("out"), (Output.MASKS,))
    assert is_short(PurePosixPath(name), outputs) == fits


@pytest.mark.parametrize(
    "names",
    # The same stem, also for file systems in which case and the composition of accents make no difference.
    [("a.tif", "a.png"), ("A.tif", "a.png"), ("\u00e9.tif", "e\u0301.png")],
    ids=["suffix", "case", "accent"],
)
def test_two_images_with_one_mask_are_refused_before_any_work(names, segment, run, model_path, tmp_path):
    for name in names:
        Image.fromarray(discs(2)[0]).save(tmp_path / name)
    said = segment(*names, "-o", "out")
    assert said.code == 3
    assert " and ".join(names) in said.error
    assert not Path("out").exists()
    # A count without files has nothing to collide.
    assert run("count", *names, "-m", model_path).code == 0


@pytest.mark.parametrize(
    "name", ["masks/dark_masks.tif", "counts.csv", "beads.csv", "run.json", "settings.toml"]
)
def test_what_beadctl_did_not_write_is_never_replaced(segment, bead_folder, name):
    mine = Path("out", name)
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    said = segment(bead_folder, "-o", "out")
    assert said.code == 3
    assert mine.name in said.error
    assert mine.read_text() == "mine"
    assert files("out") == {name}


def mask_of_dark():
    return Path("out/masks/dark_masks.tif")


def test_an_image_with_a_new_suffix_is_told_whose_results_are_there(segment, tmp_path):
    (folder := tmp_path / "images").mkdir()
    tifffile.imwrite(folder / "a.tif", discs(3)[0])
    assert segment(folder, "-o", "out").code == 0
    (folder / "a.tif").rename(folder / "a.ome.tiff")
    said = segment(folder, "-o", "out")
    assert said.code == 3
    assert "a_overlay.png: is a result of a.tif; use --overwrite if a.ome.tiff is that image" in said.error
    assert segment(folder, "-o", "out", "--overwrite").code == 0
    assert [row["image"] for row in table("out/counts.csv")] == ["a.ome.tiff"]


def test_a_mask_that_was_changed_is_not_done_and_not_replaced(segment, bead_folder):
    segment(bead_folder, "-o", "out", "--save", "masks")
    before = mask_of_dark().read_bytes()
    mask_of_dark().write_bytes(before[:-1] + b"?")
    said = segment(bead_folder, "-o", "out", "--save", "masks")
    assert said.code == 1
    assert "dark_masks.tif is not as beadctl wrote it" in said.error
    assert "--overwrite" in said.error
    assert mask_of_dark().read_bytes() == before[:-1] + b"?"
    assert ("dark.png", "failed") in {(row["image"], row["status"]) for row in table("out/counts.csv")}
    assert segment(bead_folder, "-o", "out", "--save", "masks", "--overwrite").code == 0
    assert mask_of_dark().read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="names there have no line breaks")
def test_a_reason_that_names_a_file_is_one_line(segment, bead_folder):
    (bead_folder / "dark.png").rename(bead_folder / "dark\n1,ok.png")
    segment(bead_folder, "-o", "out", "--save", "masks")
    Path("out/masks/dark\n1,ok_masks.tif").write_text("mine")
    assert segment(bead_folder, "-o", "out", "--save", "masks").code == 1
    lines = Path("out/counts.csv").read_text().splitlines()
    assert len(lines) == 1 + len(COUNTS) + 1
    (row,) = [row for row in table("out/counts.csv") if row["status"] == "failed"]
    assert r"dark\x0a1,ok_masks.tif is not as beadctl wrote it" in row["reason"]


def test_a_foreign_overlay_is_not_the_result_of_a_run_that_wrote_none(segment, bead_folder):
    segment(bead_folder, "-o", "out", "--save", "masks")
    mine = Path("out/overlays/dark_overlay.png")
    mine.parent.mkdir()
    mine.write_text("mine")
    said = segment(bead_folder, "-o", "out")
    assert said.code == 1
    assert "dark_overlay.png" in said.error
    assert mine.read_text() == "mine"
    mine.unlink()
    assert segment(bead_folder, "-o", "out").code == 0
    assert segment(bead_folder, "-o", "out", "--save", "masks").code == 0
    again = segment(bead_folder, "-o", "out")
    assert (again.code, {row["status"] for row in table("out/counts.csv")}) == (0, {"skipped"})


def test_a_foreign_picture_of_one_plane_of_a_stack_is_kept(segment, bead_folder):
    mine = Path("out/overlays/stack_p0001_overlay.png")
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    said = segment(bead_folder, "-o", "out")
    assert said.code == 1
    assert "stack_p0001_overlay.png" in said.error
    assert mine.read_text() == "mine"
    assert Counter(row["status"] for row in table("out/counts.csv")) == {"ok": 4, "failed": 1}
    assert not list(Path("out").rglob(".beadctl-*"))


def test_overlays_of_an_earlier_result_do_not_stay_beside_another(segment, run, bead_folder):
    segment(bead_folder, "-o", "out")
    mine = Path("out/overlays/rgb_overlay.png")
    mine.write_text("mine")
    masks = ("-o", "out", "--save", "masks", "--overwrite")
    # By the same settings they are still right, and recorded.
    assert segment(bead_folder, *masks).code == 0
    assert "overlays/dark_overlay.png" in files("out")
    changed = run("verify", "out")
    assert changed.out.splitlines()[1:] == ["overlays/rgb_overlay.png,overlays,changed"]
    assert segment(bead_folder, *masks, "--min-area", "50000").code == 0
    assert {name for name in files("out") if name.startswith("overlays/")} == {"overlays/rgb_overlay.png"}
    assert mine.read_text() == "mine"
    assert run("verify", "out").code == 0


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("a.tif", "b.tif", "c/a.tif"), None),
        (("a.tif", "A.png"), "a_masks.tif"),
        (("a.tif", "a_p0000.tif"), "a_p0000_overlay.png"),
        (("a_p0000.tif", "a.tif"), "a_p0000_overlay.png"),
        (("a_p0000.tif", "a_p0001.tif"), None),
    ],
)
def test_names_that_results_share(names, problem):
    taken = Names()
    found = [Found(Path(name), Path(name)) for name in names]
    said = [taken.problem(item) for item in found][-1]
    assert (said is None) == (problem is None)
    assert problem is None or problem.casefold() in said.casefold()
    # The same image again, as one that changed.
    assert taken.problem(found[0]) is None
