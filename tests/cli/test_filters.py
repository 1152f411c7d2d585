"""``--max-area``, ``--min-circularity`` and the other filters of `segment`, `count` and `eval`."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from helpers.results_folder import table
from PIL import Image

from beadctl.segmentation.bead_table import COLUMNS

# Those of version 0.2.0, whose readers may count columns.
FORMER_COLUMNS = (
    "image plane label y_px x_px area_px diameter_px perimeter_px major_axis_px minor_axis_px circularity "
    "mean_intensity confidence area_um2 diameter_um flags"
)


@pytest.fixture
def field(tmp_path):
    """Six discs of 10 px, a large one and a bar."""
    image, truth = discs(6, 96, 128)
    image, truth = np.pad(image, ((0, 64), (0, 0)), mode="reflect"), np.pad(truth, ((0, 64), (0, 0)))
    image[96:] = np.random.default_rng(1).normal(image[:2].mean(), 1, (64, 128))
    rows, columns = np.indices(image.shape)
    for label, mask in (
        (7, np.hypot(rows - 124, columns - 30) <= 13),
        (8, (abs(rows - 124) <= 3) & (abs(columns - 90) <= 20)),
    ):
        image[mask], truth[mask] = 178, label
    for folder, picture in (("images", image), ("masks", truth.astype(np.uint16))):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "field.tif", picture)
    return tmp_path / "images"


@pytest.fixture
def segment(run, model_path):
    return lambda *arguments: run("segment", *arguments, "-m", model_path)


@pytest.mark.parametrize(
    ("flags", "count"),
    [
        ((), 8),
        (("--max-area", "400"), 7),
        (("--min-circularity", "0.7"), 7),
        (("--min-diameter", "20"), 1),
        (("--max-diameter", "12px"), 6),
        (("--max-diameter", "6um", "--pixel-size", "0.5"), 6),
        (("--min-area", "50um2", "--pixel-size", "0.5"), 2),
        (("--min-area", "150", "--max-area", "400", "--min-circularity", "0.7"), 0),
    ],
)
def test_beads_left_out_are_in_no_file_and_are_told(segment, field, flags, count):
    said = segment(field, "-o", "out", "--save", "masks,overlays,geojson", *flags)
    assert said.code == 0
    (row,) = table("out/counts.csv")
    assert (row["count"], row["filtered"]) == (str(count), str(8 - count))
    assert len(table("out/beads.csv")) == count
    assert tifffile.imread("out/masks/field_masks.tif").max() == count
    assert len(json.loads(Path("out/geojson/field.geojson").read_text())["features"]) == count
    overlay = np.asarray(Image.open("out/overlays/field_overlay.png").convert("RGB"))
    labels = tifffile.imread("out/masks/field_masks.tif")
    coloured = np.ptp(overlay[: len(labels)].astype(int), axis=-1) > 0
    assert set(np.unique(labels[coloured])) == set(range(1, count + 1))
    names = [flag for flag in flags if flag.startswith(("--min", "--max"))]
    assert (f"{8 - count} of 8 beads left out by" in said.err) == bool(names)
    assert all(name in said.err for name in names)


def test_the_settings_file_and_the_environment_filter_too(run, field, model_path, monkeypatch):
    Path("beadctl.toml").write_text("[instances]\nmax_area = 400\nmin_area = 60\n")
    monkeypatch.setenv("BEADCTL_INSTANCES__MIN_CIRCULARITY", "0.7")
    said = run("count", field, "-m", model_path, "--format", "json")
    (row,) = json.loads(said.out)
    assert (row["count"], row["filtered"]) == (6, 2)
    assert "2 of 8 beads left out by --min-area, --max-area, --min-circularity" in said.err
    assert "left out" not in run("count", field, "-m", model_path, "-q").err


def test_micrometres_fail_an_image_of_unknown_pixel_size_and_no_other(segment, field):
    tifffile.imwrite(
        field / "scaled.ome.tif",
        discs(5)[0],
        metadata={"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5},
    )
    said = segment(field, "-o", "out", "--max-diameter", "6um")
    assert said.code == 1
    rows = {row["image"]: row for row in table("out/counts.csv")}
    assert (rows["field.tif"]["status"], rows["field.tif"]["filtered"]) == ("failed", "")
    assert "--pixel-size, or --max-diameter in px" in rows["field.tif"]["reason"]
    assert (rows["scaled.ome.tif"]["status"], rows["scaled.ome.tif"]["count"]) == ("ok", "5")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--max-area", "5um"), "--max-area 5um (instances.max_area): not an area; give it as 60px or 25um2"),
        (
            ("--min-diameter", "big"),
            "--min-diameter big (instances.min_diameter): not a diameter; give it as",
        ),
        (
            ("--min-circularity", "1.2"),
            "--min-circularity 1.2 (instances.min_circularity): input should be",
        ),
        (("--min-area", "9", "--max-area", "8px"), "--min-area 9 is above --max-area 8"),
    ],
)
def test_wrong_limits_are_one_line_at_the_start(run, field, model_path, flags, words):
    said = run("count", field, "-m", model_path, *flags)
    assert said.code == 2
    assert words in said.error
    assert not said.out


def test_eval_filters_what_the_model_finds(run, field, model_path):
    figures = {}
    for flags in ((), ("--max-area", "100um2", "--pixel-size", "0.5")):
        said = run("eval", field, field.parent / "masks", "-m", model_path, "--format", "json", *flags)
        assert said.code == 0
        figures[flags] = json.loads(said.out)["figures"]
        assert ("1 of 8 beads left out by --max-area" in said.err) == bool(flags)
    assert [one["true_count"] for one in figures.values()] == [8, 8]
    assert [one["count"] for one in figures.values()] == [8, 7]


def test_columns_keep_their_places_and_rgb_is_measured_as_its_grey_values(segment, tmp_path):
    grey = discs(3)[0]
    Image.fromarray(np.stack([grey, grey // 2, grey], -1)).save(tmp_path / "rgb.png")
    assert segment("rgb.png", "-o", "out", "--pixel-size", "0.5").code == 0
    header = Path("out/beads.csv").read_text().splitlines()[0].split(",")
    former = FORMER_COLUMNS.split()
    assert header[: len(former)] == former
    assert header == ["image", "plane", *COLUMNS, "in_plane"]
    for bead in table("out/beads.csv"):
        value = {name: float(text) for name, text in bead.items() if name.endswith(("ity", "nd", "px", "um"))}
        assert value["min_intensity"] <= value["median_intensity"] <= value["max_intensity"]
        assert value["min_intensity"] <= value["mean_intensity"] <= value["max_intensity"]
        total = value["mean_intensity"] * value["area_px"]
        assert value["integrated_intensity"] == pytest.approx(total, rel=1e-5)
        assert value["local_background"] < value["median_intensity"]
        assert (value["x_um"], value["y_um"]) == pytest.approx(
            (value["x_px"] / 2, value["y_px"] / 2), rel=1e-5
        )
