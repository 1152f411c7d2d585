"""The contract of a folder of results: one row a plane, one row a bead, whole files."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import COUNTS, discs
from helpers.results_folder import counts, files, table
from PIL import Image

from beadctl.images import open_image
from beadctl.results.formats import Output
from beadctl.results.ledger import COLUMNS


def test_a_folder_of_results(segment, bead_folder):
    said = segment(bead_folder, "-o", "out")
    assert said.code == 0
    assert said.out == ""
    rows = table("out/counts.csv")
    assert tuple(rows[0]) == COLUMNS
    assert {row["status"] for row in rows} == {"ok"}
    found = counts("out/counts.csv")
    simulated = found.pop(("deep/sim.tif", 0))
    assert found == COUNTS
    # A row a bead, of the right image and plane.
    beads = Counter((bead["image"], int(bead["plane"])) for bead in table("out/beads.csv"))
    assert beads == Counter(COUNTS | {("deep/sim.tif", 0): simulated}) - Counter()
    names = ["dark", "rgb", "deep/sixteen", "deep/sim"]
    pictures = {f"overlays/{name}_overlay.png" for name in names}
    pictures |= {f"overlays/stack_p000{plane}_overlay.png" for plane in range(3)}
    assert {name for name in files("out") if not name.startswith(".beadctl/")} == {
        "counts.csv",
        "beads.csv",
        "run.json",
        "settings.toml",
        *pictures,
        *(f"masks/{name}_masks.tif" for name in [*names, "stack"]),
    }
    for image, planes in (("dark", [4]), ("stack", [2, 0, 5]), ("deep/sixteen", [7])):
        with tifffile.TiffFile(f"out/masks/{image}_masks.tif") as tiff:
            assert tiff.is_ome
            labels = tiff.asarray()
        assert labels.dtype == np.uint32
        stack = labels.reshape(-1, *labels.shape[-2:])
        assert [len(np.unique(plane[plane > 0])) for plane in stack] == planes
    assert open_image(Path("out/masks/deep/sixteen_masks.tif")).pixel_size_um == pytest.approx(0.5)
    sixteen = next(row for row in rows if row["image"] == "deep/sixteen.tif")
    assert float(sixteen["mean_diameter_um"]) == pytest.approx(
        float(sixteen["mean_diameter_px"]) / 2, rel=1e-4
    )
    assert float(sixteen["mean_diameter_px"]) == pytest.approx(10, abs=0.5)
    record = json.loads(Path("out/run.json").read_text())
    assert (record["outcome"], record["images"], record["device_used"]) == ("finished", 5, "cpu")
    assert record["end"] >= record["start"]


def test_labels_lie_on_the_beads(segment, tmp_path):
    image, truth = discs(9)
    tifffile.imwrite(tmp_path / "nine.tif", image)
    assert segment("nine.tif", "-o", "out").code == 0
    labels = tifffile.imread("out/masks/nine_masks.tif")
    for label in range(1, 10):
        inside = labels[truth == label]
        assert np.bincount(inside).argmax() > 0
        assert (inside == np.bincount(inside).argmax()).mean() > 0.9
    beads = table("out/beads.csv")
    for bead in beads:
        assert labels[round(float(bead["y_px"])), round(float(bead["x_px"]))] == int(bead["label"])


def test_results_do_not_depend_on_tiles_and_threads(segment, bead_folder):
    whole = None
    for name, options in {
        "whole": ("--tile-size", "0"),
        "small": ("--tile-size", "16"),
        "two": ("--tile-size", "64", "--threads", "2"),
    }.items():
        assert segment(bead_folder, "-o", name, "--save", "masks", *options).code == 0
        result = {
            path: Path(name, path).read_bytes()
            for path in sorted(files(name))
            if path.endswith(".csv") or path.startswith("masks/")
        }
        masks = {k: tifffile.imread(Path(name, k)).tobytes() for k in result if k.startswith("masks/")}
        result |= masks
        whole = whole or result
        assert result == whole


def test_two_runs_write_the_same_bytes(segment, bead_folder):
    for name in ("one", "two"):
        assert segment(bead_folder, "-o", name, "--save", ",".join(Output)).code == 0
    made = [path for path in files("one") if not path.startswith((".beadctl", "run.json", "settings.toml"))]
    assert len(made) > 10
    for path in made:
        assert Path("one", path).read_bytes() == Path("two", path).read_bytes(), path


def test_one_name_in_two_folders_is_two_images(segment, tmp_path):
    for count, folder in enumerate(("one", "two"), start=2):
        (tmp_path / folder).mkdir()
        Image.fromarray(discs(count)[0]).save(tmp_path / folder / "a.tif")
    assert segment("one", "two", "-o", "out").code == 0
    assert counts("out/counts.csv") == {("one/a.tif", 0): 2, ("two/a.tif", 0): 3}
    assert {"masks/one/a_masks.tif", "masks/two/a_masks.tif"} <= files("out")


def test_zero_is_a_count_and_has_a_mask(segment, tmp_path):
    tifffile.imwrite("none.tif", np.full((40, 50), 7, np.uint8))
    assert segment("none.tif", "-o", "out").code == 0
    (row,) = table("out/counts.csv")
    assert (row["status"], row["count"], row["covered_fraction"]) == ("ok", "0", "0")
    assert row["mean_diameter_px"] == ""
    assert not tifffile.imread("out/masks/none_masks.tif").any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (9, 11)])
def test_tiny_planes_pass(segment, shape):
    tifffile.imwrite("tiny.tif", np.arange(np.prod(shape), dtype=np.uint16).reshape(shape))
    assert segment("tiny.tif", "-o", "out").code == 0
    assert tifffile.imread("out/masks/tiny_masks.tif").shape == shape


def test_options_reach_the_pixels(segment, tmp_path):
    image, _ = discs(5)
    image[40:60, 0:8] = image.max()
    tifffile.imwrite("edge.tif", image)
    for out, options, wanted in (
        ("all", (), 6),
        ("inner", ("--exclude-border",), 5),
        ("large", ("--min-area", "100"), 1),
    ):
        assert segment("edge.tif", "-o", out, *options).code == 0
        assert counts(f"{out}/counts.csv") == {("edge.tif", 0): wanted}
    stack = np.stack([discs(count)[0] for count in (1, 2, 3)])
    tifffile.imwrite("stack.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    assert segment("stack.tif", "-o", "plane", "--plane", "1", "--pixel-size", "2").code == 0
    (row,) = table("plane/counts.csv")
    assert (row["count"], row["pixel_size_um"]) == ("2", "2")
