"""``--region`` and ``--region-exclude`` of `segment` and `count`."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers import annotating
from helpers.images import discs
from helpers.results_folder import table
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from beadctl.annotations.region import CountedRegion
from beadctl.errors import AnnotationError, SettingsError
from beadctl.images import InMemory
from beadctl.model.session import Model
from beadctl.results.formats import overlays
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane
from beadctl.segmentation.prediction import predict_plane

HEIGHT, WIDTH = 96, 128
LEFT = "0,0,60,96"


@pytest.fixture
def segment(run, model_path):
    return lambda *arguments: run("segment", *arguments, "-m", model_path)


@pytest.fixture
def count(run, model_path):
    def call(*arguments):
        said = run("count", *arguments, "-m", model_path, "--format", "json")
        return said, json.loads(said.out) if said.out else []

    return call


@pytest.fixture
def ten(tmp_path):
    tifffile.imwrite(tmp_path / "ten.tif", discs(10)[0])
    return "ten.tif"


def pixel(bead):
    """Row and column of the pixel that holds a bead's centre."""
    return int(float(bead["y_px"]) + 0.5), int(float(bead["x_px"]) + 0.5)


def write_region(kind, mask, path):
    if kind == "tif":
        tifffile.imwrite(path, mask.astype(np.uint8) * 7)
    elif kind == "png":
        Image.fromarray(mask).save(path)
    elif kind == "geojson":
        annotating.save(path, annotating.geojson(mask.astype(np.uint8), objectType="annotation"))
    else:
        annotating.region_set(path, [annotating.traced(part) for part in annotating.pieces(mask)])
    return path


@pytest.mark.parametrize("kind", ["tif", "png", "geojson", "zip"])
def test_the_beads_are_those_of_the_whole_image_with_their_centre_inside(segment, tmp_path, kind, ten):
    if kind == "zip":
        pytest.importorskip("roifile")
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:70, 20:90] = True
    mask[30:50, 40:60] = False
    mask[80:90, 100:128] = True
    path = write_region(kind, mask, tmp_path / f"region.{kind}")
    save = "--save", "masks,overlays,geojson"
    assert segment(ten, "-o", "whole", *save).code == 0
    assert segment(ten, "-o", "part", *save, "--region", path).code == 0
    assert segment(ten, "-o", "rest", *save, "--region-exclude", path).code == 0
    beads, whole = table("whole/beads.csv"), tifffile.imread("whole/masks/ten_masks.tif")
    fields = 0
    for folder, inside in (("part", mask), ("rest", ~mask)):
        wanted = [bead for bead in beads if inside[pixel(bead)]]
        found = table(f"{folder}/beads.csv")
        assert 0 < len(found) < 10
        assert [bead["label"] for bead in found] == [str(place + 1) for place in range(len(found))]
        assert [{**bead, "label": ""} for bead in found] == [{**bead, "label": ""} for bead in wanted]
        labels = tifffile.imread(f"{folder}/masks/ten_masks.tif")
        for new, old in zip(found, wanted, strict=True):
            assert np.array_equal(labels == int(new["label"]), whole == int(old["label"]))
        assert len(np.unique(labels)) == len(found) + 1
        assert len(json.loads(Path(f"{folder}/geojson/ten.geojson").read_text())["features"]) == len(found)
        (row,) = table(f"{folder}/counts.csv")
        assert (row["count"], row["field_area_px"]) == (str(len(found)), str(inside.sum()))
        covered = sum(int(bead["area_px"]) for bead in found) / inside.sum()
        assert float(row["covered_fraction"]) == pytest.approx(covered, rel=1e-5)
        fields += int(row["field_area_px"])
    assert fields == HEIGHT * WIDTH == int(table("whole/counts.csv")[0]["field_area_px"])


def test_the_area_of_the_region_is_in_um_where_the_pixel_size_is_known(count, ten):
    _, (row,) = count(ten, "--region", "10,10,50,40", "--pixel-size", "0.5")
    assert (row["field_area_px"], row["field_area_um2"]) == (2000, 500)
    _, (row,) = count(ten)
    assert (row["field_area_px"], row["field_area_um2"]) == (HEIGHT * WIDTH, None)


CUTS = st.lists(st.decimals(1, 95, places=1), min_size=1, max_size=4, unique=True).map(sorted)


@given(CUTS, CUTS, st.integers(0, 5))
def test_adjacent_regions_sum_to_the_whole(model_path, xs, ys, seed):
    model = Model(model_path, "cpu", 1)
    image, _ = discs(12, seed=seed)
    options = SegmentOptions(0.5, 0.3, 12)
    predicted = predict_plane(InMemory(image), model, options)
    whole = label_plane(predicted, image, options).table
    centres = {*zip(whole.y_px.tolist(), whole.x_px.tolist(), strict=True)}
    total = 0
    for top, bottom in zip([0, *ys], [*ys, HEIGHT], strict=True):
        for left, right in zip([0, *xs], [*xs, WIDTH], strict=True):
            region = CountedRegion.of(f"{left},{top},{right - left},{bottom - top}", None)
            try:
                part = label_plane(predicted, image, dataclasses.replace(options, region=region)).table
            except AnnotationError:
                # Cuts less than a pixel apart.
                continue
            total += len(part)
            assert {*zip(part.y_px.tolist(), part.x_px.tolist(), strict=True)} <= centres
    assert total == len(whole)


def test_flags_are_those_of_the_whole_image(segment, tmp_path):
    """The border of a region cuts no bead: only that of the image does."""
    image, _ = discs(1)
    image[40:60, 0:8] = image.max()
    tifffile.imwrite("edge.tif", image)
    assert segment("edge.tif", "-o", "out", "--region", "0,0,6,96").code == 0
    (bead,) = table("out/beads.csv")
    assert "border" in bead["flags"]
    assert int(bead["area_px"]) > 6 * 20
    assert segment("edge.tif", "-o", "in", "--region", "8,0,120,96").code == 0
    assert ["border" in bead["flags"] for bead in table("in/beads.csv")] == [False]
    y, x = pixel(table("in/beads.csv")[0])
    assert segment("edge.tif", "-o", "cut", "--region", f"{x},{y},90,90").code == 0
    assert table("cut/beads.csv") == table("in/beads.csv")


def test_the_overlay_shows_the_region(segment, ten, monkeypatch):
    # Beads of a part have other numbers.
    monkeypatch.setattr(overlays, "FEW", 0)
    assert segment(ten, "-o", "whole").code == 0
    assert segment(ten, "-o", "part", "--region", LEFT).code == 0
    whole, part = (
        np.asarray(Image.open(f"{folder}/overlays/ten_overlay.png").convert("RGB")).astype(int)[:HEIGHT]
        for folder in ("whole", "part")
    )
    assert (part[1:-1, 59] == 255).all(axis=1).mean() > 0.8
    grey = (whole == whole[..., :1]).all(axis=-1)
    assert np.array_equal(part[:, :59][grey[:, :59]], whole[:, :59][grey[:, :59]])
    assert part[:, 70:].mean() < 0.6 * whole[:, 70:].mean()


def test_the_region_applies_to_each_plane_of_a_stack(count, bead_folder):
    _, whole = count(bead_folder / "stack.tif")
    _, left = count(bead_folder / "stack.tif", "--region", "0,0,64,64")
    _, right = count(bead_folder / "stack.tif", "--region-exclude", "0,0,64,64")
    assert [row["field_area_px"] for row in left] == [64 * 64] * 3
    assert [a["count"] + b["count"] for a, b in zip(left, right, strict=True)] == [2, 0, 5]
    assert [row["count"] for row in whole] == [2, 0, 5]


def test_a_region_beyond_one_image_fails_that_image_alone(count, tmp_path, ten):
    tifffile.imwrite("small.tif", discs(2, 48, 64)[0])
    said, rows = count("small.tif", ten, "--region", "70,0,40,96")
    assert said.code == 1
    assert said.error.startswith("error: small.tif: ")
    assert "outside the image (width 64, height 48 px)" in said.error
    assert [row["status"] for row in rows] == ["failed", "ok"]
    mask = np.ones((HEIGHT, WIDTH), np.uint8)
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    said, rows = count("small.tif", ten, "--region", "mask.tif")
    assert "mask.tif: is 96x128 px, its image 48x64" in said.error
    assert [row["status"] for row in rows] == ["failed", "ok"]
    tifffile.imwrite(tmp_path / "mask.tif", 0 * mask)
    assert "mask.tif: region without a pixel" in count(ten, "--region", "mask.tif")[0].error


def test_a_region_that_is_cut_is_said_once(count, tmp_path, ten):
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(name, discs(2)[0])
    said, rows = count("a.tif", "b.tif", "--region", "70,0,400,96")
    assert said.code == 0
    assert [row["field_area_px"] for row in rows] == [58 * 96] * 2
    assert said.err.count("reaches beyond it and is cut") == 2
    assert "1 more file: " in said.err


@pytest.mark.parametrize("region", ["1,2,3", "0,0,-4,4", "missing.geojson", "."])
def test_a_region_that_is_none_is_one_line_before_any_work(segment, ten, region):
    said = segment(ten, "-o", "out", "--region", region)
    assert said.code == SettingsError.exit_code
    assert said.error.startswith(f"error: --region {region}: ")
    assert not Path("out").exists()


def test_another_region_is_another_setting(segment, tmp_path, ten):
    path = write_region("tif", discs(10)[1] >= 0, tmp_path / "region.tif")
    assert segment(ten, "-o", "out", "--region", path).code == 0
    assert segment(ten, "-o", "out", "--region", path).code == 0
    assert table("out/counts.csv")[0]["status"] == "skipped"
    moved = path.rename(tmp_path / "moved.tif")
    assert segment(ten, "-o", "out", "--region", moved).code == 0
    assert table("out/counts.csv")[0]["status"] == "skipped"
    for other in ((), ("--region", LEFT), ("--region-exclude", LEFT)):
        said = segment(ten, "-o", "out", *other)
        assert said.code == 3
        assert "other settings" in said.error
    # The same name with other content.
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[:, :60] = True
    write_region("tif", mask, moved)
    assert "other settings" in segment(ten, "-o", "out", "--region", moved).error
    assert segment(ten, "-o", "out", "--region", moved, "--overwrite").code == 0
    record = json.loads(Path("out/run.json").read_text())
    assert record["options"]["region"]["region"]["text"] == str(moved)
    assert len(record["options"]["region"]["region"]["sha256"]) == 64
    assert segment(ten, "-o", "again", "--config", "out/settings.toml").code == 0
    assert Path("again/beads.csv").read_bytes() == Path("out/beads.csv").read_bytes()


def test_a_region_among_the_images_is_no_image(count, tmp_path, ten):
    mask = np.ones((HEIGHT, WIDTH), np.uint8)
    tifffile.imwrite(tmp_path / "well.tif", mask)
    _, rows = count(tmp_path, "--region", tmp_path / "well.tif")
    assert [row["image"] for row in rows] == ["ten.tif"]


def test_filters_and_region_leave_out_together(segment, ten):
    assert segment(ten, "-o", "out", "--region", LEFT, "--min-area", "50000").code == 0
    assert table("out/counts.csv")[0]["count"] == "0"
    assert table("out/beads.csv") == []


def test_a_counting_frame_counts_beads_whole_at_two_of_its_borders(segment, ten):
    save = "--save", "masks,overlays"
    assert segment(ten, "-o", "whole", *save).code == 0
    assert segment(ten, "-o", "frame", *save, "--counting-frame", "14px", "--pixel-size", "0.5").code == 0
    whole = tifffile.imread("whole/masks/ten_masks.tif")
    inside, left, below = (
        set(np.unique(part)) for part in (whole[14:82, 14:114], whole[:, :14], whole[82:, :114])
    )
    counted = inside - left - below - {0}
    (row,) = table("frame/counts.csv")
    assert (int(row["count"]), row["quality"]) == (len(counted), "")
    assert (row["field_area_px"], row["field_area_um2"]) == (str(68 * 100), str(68 * 100 // 4))
    assert float(row["density_per_mm2"]) == pytest.approx(len(counted) / (34 * 50) * 1e6, rel=1e-5)
    # The label image holds these beads, with their parts outside the frame.
    framed = tifffile.imread("frame/masks/ten_masks.tif")
    np.testing.assert_array_equal(framed > 0, np.isin(whole, list(counted)))
    assert not np.array_equal(framed > 0, (framed > 0) & np.pad(np.ones((68, 100), bool), 14))


def test_the_field_has_no_pixels_without_a_value(segment, tmp_path):
    """The mosaic lies in NaN: density and covered share are those of its own area."""
    image = discs(4, 96, 128)[0].astype(np.float32)
    mosaic = np.full((160, 128), np.nan, np.float32)
    mosaic[40:136] = image
    for name, pixels in (("whole.tif", image), ("mosaic.tif", mosaic)):
        tifffile.imwrite(tmp_path / name, pixels)
    assert segment("whole.tif", "mosaic.tif", "-o", "out", "--pixel-size", "0.5").code == 0
    rows = {row["image"]: row for row in table("out/counts.csv")}
    assert {row["field_area_px"] for row in rows.values()} == {str(96 * 128)}
    assert len({(row["count"], row["density_per_mm2"]) for row in rows.values()}) == 1


def test_a_counting_frame_whose_guard_is_narrower_than_the_beads_is_said(segment, tmp_path):
    image = np.full((96, 128), 60, np.uint8)
    rows, columns = np.indices(image.shape)
    for y, x in ((2, 60), (50, 50)):
        image[np.hypot(rows - y, columns - x) < 6] = 200
    tifffile.imwrite(tmp_path / "cut.tif", image)
    said = segment("cut.tif", "-o", "out", "--counting-frame", "2px")
    assert said.code == 0
    assert "cut.tif: count 2: beads in the counting frame are cut by the image's border" in said.err
    assert table("out/counts.csv")[0]["quality"] == "narrow-guard"


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (("--counting-frame", "20px", "--exclude-border"), 2, "leave out --exclude-border"),
        (("--counting-frame", "20px", "--region", LEFT), 2, "leave out --region"),
        (("--counting-frame", "wide"), 2, "not a distance; give it as 12px or 5um"),
        (("--counting-frame", "5um"), 1, "ten.tif: its pixel size is unknown; give --pixel-size"),
        (
            ("--counting-frame", "48px"),
            1,
            "ten.tif: --counting-frame: a guard of 48 px leaves nothing of its",
        ),
    ],
)
def test_counting_frames_that_are_refused(segment, ten, flags, code, words):
    said = segment(ten, "-o", "out", *flags)
    assert said.code == code
    assert words in said.error
    assert Path("out").exists() == (code == 1)
