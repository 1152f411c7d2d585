"""Scoring a model file on tiles and on pairs, with ratios of sums."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.faults import scene
from helpers.images import discs
from helpers.results_folder import table

from beadctl.evaluation.scoring import COLUMNS, Score, score
from beadctl.files import sha256
from beadctl.text import json_text


@pytest.fixture
def pairs(tmp_path, monkeypatch):
    """Two images that the model gets right, and one whose mask holds a bead too many."""
    monkeypatch.chdir(tmp_path)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for name, count in (("a", 2), ("b", 7), ("c", 4)):
        image, labels = discs(count)
        if name == "c":
            labels[88:96, 118:128] = 99
        tifffile.imwrite(f"images/{name}.tif", image)
        tifffile.imwrite(f"masks/{name}.tif", labels)
    return tmp_path


def test_pairs_are_scored_and_summed(run, model_path, pairs):
    result = run("eval", "images", "masks", "-m", model_path, "-o", "scores")
    assert result.code == 0
    written = json.loads(result.out)
    assert json.loads(Path("scores/eval.json").read_text()) == written
    assert written["model_sha256"] == sha256(model_path)
    figures = written["figures"]
    assert (figures["images"], figures["true_count"], figures["count"]) == (3, 2 + 7 + 5, 2 + 7 + 4)
    # 13 of 14 beads are matched, without false positives: a ratio of sums, not a mean of ratios.
    assert figures["f1@0.50"] == pytest.approx(2 * 13 / (2 * 13 + 1))
    assert figures["ap@0.50"] == pytest.approx(13 / 14)
    assert figures["centre_f1"] == pytest.approx(2 * 13 / (2 * 13 + 1))
    assert figures["count_mae"] == pytest.approx(1 / 3)
    assert figures["count_bias"] == pytest.approx(-1 / 14)
    rows = table("scores/eval.csv")
    assert tuple(rows[0]) == COLUMNS
    assert [(row["image"], row["status"], row["true_count"], row["count"]) for row in rows] == [
        ("a.tif", "ok", "2", "2"),
        ("b.tif", "ok", "7", "7"),
        ("c.tif", "ok", "5", "4"),
    ]
    assert float(rows[0]["f1@0.50"]) == 1
    assert float(rows[2]["f1@0.50"]) == pytest.approx(8 / 9, abs=1e-5)
    # Pixel ratios against those of the masks that segment writes.
    assert run("segment", "images", "-m", model_path, "-o", "out", "--save", "masks").code == 0
    truth = np.stack([tifffile.imread(f"masks/{name}.tif") for name in "abc"]) > 0
    found = np.stack([tifffile.imread(f"out/masks/{name}_masks.tif") for name in "abc"]) > 0
    assert figures["jaccard"] == pytest.approx((truth & found).sum() / (truth | found).sum())
    assert figures["dice"] == pytest.approx(2 * (truth & found).sum() / (truth.sum() + found.sum()))
    assert figures["precision"] == pytest.approx((truth & found).sum() / found.sum())
    assert figures["recall"] == pytest.approx((truth & found).sum() / truth.sum())


@pytest.mark.parametrize(("fault", "words"), [("inverted", "is inverted"), ("other", "does not fit")])
def test_masks_that_do_not_fit_are_said_once(run, model_path, tmp_path, fault, words):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    scenes = [scene(1, number, 256) for number in range(3)]
    for number, one in enumerate(scenes):
        wrong = np.uint8(one.labels == 0) if fault == "inverted" else scenes[number - 1].labels
        tifffile.imwrite(tmp_path / f"images/{number}.tif", one.image)
        tifffile.imwrite(tmp_path / f"masks/{number}.tif", wrong if number else one.labels)
    said = run("eval", "images", "masks", "-m", model_path)
    assert said.code == 0
    (line,) = [line for line in said.err.splitlines() if "bad" in line]
    assert line.startswith("warning: 2 of 3 masks checked are bad, for example 1.tif: ")
    assert words in line
    assert line.endswith("beadctl audit images masks")


def test_beads_at_the_border_are_scored_whatever_the_settings_of_counts(
    run, model_path, tmp_path, monkeypatch
):
    """A settings file for `count` may lie in the folder; `eval` has no flag that would leave them out."""
    monkeypatch.chdir(tmp_path)
    image, labels = discs(6)
    y, x = (int(centre.mean()) for centre in np.nonzero(labels == 1))
    for folder, content in (("images", image[y:, x:]), ("masks", labels[y:, x:])):
        Path(folder).mkdir()
        tifffile.imwrite(f"{folder}/a.tif", content)
    call = ("eval", "images", "masks", "-m", model_path)
    plain = json.loads(run(*call).out)["figures"]
    Path("beadctl.toml").write_text("[instances]\nexclude_border = true\n")
    assert json.loads(run(*call).out)["figures"] == plain
    (row,) = csv.DictReader(run("count", "images", "-m", model_path).out.splitlines())
    assert int(row["count"]) < plain["count"]


def test_artefacts_are_removed_as_in_segment(run, model_path, tmp_path, monkeypatch):
    """The model finds small faint artefacts, which only the grey values of the image reveal."""
    monkeypatch.chdir(tmp_path)
    image, labels = discs(8)
    rows, columns = np.indices(image.shape)
    for y, x in ((24, 24), (24, 100), (72, 60)):
        near = np.hypot(rows - y, columns - x) <= 2
        if not labels[near].any():
            image[near] += 25
    for folder, content in (("images", image), ("masks", labels)):
        Path(folder).mkdir()
        tifffile.imwrite(f"{folder}/a.tif", content)
    low = ("--threshold", "0.3", "--min-area", "1")
    rows = list(csv.DictReader(run("count", "images", "-m", model_path, *low).out.splitlines()))
    figures = json.loads(run("eval", "images", "masks", "-m", model_path, *low).out)["figures"]
    assert figures["count"] == int(rows[0]["count"])


def test_existing_scores_are_not_overwritten_unless_asked(run, model_path, pairs):
    call = ("eval", "images", "masks", "-m", model_path, "-o", "scores")
    assert run(*call).code == 0
    before = Path("scores/eval.csv").read_bytes()
    result = run(*call)
    assert result.code == 3
    assert "--overwrite" in result.error
    assert result.out == ""
    assert run(*call, "--overwrite").code == 0
    assert Path("scores/eval.csv").read_bytes() == before


def test_tiles_are_scored_by_split_with_their_sources_levels(run, model_path, pairs):
    """Normalised by itself, a dim tile of a bright image would show its noise as beads."""
    call = ("tile", "images", "masks", "-o", "tiles", "--size", "64", "--overlap", "0")
    assert run(*call, "--val-fraction", "0.3", "--test-fraction", "0.3").code == 0
    rows = table("tiles/manifest.csv")
    truths = 0
    for split in ("train", "val", "test"):
        result = run("eval", "--tiles", "tiles", "--split", split, "-m", model_path)
        assert result.code == 0
        figures = json.loads(result.out)["figures"]
        mine = [row for row in rows if row["split"] == split]
        assert figures["images"] == len(mine)
        assert figures["true_count"] == sum(int(row["beads"]) for row in mine)
        truths += figures["true_count"]
    assert truths == sum(int(row["beads"]) for row in rows)
    # A table for people has fewer digits than the file.
    shown = run("eval", "--tiles", "tiles", "--split", "train", "-m", model_path, "--format", "table").out
    assert max(len(digits) for digits in re.findall(r"0\.0*([1-9]\d*)", shown)) <= 4
    call = ("eval", "--tiles", "tiles", "--split", "train", "-m", model_path)
    figures = json.loads(run(*call).out)["figures"]
    head, *cells = csv.reader(run(*call, "--format", "csv").out.splitlines())
    assert head == ["figure", "value"]
    shown = {name: float(value) if value else None for name, value in cells}
    assert shown == pytest.approx(figures, rel=1e-3)

    changed = [row | {"low": "-1e9", "high": "1e9"} for row in rows]
    with Path("tiles/manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(changed)
    figures = json.loads(run("eval", "--tiles", "tiles", "--split", "train", "-m", model_path).out)["figures"]
    assert figures["count"] == 0, "the levels of the manifest must be used"


def test_a_split_without_tiles_is_refused(run, model_path, pairs):
    call = ("tile", "images", "masks", "-o", "tiles", "--size", "64", "--overlap", "0")
    assert run(*call, "--val-fraction", "0", "--test-fraction", "0").code == 0
    result = run("eval", "--tiles", "tiles", "-m", model_path)
    assert result.code == 1
    assert "no test tiles" in result.error


def test_an_image_that_cannot_be_scored_is_reported_and_the_others_are_scored(run, model_path, pairs):
    Path("images/b.tif").write_text("text")
    result = run("eval", "images", "masks", "-m", model_path, "-o", "scores")
    assert result.code == 1
    assert "b.tif" in result.error
    assert json.loads(result.out)["figures"]["images"] == 2
    rows = table("scores/eval.csv")
    assert [row["status"] for row in rows] == ["ok", "failed", "ok"]
    assert "b.tif" in rows[1]["reason"]
    assert rows[1]["count"] == rows[1]["jaccard"] == ""


def test_figures_are_unknown_where_no_image_can_be_scored(run, model_path, pairs):
    for path in Path("images").iterdir():
        path.write_text("text")
    result = run("eval", "images", "masks", "-m", model_path, "-o", "scores")
    assert result.code == 1
    assert "warning: no image could be scored" in result.err
    for figures in (json.loads(result.out), json.loads(Path("scores/eval.json").read_text())):
        known = {name: value for name, value in figures["figures"].items() if value is not None}
        assert known == {"images": 0, "true_count": 0, "count": 0}


def test_an_image_without_the_pixel_size_that_a_limit_needs_is_named(run, model_path, pairs):
    said = run("eval", "images", "masks", "-m", model_path, "--min-area", "20um2")
    assert said.code == 1
    lines = [line for line in said.err.splitlines() if "pixel size is unknown" in line]
    assert len(lines) == len(list(Path("images").iterdir()))
    assert all(line.startswith("error: images/") and "--pixel-size" in line for line in lines)


def test_undefined_figures_are_null_and_empty_cells(run, model_path, tmp_path):
    for folder in ("images", "masks"):
        Path(folder).mkdir()
        tifffile.imwrite(f"{folder}/none.tif", np.zeros((32, 32), np.uint8))
    result = run("eval", "images", "masks", "-m", model_path, "-o", "scores")
    assert result.code == 0

    def refuse(name):
        raise AssertionError(name)

    figures = json.loads(result.out, parse_constant=refuse)["figures"]
    assert (figures["true_count"], figures["count"], figures["count_mae"]) == (0, 0, 0)
    assert figures["r2"] is None
    (row,) = table("scores/eval.csv")
    assert (row["true_count"], row["precision"], row["recall"]) == ("0", "", "")


def test_sums_of_scores_are_scores_of_the_whole():
    rng = np.random.default_rng(0)
    truths = [discs(count, seed=count)[1].astype(np.uint32) for count in (3, 5)]
    founds = [np.where(rng.random(truth.shape) < 0.8, truth, 0).astype(np.uint32) for truth in truths]
    parts = [score(truth, found) for truth, found in zip(truths, founds, strict=True)]
    summed = sum(parts, Score()).figures()
    shifted = [np.where(labels > 0, labels + 100, 0) for labels in (truths[1], founds[1])]
    whole = score(
        np.concatenate([truths[0], shifted[0]]).astype(np.uint32),
        np.concatenate([founds[0], shifted[1]]).astype(np.uint32),
    ).figures()
    names = (
        "true_count",
        "count",
        "jaccard",
        "dice",
        "precision",
        "recall",
        "f1@0.50",
        "pq",
        "mean_ap",
        "centre_f1",
    )
    for name in names:
        assert summed[name] == pytest.approx(whole[name]), name
    assert 0 < summed["jaccard"] < 1


def test_centres_match_within_half_a_typical_diameter():
    """Small discs in the places of large beads overlap too little to match, but their centres do."""
    truth = np.zeros((60, 60), np.uint32)
    found = np.zeros_like(truth)
    rows, columns = np.indices(truth.shape)
    for label, (y, x, away) in enumerate([(15, 15, 0), (15, 45, 4), (45, 15, 7)], start=1):
        truth[np.hypot(rows - y, columns - x) <= 6] = label
        found[np.hypot(rows - y - away, columns - x) <= 2] = label
    figures = score(truth, found).figures()
    assert figures["f1@0.50"] == 0
    assert figures["centre_f1"] == pytest.approx(2 / 3)


def test_beads_that_are_matched_at_the_least_overlap_alone_are_counted_once():
    """An IoU of 11 / 21, above 0.5 and below the next threshold, 0.55."""
    truth = np.zeros((9, 40), np.uint32)
    found = np.zeros_like(truth)
    truth[3, 5:26], found[3, 5:16] = 1, 1
    figures = score(truth, found).figures()
    assert (figures["f1@0.50"], figures["f1@0.60"]) == (1, 0)
    assert figures["pq"] == pytest.approx(11 / 21)
    assert (figures["true_count"], figures["count"]) == (1, 1)


def test_figures_of_no_image_are_valid_json():
    figures = json.loads(json_text(Score().figures()))
    assert figures.pop("images") == figures.pop("true_count") == figures.pop("count") == 0
    assert set(figures.values()) == {None}
