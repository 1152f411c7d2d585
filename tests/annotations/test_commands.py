"""tile, audit and eval take every annotation."""

import json

import numpy as np
import pytest
import tifffile
from helpers import annotating
from helpers.images import discs
from helpers.pairing import centres, outlines, save

from beadctl.dataset.manifest import read_manifest


@pytest.fixture
def tile(run):
    def call(truth, *options):
        return run("tile", "images", truth, "-o", "tiles", "--size", "64", "--overlap", "0", *options)

    return call


@pytest.mark.parametrize("flag", ["--diameter", "--centre-diameter"])
def test_tiles_are_cut_from_centres_with_a_diameter(tile, tmp_path, pictures, flag):
    rows = [f"{name},{y},{x}" for name, labels in pictures.items() for y, x in centres(labels)]
    (tmp_path / "all.csv").write_text("\n".join(["image,y,x", *rows]))
    said = tile("all.csv")
    assert said.code == 2
    assert "--centre-diameter" in said.error
    assert not (tmp_path / "tiles").exists()
    said = tile("all.csv", flag, "10")
    assert said.code == 0
    assert "a.tif, b.tif, c.tif: bead centres: painted as discs of 10 px" in said.err
    for row in read_manifest(tmp_path / "tiles"):
        found = tifffile.imread(row.mask) > 0
        truth = pictures[row.source][row.top : row.top + 64, row.left : row.left + 64] > 0
        assert (found != truth).mean() < 0.01


def test_tiles_are_cut_from_a_named_format_with_its_remarks(tile, tmp_path, pictures):
    for name, labels in pictures.items():
        save(tmp_path / "masks" / name, ((labels > 0) * 255).astype(np.uint8))
    said = tile("masks", "--annotations", "binary")
    assert said.code == 0
    assert "binary mask: above 127.5, half its highest value" in said.err
    assert "a label image of one bead takes --annotations labels" in said.err
    assert sum(row.beads for row in read_manifest(tmp_path / "tiles")) >= 2 + 3 + 4
    said = tile("masks", "--annotations", "labels", "--overwrite")
    assert {row.beads for row in read_manifest(tmp_path / "tiles")} <= {0, 1}
    said = tile("masks", "--annotations", "crayon")
    assert said.code == 2
    assert "'crayon'" in said.error
    assert "coco" in said.error


def test_a_bead_outside_its_image_is_reported_and_the_others_are_cut(tile, tmp_path, pictures):
    document = outlines(pictures)
    document["annotations"][0]["segmentation"] = [[500.0, 500.0, 520.0, 500.0, 520.0, 520.0]]
    document["annotations"][-1]["iscrowd"] = 1
    annotating.save(tmp_path / "all.json", document)
    said = tile("all.json")
    assert said.code == 1
    assert "all.json: annotation 1001 lies outside the image (96x128 px)" in said.error
    assert ": crowd regions (iscrowd), left out, whose beads count as background: 1" in said.err
    assert {row.source for row in read_manifest(tmp_path / "tiles")} == {"b.tif", "c.tif"}


def test_eval_scores_against_any_annotation(run, model_path, tmp_path, pictures):
    for name, labels in pictures.items():
        save(tmp_path / "masks" / name, labels)
    annotating.save(tmp_path / "all.json", outlines(pictures))
    rows = [f"{name},{y},{x}" for name, labels in pictures.items() for y, x in centres(labels)]
    (tmp_path / "all.csv").write_text("\n".join(["image,y,x", *rows]))
    figures = [
        json.loads(run("eval", "images", truth, "-m", model_path, *options).out)["figures"]
        for truth, options in (("masks", ()), ("all.json", ()), ("all.csv", ("--centre-diameter", "10")))
    ]
    assert figures[0] == figures[1]
    assert figures[0]["f1@0.50"] == figures[2]["f1@0.50"] == 1
    assert figures[2]["jaccard"] == pytest.approx(figures[0]["jaccard"], abs=0.1)
    said = run("eval", "images", "all.csv", "-m", model_path)
    assert said.code == 2
    assert "--centre-diameter" in said.error


def test_tile_audit_and_eval_pair_by_a_pattern(run, model_path, tmp_path):
    image, labels = discs(3)
    for number in "12":
        save(tmp_path / f"images/raw-{number}_x.tif", image)
        save(tmp_path / f"masks/t{number}.tif", labels)
    call = ("images", "masks", "--pair", r"(\d)")
    assert len(run("tile", *call, "--size", "80", "--dry-run", "--format", "csv").out.splitlines()) > 2
    assert "2 pairs" in run("audit", *call, "--no-find").err
    assert json.loads(run("eval", *call, "-m", model_path).out)["figures"]["true_count"] == 6
    said = run("tile", "images", "masks", "-o", "tiles")
    assert said.code != 0
    assert "--pair" in said.error


def test_masks_by_class_are_named_by_tile_audit_and_eval(run, tile, model_path, tmp_path):
    """Two classes of beads and no 0; and classes above 0."""
    image, labels = discs(30, 160, 160)
    for name, values in (("a", np.where(labels > 0, 2, 1)), ("b", np.where(labels > 0, labels % 2 + 1, 0))):
        save(tmp_path / f"images/{name}.tif", image)
        save(tmp_path / f"masks/{name}.tif", values.astype(np.uint8))
    audited = run("audit", "images", "masks", "--no-find", "-o", "audited")
    assert audited.code == 1
    assert audited.out.count("as in a mask by class") == 2
    faults = (tmp_path / "audited/audit.csv").read_text(encoding="utf-8")
    assert faults.count("mask by class") >= 2
    for said in (tile("masks"), run("eval", "images", "masks", "-m", model_path)):
        assert "labels of several separate beads, as in a mask by class: 2; each label" in said.err
        assert "mask without 0, of values 1, 2, as in a mask by class" in said.err


def test_tiles_keep_a_bead_that_is_cut_in_two(run, model_path, tmp_path):
    """A tile with one bead has two values, but is a label image."""
    labels = np.zeros((64, 64), np.uint16)
    labels[10:20, 10:20] = labels[40:50, 10:20] = 1
    labels[60:63, 60:63] = 2
    save(tmp_path / "images/a.tif", discs(1, 64, 64)[0])
    save(tmp_path / "masks/a.tif", labels)
    call = ("tile", "images", "masks", "-o", "tiles", "--size", "56", "--overlap", "0")
    assert run(*call, "--val-fraction", "0", "--test-fraction", "0").code == 0
    rows = [row for row in read_manifest(tmp_path / "tiles") if row.beads == 1]
    assert rows
    said = run("eval", "--tiles", "tiles", "--split", "train", "-m", model_path)
    assert json.loads(said.out)["figures"]["true_count"] == sum(
        r.beads for r in read_manifest(tmp_path / "tiles")
    )
