"""``count --labels``: the measurements of label images that other programs made, without a network."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from helpers.results_folder import table
from PIL import Image

from beadctl.segmentation.measure import measure

HEIGHT, WIDTH = 96, 128


@pytest.fixture
def count(run, monkeypatch):
    """The command, where no model can be opened."""

    def no_model(*_, **__):
        raise AssertionError("a model was opened")

    monkeypatch.setattr("beadctl.cli.arguments.open_model", no_model)
    return lambda *arguments: run("count", *arguments)


def ten():
    """Ten beads, two of which touch, with numbers in no order and with gaps."""
    labels = discs(10)[1].astype(np.int32)
    rows, columns = np.nonzero(labels == 3)
    labels[rows, columns + 10] = 77
    labels[labels == 1] = 60000
    return labels


def write(kind, labels, path):
    match kind:
        case "uint8.tif" | "uint16.tif" | "int32.tif" | "uint32.tif" | "uint64.tif" | "float32.tif":
            tifffile.imwrite(path, labels.astype(kind.removesuffix(".tif")))
        case "big-endian.tif":
            tifffile.imwrite(path, labels.astype(">u2"), byteorder=">")
        case "white-is-zero.tif":
            tifffile.imwrite(path, labels.astype(np.uint16), photometric="miniswhite")
        case "imagej.tif":
            tifffile.imwrite(path, labels.astype(np.float32), imagej=True)
        case "uint16.png":
            Image.fromarray(labels.astype(np.uint16)).save(path)
        case "palette.png":
            image = Image.fromarray(labels.astype(np.uint8))
            colours = np.random.default_rng(1).integers(0, 256, (256, 3), np.uint8)
            image.putpalette(colours.tobytes())
            image.save(path)
        case "glasbey.tif":
            table = np.random.default_rng(1).integers(0, 2**16, (3, 256)).astype(np.uint16)
            tifffile.imwrite(path, labels.astype(np.uint8), photometric="palette", colormap=table)


@pytest.mark.parametrize(
    "kind",
    [
        *(
            "uint8.tif",
            "uint16.tif",
            "int32.tif",
            "uint32.tif",
            "uint64.tif",
            "float32.tif",
            "big-endian.tif",
        ),
        *("white-is-zero.tif", "imagej.tif", "uint16.png", "palette.png", "glasbey.tif"),
    ],
)
def test_label_images_of_every_type_give_the_same_measurements(count, kind):
    labels = ten()
    small = kind in ("uint8.tif", "palette.png", "glasbey.tif")
    if small:
        labels[labels == 60000] = 200
    path = Path("labels") / kind
    path.parent.mkdir()
    write(kind, labels, path)
    said = count("--labels", "labels", "-o", "out", "--pixel-size", "0.5", "--format", "json")
    assert said.code == 0
    (row,) = json.loads(said.out)
    assert (row["image"], row["status"], row["count"], row["quality"]) == (kind, "ok", 11, "")
    assert (row["singlets"], row["doublets"], row["clusters"]) == (9, 1, 0)
    assert {row[name] for name in ("mean_confidence", "shrink", "doubt")} == {None}
    expected = measure(labels.astype(np.uint32), pixel_size_um=0.5)
    beads = table("out/beads.csv")
    assert [int(bead["label"]) for bead in beads] == expected.label.tolist()
    assert [int(bead["area_px"]) for bead in beads] == expected.area_px.tolist()
    assert [float(bead["diameter_um"]) for bead in beads] == pytest.approx(expected.diameter_um, rel=1e-5)
    assert {bead["confidence"] + bead["mean_intensity"] for bead in beads} == {""}
    assert row["mean_diameter_um"] == pytest.approx(expected.diameter_um.mean())


def test_numbers_of_64_bits_are_replaced(count):
    labels = discs(10)[1].astype(np.uint64)
    labels[labels > 0] += 2**63
    tifffile.imwrite("long.tif", labels)
    said = count("--labels", "long.tif", "-o", "out", "--format", "json")
    assert (said.code, json.loads(said.out)[0]["count"]) == (0, 10)
    assert [bead["label"] for bead in table("out/beads.csv")] == [f"{number}" for number in range(1, 11)]


def test_planes_filters_regions_frames_and_borders(count):
    labels = discs(10)[1]
    tifffile.imwrite(
        "stack.tif", np.stack([labels, 0 * labels, labels]), imagej=True, metadata={"axes": "ZYX"}
    )
    rows = {}
    for name, flags in {
        "plain": (),
        "region": ("--region", "0,0,60,96"),
        "frame": ("--counting-frame", "14px"),
        "size": ("--max-diameter", "9.9px"),
        "border": ("--exclude-border",),
    }.items():
        said = count("--labels", "stack.tif", *flags, "--format", "json", "-o", name)
        assert said.code == 0
        rows[name] = [row["count"] for row in json.loads(said.out)]
    table_of = measure(labels.astype(np.uint32))
    assert rows["plain"] == rows["border"] == [10, 0, 10]
    centred = int((np.floor(table_of.x_px + 0.5) < 60).sum())
    assert rows["region"] == [centred, 0, centred]
    small = int((table_of.diameter_px <= 9.9).sum())
    assert 0 < small < 10
    assert rows["size"] == [small, 0, small]
    # The numbers in the file stay those of the beads that are left.
    assert {int(bead["label"]) for bead in table("size/beads.csv")} == set(
        table_of.label[table_of.diameter_px <= 9.9].tolist()
    )
    assert rows["frame"][0] == rows["frame"][2] < 10


def test_groups_concentrations_and_manual_counts(count):
    for name, number in (("A_1x_1", 8), ("A_1x_2", 7), ("A_10x_1", 2), ("A_10x_2", 0)):
        Path("labels").mkdir(exist_ok=True)
        tifffile.imwrite(f"labels/{name}.tif", discs(number)[1])
    Path("manual.csv").write_text("file,count\nA_1x_1.tif,8\nA_1x_2.tif,6\n")
    said = count(
        *("--labels", "labels", "-o", "out", "--pixel-size", "0.5", "--depth-um", "100"),
        *("--group-by", r"(?P<sample>A)_(?P<dilution>\d+)x", "--manual", "manual.csv"),
    )
    assert said.code == 0
    stock, tenth = sorted(table("out/groups.csv"), key=lambda row: float(row["dilution"]))
    assert (stock["beads"], tenth["beads"]) == ("15", "2")
    volume_ml = HEIGHT * WIDTH / 4 * 100 / 1e12
    assert float(stock["beads_per_ml"]) == pytest.approx(7.5 / volume_ml, rel=1e-5)
    assert table("out/agreement.csv")[0]["bias"] == "0.5"


def test_a_rerun_skips_what_is_done_and_verify_knows_it(count, run):
    Path("labels").mkdir()
    tifffile.imwrite("labels/a.tif", discs(4)[1])
    assert count("--labels", "labels", "-o", "out").code == 0
    record = json.loads(Path("out/run.json").read_text())
    assert "model" not in record
    assert (record["outcome"], record["images"]) == ("finished", 1)
    assert count("--labels", "labels", "-o", "out").code == 0
    assert table("out/counts.csv")[0]["status"] == "skipped"
    assert run("verify", "out").code == 0
    other = count("--labels", "labels", "-o", "out", "--min-area", "9")
    assert other.code == 3
    assert "from another model or other settings" in other.error
    tifffile.imwrite("labels/a.tif", discs(5)[1])
    assert run("verify", "out").code == 1


def test_masks_beside_their_images_are_the_label_images(count):
    Path("cellpose").mkdir()
    for name, number in (("a", 3), ("b", 5)):
        image, labels = discs(number)
        tifffile.imwrite(f"cellpose/{name}.tif", image)
        Image.fromarray(labels).save(f"cellpose/{name}_cp_masks.png")
        Image.fromarray(image).save(f"cellpose/{name}_cp_outlines.png")
    said = count("--labels", "cellpose", "--format", "json")
    assert said.code == 0
    assert {row["image"]: row["count"] for row in json.loads(said.out)} == {
        "a_cp_masks.png": 3,
        "b_cp_masks.png": 5,
    }
    assert "left out: images, and what is made of them" in said.err


def test_the_masks_of_segment_give_its_counts(run, bead_folder, model_path):
    assert run("segment", bead_folder, "-o", "out", "-m", model_path).code == 0
    said = run("count", "--labels", "out/masks", "--format", "json")
    assert said.code == 0
    both = [
        {
            row["image"].split(".")[0].removesuffix("_masks") + row["position"]: int(row["count"])
            for row in rows
        }
        for rows in (table("out/counts.csv"), json.loads(said.out))
    ]
    assert both[0] == both[1]
    sizes = {row["image"]: row["pixel_size_um"] for row in json.loads(said.out)}
    assert sizes["deep/sixteen_masks.tif"] == 0.5


def picture():
    rng = np.random.default_rng(0)
    return np.clip(rng.poisson(3, (HEIGHT, WIDTH)) + 60 * (discs(8)[1] > 0), 0, 255).astype(np.uint8)


BAD = {
    "fractions.tif": (discs(3)[1] / 2).astype(np.float32),
    "probability.tif": (discs(3)[0] / 255).astype(np.float32),
    "nan.tif": np.where(discs(3)[1] == 1, np.nan, discs(3)[1]).astype(np.float32),
    "negative.tif": discs(3)[1].astype(np.int16) - 1,
    "photo.tif": discs(8)[0],
    "dark-photo.tif": picture(),
    "binary.tif": (discs(4)[1] > 0).astype(np.uint8) * 255,
    "bool.tif": discs(4)[1] > 0,
    "classes.tif": (discs(9)[1] > 0) * (1 + (discs(9)[1] % 2).astype(np.uint8)),
    "rgb.tif": np.stack([discs(3)[0], discs(3)[0] // 2, discs(3)[0]], -1),
    "empty": b"",
    "text": b"no image",
}
REASONS = {
    "fractions.tif": "holds values that are not whole numbers",
    "probability.tif": "holds values that are not whole numbers",
    "nan.tif": "holds negative or non-finite values",
    "negative.tif": "holds negative or non-finite values",
    "photo.tif": "no pixel is 0, the background",
    "dark-photo.tif": "as in a picture or a mask by class",
    "binary.tif": "is a binary mask",
    "bool.tif": "is a binary mask",
    "classes.tif": "as in a picture or a mask by class",
    "rgb.tif": "holds colours (RGB)",
    "empty": "empty (0 bytes)",
    "text": "not a TIFF, PNG",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_label_image_is_one_line_and_the_others_are_counted(count, name):
    Path("labels").mkdir()
    tifffile.imwrite("labels/good.tif", discs(4)[1])
    bad = Path("labels") / (name if "." in name else f"{name}.tif")
    content = BAD[name]
    if isinstance(content, bytes):
        bad.write_bytes(content)
    else:
        tifffile.imwrite(bad, content, photometric="rgb" if content.ndim == 3 else "minisblack")
    said = count("--labels", "labels", "--format", "json")
    assert said.code == 1
    assert len(said.errors) == 1
    assert said.errors[0].startswith(f"error: {bad.name}: ")
    assert REASONS[name] in said.errors[0]
    rows = {row["image"]: row for row in json.loads(said.out)}
    assert rows["good.tif"]["count"] == 4
    assert (rows[bad.name]["status"], rows[bad.name]["count"]) == ("failed", None)


def test_a_label_image_taken_for_a_picture_is_said_once_and_pictures_are_not(run, model_path, tmp_path):
    image, labels = discs(10)
    tifffile.imwrite(tmp_path / "picture.tif", image)
    tifffile.imwrite(tmp_path / "mask.tif", np.uint8(labels > 0))
    tifffile.imwrite(
        tmp_path / "labels.tif", np.stack([labels, labels]), imagej=True, metadata={"axes": "ZYX"}
    )
    said = run("count", tmp_path, "-m", model_path)
    assert said.code == 0
    assert said.err.count("looks like a label image") == 1
    assert "labels.tif: looks like a label image, whose labels count --labels takes as they are" in said.err


def test_numbers_that_a_few_beads_share_are_flagged(count):
    labels = discs(12)[1]
    labels[labels == 5] = 4
    tifffile.imwrite("shared.tif", labels)
    said = count("--labels", "shared.tif", "--format", "json")
    assert said.code == 0
    (row,) = json.loads(said.out)
    assert (row["count"], row["quality"]) == (11, "shared-labels")
    assert "warning: shared.tif: count 11: separate beads share a number and count as one" in said.err


def test_an_empty_field_and_a_single_bead(count):
    tifffile.imwrite("none.tif", np.zeros((40, 50), np.uint16))
    tifffile.imwrite("one.tif", (discs(1)[1] > 0).astype(np.uint8) * 255)
    rows = json.loads(count("--labels", "none.tif", "--labels", "one.tif", "--format", "json").out)
    assert [row["count"] for row in rows] == [0, 1]
    assert rows[0]["mean_diameter_px"] is None


def test_threads_are_those_that_are_asked_for(count, monkeypatch):
    monkeypatch.setattr("beadctl.cpus._present_cpus", lambda: 4)
    tifffile.imwrite("a.tif", ten())
    for asked in ("3", "1"):
        assert count("--labels", "a.tif", "-o", f"out{asked}", "--threads", asked).code == 0
        assert json.loads(Path(f"out{asked}/run.json").read_text())["threads"] == int(asked)
    assert Path("out1/beads.csv").read_bytes() == Path("out3/beads.csv").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give images, or label images of another program with --labels"),
        (("a.tif", "--labels", "a.tif"), "with --labels, not both"),
        (("--labels", "a.tif", "--threshold", "0.4"), "no network finds the beads; leave out --threshold"),
        (("--labels", "a.tif", "-m", "bead.onnx"), "no network finds the beads; leave out --model"),
        (("--labels", "a.tif", "--diameter", "5px"), "no network finds the beads; leave out --diameter"),
        (("--labels", "a.tif", "--min-area", "9", "--max-area", "5"), "no bead would be left"),
    ],
)
def test_wrong_usage(count, arguments, words):
    tifffile.imwrite("a.tif", discs(2)[1])
    said = count(*arguments)
    assert said.code == 2
    assert len(said.errors) == 1
    assert words in said.errors[0]
