"""Every format gives the beads back that were written in it by its own description."""

import csv
import io
import json
import os
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import tifffile
from helpers import annotating
from helpers.images import discs
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from skimage import measure

from beadctl.annotations import AnnotationFormat
from beadctl.annotations.detection import detect
from beadctl.annotations.pairing import pair
from beadctl.annotations.reading import read
from beadctl.annotations.rle import pixels
from beadctl.errors import AnnotationError, SettingsError
from beadctl.simulate import render

SHAPE = (150, 190)


def scene(seed):
    return render(np.random.default_rng(seed), SHAPE).labels


def pile(seed, count=70):
    """Beads thrown onto one another: they touch, hide parts of others, cut them in two, lie within them."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(SHAPE)
    labels = np.zeros(SHAPE, np.uint32)
    for label in range(1, count + 1):
        (y, x), radius = rng.uniform((0, 0), SHAPE), rng.choice([3.2, 5, 9, 15])
        labels[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = label
    kept = np.unique(labels)
    assert len(kept) > 0.8 * count
    return labels


@pytest.fixture(scope="module")
def scenes():
    """Label images of beads that touch, overlap and are hidden in part: simulated ones, and piles."""
    piles = [pile(seed) for seed in range(3)]
    beads = [mask for labels in piles for _, mask in annotating.beads(labels)]
    assert sum(len(list(annotating.pieces(mask))) > 1 for mask in beads) > 3
    assert sum(len(annotating.borders(mask)) > len(list(annotating.pieces(mask))) for mask in beads) > 3
    return [scene(seed) for seed in (113, 77, 100, 87, 15, 79, 139)] + piles


def same_beads(found, truth):
    """Whether two label images cut the plane alike, whatever the numbers."""
    pairs = np.unique(np.stack([found.ravel(), truth.ravel()]), axis=1).T
    return len(pairs) == len(np.unique(found)) == len(np.unique(truth)) and ((found > 0) == (truth > 0)).all()


def likeness(found, truth, diameter_px=6):
    """Intersection over union of each true bead of that width with the bead found there."""
    ious = []
    for _, mask in annotating.beads(truth):
        if mask.sum() >= np.pi / 4 * diameter_px**2:
            other = np.bincount(found[mask]).argmax()
            ious.append((mask & (found == other)).sum() / (mask | (found == other)).sum() if other else 0.0)
    return np.array(ious)


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


# --- label images


@pytest.mark.parametrize("name", ["a.tif", "a_masks.tif", "a.png", "a_cp_masks.png"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_label_images_come_back_as_they_are(tmp_path, name, dtype):
    labels = scene(3)
    labels = np.where(labels > np.iinfo(dtype).max, 0, labels)
    if dtype == np.uint32:
        labels = labels * 70_000
    if name.endswith(".png"):
        if dtype == np.uint32:
            pytest.skip("PNG has no 32 bits")
        Image.fromarray(labels.astype(dtype)).save(tmp_path / name)
    else:
        tifffile.imwrite(tmp_path / name, labels.astype(dtype))
    found = read(tmp_path / name, SHAPE).labels
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found, labels)


# --- COCO


def coco_of(labels, path, segment, **extra):
    return annotating.save(path / "a.json", annotating.coco({"a.tif": labels}, segment, **extra))


@pytest.mark.parametrize("squeeze", [False, True])
def test_coco_run_lengths_are_exact(tmp_path, scenes, squeeze):
    def segment(mask):
        runs = annotating.runs(mask)
        return {"size": list(mask.shape), "counts": annotating.squeezed(runs) if squeeze else runs}

    for labels in scenes:
        labelled = read(coco_of(labels, tmp_path, segment), SHAPE)
        assert same_beads(labelled.labels, labels)
        assert labelled.remarks == ()


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=9))
def test_run_lengths_of_any_mask(rows):
    mask = np.array(rows)
    for counts in (annotating.runs(mask), annotating.squeezed(annotating.runs(mask))):
        found = np.zeros_like(mask)
        found[pixels(counts, list(mask.shape), mask.shape)] = True
        np.testing.assert_array_equal(found, mask)


def test_squeezed_run_lengths_are_those_of_the_coco_api():
    """Strings that pycocotools 2.0.11 wrote: a pixel, and an ellipse with a hole."""
    y, x = np.indices((30, 40))
    ring = (((y - 14) / 9) ** 2 + ((x - 20) / 14) ** 2 <= 1) & ((y - 12) ** 2 + (x - 17) ** 2 > 9)
    corner = np.zeros((10, 10), bool)
    corner[0, 0] = True
    text = "R61j06L2N2N2O0O2O0OGC4<JH48LH48KJ46MH48LH47OE4;610000000001N101N101N2N2N4J[4"
    for mask, squeezed in ((corner, "01S3"), (ring, text)):
        found = np.zeros_like(mask)
        found[pixels(squeezed, list(mask.shape), mask.shape)] = True
        np.testing.assert_array_equal(found, mask)
        assert annotating.squeezed(annotating.runs(mask)) == squeezed


def test_coco_polygons_along_borders_of_pixels(tmp_path, scenes):
    """Holes are lost, as COCO has none; but where a smaller bead fills one, it stays visible."""

    def segment(mask):
        return [annotating.flat(annotating.borders(piece)[0]) for piece in annotating.pieces(mask)]

    for labels in scenes:
        ious = likeness(read(coco_of(labels, tmp_path, segment), SHAPE).labels, labels)
        assert (ious >= 0.95).all()
        assert np.median(ious) == 1


def test_coco_polygons_with_fractions_as_cvat_writes_them(tmp_path, scenes):
    """Contours half-way between the middles of pixels, moved to where the first pixel spans 0 to 1."""

    def segment(mask):
        rings = [measure.find_contours(np.pad(piece, 1), 0.5)[0] for piece in annotating.pieces(mask)]
        return [annotating.flat(np.round(ring[:-1, ::-1] - 0.5, 2)) for ring in rings]

    for labels in scenes[4:]:
        path = coco_of(labels, tmp_path, segment, attributes={"occluded": False})
        ious = likeness(read(path, SHAPE).labels, labels)
        assert (ious >= 0.95).all()


def test_coco_polygons_traced_along_pixels(tmp_path, scenes):
    """Whole numbers, as from findContours: the pixels of the rim, which belong to the bead."""

    def segment(mask):
        return [annotating.flat(annotating.rim(piece)) for piece in annotating.pieces(mask, eight=True)]

    for labels in scenes:
        labelled = read(coco_of(labels, tmp_path, segment), SHAPE)
        ious = likeness(labelled.labels, labels)
        assert (ious >= 0.95).all()
        assert np.median(ious) == 1
        (note,) = (remark for remark in labelled.remarks if not remark.doubtful)
        assert "each vertex is taken as a pixel" in note.words


def test_coco_boxes_alone_are_ellipses(tmp_path):
    _, truth = discs(6)
    path = annotating.save(tmp_path / "a.json", annotating.coco({"a.tif": truth}, lambda mask: []))
    labelled = read(path, truth.shape)
    # A box around whole pixels is up to a pixel wider than its bead of 10 px.
    assert (likeness(labelled.labels, truth) > 0.85).all()
    assert any("the ellipse in the box" in remark.words for remark in labelled.remarks)


def test_crowds_are_left_out_and_told_but_not_those_of_cvat(tmp_path):
    _, truth = discs(4)

    def segment(mask):
        return {"size": list(mask.shape), "counts": annotating.runs(mask)}

    document = annotating.coco({"a.tif": truth}, segment)
    document["annotations"][1]["iscrowd"] = 1
    labelled = read(annotating.save(tmp_path / "a.json", document), truth.shape)
    assert len(np.unique(labelled.labels)) == 1 + 3
    (remark,) = labelled.remarks
    assert (remark.count, remark.doubtful) == (1, True)
    assert "crowd" in remark.words
    for annotation in document["annotations"]:
        annotation |= {"iscrowd": 1, "attributes": {"occluded": False}}
    labelled = read(annotating.save(tmp_path / "a.json", document), truth.shape)
    assert same_beads(labelled.labels, truth)


def test_the_archive_that_cvat_exports(tmp_path):
    _, truth = discs(4)
    document = annotating.coco({"a.tif": truth}, lambda mask: [annotating.flat(annotating.borders(mask)[0])])
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        archive.writestr("annotations/instances_default.json", json.dumps(document))
        archive.writestr("images/default/a.tif", b"II*\0")
    assert detect(tmp_path / "task.zip") is AnnotationFormat.COCO
    assert same_beads(read(tmp_path / "task.zip", truth.shape).labels, truth)


def test_of_a_file_of_many_images_the_one_is_read(tmp_path):
    images = {f"deep/{count}.png": discs(count)[1] for count in (1, 3, 5)}
    path = tmp_path / "all.json"
    document = annotating.coco(images, lambda mask: [annotating.flat(annotating.borders(mask)[0])])
    annotating.save(path, document)
    for name, truth in images.items():
        assert same_beads(read(path, truth.shape, image=PurePosixPath(name)).labels, truth)
    with pytest.raises(AnnotationError, match="annotates 3 images"):
        read(path, (96, 128), image=PurePosixPath("other.png"))


# --- outlines of other programs


def test_geojson_of_qupath(tmp_path, scenes):
    """Holes and parts are written, so it is exact."""
    for labels in scenes:
        path = annotating.save(tmp_path / "a.geojson", annotating.geojson(labels))
        assert detect(path) is AnnotationFormat.GEOJSON
        labelled = read(path, SHAPE)
        assert same_beads(labelled.labels, labels)
        assert labelled.remarks == ()


def test_geojson_with_holes(tmp_path):
    labels = np.zeros((20, 24), np.uint32)
    labels[2:12, 2:12] = 1
    labels[4:8, 4:8] = 0
    labels[5:7, 5:7] = 2
    labels[14:18, 2:6] = labels[14:18, 8:12] = 3
    path = annotating.save(tmp_path / "a.json", annotating.geojson(labels))
    assert same_beads(read(path, labels.shape).labels, labels)
    listed = annotating.save(tmp_path / "b.json", annotating.geojson(labels)["features"])
    assert same_beads(read(listed, labels.shape).labels, labels)


@pytest.mark.parametrize("old", [False, True])
def test_regions_of_qupath_are_no_beads(tmp_path, old):
    _, truth = discs(5)
    document = annotating.geojson(truth)
    height, width = truth.shape
    ring = [[0, 0], [width, 0], [width, height], [0, height], [0, 0]]
    tissue = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}
    document["features"].insert(0, tissue | {"properties": {"objectType": "annotation"}})
    if old:
        for feature, kind in zip(document["features"], "ADDDDD", strict=True):
            feature |= {
                "properties": {},
                "id": {"A": "PathAnnotationObject", "D": "PathDetectionObject"}[kind],
            }
    labelled = read(annotating.save(tmp_path / "a.geojson", document), truth.shape)
    assert same_beads(labelled.labels, truth)
    assert [remark.count for remark in labelled.remarks] == [1]
    alone = document | {"features": document["features"][:1]}
    assert read(annotating.save(tmp_path / "a.geojson", alone), truth.shape).labels.all()


@pytest.mark.parametrize("name", ["a.zip", "a_RoiSet.zip"])
def test_regions_of_imagej(tmp_path, scenes, name):
    for labels in scenes:
        annotating.region_set(
            tmp_path / name, [annotating.traced(mask) for _, mask in annotating.beads(labels)]
        )
        assert detect(tmp_path / name) is AnnotationFormat.IMAGEJ
        labelled = read(tmp_path / name, SHAPE)
        assert same_beads(labelled.labels, labels)
        assert labelled.remarks == ()


def test_every_kind_of_region(tmp_path):
    """Each against the pixels that ImageJ would fill: those whose middle is inside."""
    shape = (60, 80)
    y, x = np.indices(shape) + 0.5
    kinds = {
        "oval": (
            annotating.region(annotating.OVAL, (10, 20, 30, 50)),
            ((y - 20) / 10) ** 2 + ((x - 35) / 15) ** 2 <= 1,
        ),
        "rectangle": (
            annotating.region(annotating.RECT, (5, 6, 15, 26)),
            (y > 5) & (y < 15) & (x > 6) & (x < 26),
        ),
        "polygon": (
            annotating.region(annotating.POLYGON, points=[(10, 10), (40, 10), (10, 40)]),
            (x >= 10) & (y >= 10) & (x + y <= 50),
        ),
        "fractions": (
            annotating.region(
                annotating.FREEHAND,
                points=[(10.6, 10.6), (30.4, 10.6), (30.4, 20.4), (10.6, 20.4)],
                fractions=True,
            ),
            (x > 10.6) & (x < 30.4) & (y > 10.6) & (y < 20.4),
        ),
    }
    for name, (content, truth) in kinds.items():
        (tmp_path / "a.roi").write_bytes(content)
        np.testing.assert_array_equal(read(tmp_path / "a.roi", shape).labels > 0, truth, err_msg=name)
    line = annotating.region(annotating.LINE)
    text = annotating.region(annotating.RECT, (1, 1, 9, 9), subtype=1) + struct_of_empty_text()
    annotating.region_set(tmp_path / "a.zip", [line, text, kinds["oval"][0]])
    labelled = read(tmp_path / "a.zip", shape)
    np.testing.assert_array_equal(labelled.labels > 0, kinds["oval"][1])
    assert sorted(remark.words for remark in labelled.remarks) == [
        "lines and angles are left out",
        "texts, arrows and pictures are left out",
    ]


def struct_of_empty_text():
    return b"\0" * 20


def test_points_of_imagej_are_centres(tmp_path):
    """Whole numbers name a pixel, fractions a place in it, from its corner."""
    truth = np.zeros((40, 50), bool)
    rows, columns = np.indices(truth.shape)
    for y, x in ((10, 10), (20, 30)):
        truth |= (rows - y) ** 2 + (columns - x) ** 2 <= 16
    whole = annotating.region(annotating.POINT, points=[(10, 10), (30, 20)])
    fractions = annotating.region(annotating.POINT, points=[(10.5, 10.5), (30.5, 20.5)], fractions=True)
    for content in (whole, fractions):
        (tmp_path / "a.roi").write_bytes(content)
        np.testing.assert_array_equal(read(tmp_path / "a.roi", truth.shape, diameter_px=8).labels > 0, truth)
    with pytest.raises(SettingsError, match="--centre-diameter"):
        read(tmp_path / "a.roi", truth.shape)


def test_outlines_of_cellpose(tmp_path, scenes):
    """A bead in one piece and without a hole comes back pixel by pixel."""
    for labels in scenes:
        truth = annotating.largest_pieces(labels, eight=True)
        path = written(tmp_path / "a_cp_outlines.txt", annotating.cellpose(truth))
        assert detect(path) is AnnotationFormat.CELLPOSE
        ious = likeness(read(path, SHAPE).labels, truth)
        assert (ious >= 0.95).all()
        assert np.median(ious) == 1


def test_empty_outlines_of_cellpose_are_told(tmp_path):
    _, truth = discs(3)
    path = written(tmp_path / "a_cp_outlines.txt", annotating.cellpose(truth) + "\n\n")
    (remark,) = read(path, truth.shape).remarks
    assert remark.count == 2
    assert "outlines are empty" in remark.words


def test_segments_of_yolo(tmp_path, scenes):
    for labels in scenes:
        truth = annotating.largest_pieces(labels)
        path = written(tmp_path / "a.txt", annotating.yolo(truth))
        assert detect(path) is AnnotationFormat.YOLO
        ious = likeness(read(path, SHAPE).labels, truth)
        assert (ious >= 0.95).all()
        assert np.median(ious) == 1


@given(
    st.floats(10, 30), st.floats(12, 40), st.floats(6, 18), st.floats(6, 18), st.sampled_from(["", " 0.91"])
)
def test_boxes_of_yolo_are_ellipses(tmp_path_factory, y, x, height, width, confidence):
    shape = (48, 64)
    path = tmp_path_factory.mktemp("yolo") / "a.txt"
    written(path, f"3 {x / 64!r} {y / 48!r} {width / 64!r} {height / 48!r}{confidence}\n")
    rows, columns = np.indices(shape) + 0.5
    square = ((rows - y) / (height / 2)) ** 2 + ((columns - x) / (width / 2)) ** 2
    found = read(path, shape).labels
    assert (found[square < 1 - 1e-6] == 1).all()
    assert (found[square > 1 + 1e-6] == 0).all()


def test_a_file_of_yolo_without_a_line_is_an_image_without_beads(tmp_path):
    labelled = read(written(tmp_path / "a.txt", ""), (20, 30))
    assert labelled.labels.shape == (20, 30)
    assert not labelled.labels.any()
    assert "without beads" in labelled.remarks[0].words


# --- centres


def table(header, rows, delimiter=","):
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerow(header)
    writer.writerows(rows)
    return file.getvalue()


PLACES = [(10.0, 12.5), (30.25, 40.0), (30.25, 46.0)]
HEADERS = [
    ("y", "x"), ("Y", "X"), ("row", "col"), ("row", "column"), ("centroid_y", "centroid_x"),
    ("centroid-0", "centroid-1"), ("axis-0", "axis-1"), ("Y [px]", "X [px]"), ("y_px", "x_px"),
]  # fmt: skip


def painted(places, shape=(50, 60), radius=4):
    rows, columns = np.indices(shape)
    squared = np.stack([(rows - y) ** 2 + (columns - x) ** 2 for y, x in places])
    return np.where((squared <= radius**2).any(0), squared.argmin(0) + 1, 0)


@pytest.mark.parametrize("header", HEADERS, ids=" ".join)
@pytest.mark.parametrize("swapped", [False, True])
def test_centres_under_many_names(tmp_path, header, swapped):
    rows = [place[::-1] for place in PLACES] if swapped else PLACES
    text = table(header[::-1] if swapped else header, rows)
    found = read(written(tmp_path / "a.csv", text), (50, 60), diameter_px=8).labels
    np.testing.assert_array_equal(found, painted(PLACES))


@pytest.mark.parametrize(
    "text",
    [
        # trackpy, with its index and frame; napari; Excel in German; ImageJ; beadctl.
        table(
            ("", "y", "x", "mass", "size", "frame"), [(i, *place, 1, 2, 0) for i, place in enumerate(PLACES)]
        ),
        table(("index", "axis-0", "axis-1"), [(i, *place) for i, place in enumerate(PLACES)]),
        table(("index", "axis-0", "axis-1", "axis-2"), [(i, 4.0, *place) for i, place in enumerate(PLACES)]),
        table(("y", "x"), [[str(v).replace(".", ",") for v in place] for place in PLACES], ";"),
        table((" ", "Area", "Mean", "X", "Y"), [(1, 50, 7, x + 0.5, y + 0.5) for y, x in PLACES]),
        table((" ", "Area", "Mean", "X", "Y"), [(1, 50, 7, x + 0.5, y + 0.5) for y, x in PLACES], "\t"),
        table(("image", "plane", "label", "y_px", "x_px"), [("a.tif", 0, 5, *place) for place in PLACES]),
        "\ufeff" + table(("y", "x"), PLACES).replace("\r\n", "\r\n\r\n"),
    ],
    ids=["trackpy", "napari", "napari-plane", "semicolons", "imagej", "imagej-tabs", "beadctl", "excel"],
)
def test_tables_of_other_programs(tmp_path, text):
    for name in ("a.csv", "a.txt"):
        found = read(written(tmp_path / name, text), (50, 60), diameter_px=8).labels
        np.testing.assert_array_equal(found, painted(PLACES))


def test_labels_of_imagej_name_images_and_other_labels_do_not(tmp_path):
    rows = [("deep.tif:0001-0002", 9, 10.5, 12.5), ("b.tif", 9, 20.5, 22.5)]
    path = written(tmp_path / "all.csv", table(("Label", "Area", "X", "Y"), rows))
    for name, place in (("deep.tif", (12, 10)), ("b.tif", (22, 20))):
        found = read(path, (50, 60), image=PurePosixPath(name), diameter_px=8).labels
        np.testing.assert_array_equal(found, painted([place]))
    path = written(tmp_path / "own.csv", table(("label", "y", "x"), [(1, 10, 12), (2, 30, 40)]))
    np.testing.assert_array_equal(read(path, (50, 60), diameter_px=8).labels, painted([(10, 12), (30, 40)]))


def test_a_table_of_no_bead_is_an_image_without_beads(tmp_path):
    assert not read(written(tmp_path / "a.csv", "y,x\n"), (20, 30), diameter_px=8).labels.any()


# --- real files


def test_powder_polygons_equal_its_label_images():
    if not os.environ.get("BEADCTL_DATA"):
        pytest.skip("BEADCTL_DATA names no folder of real images")
    folder = Path(os.environ["BEADCTL_DATA"]) / "powder"
    outlines = pair(folder / "images", folder / "annotations_coco.json")
    masks = pair(folder / "images", folder / "masks")
    assert len(outlines.pairs) == 3
    assert (outlines.images_alone, outlines.masks_alone) == ((), ())
    for ours, theirs in zip(outlines.pairs, masks.pairs, strict=True):
        assert ours.image == theirs.image
        truth = theirs.labels((1024, 1536))
        assert truth.max() > 200
        np.testing.assert_array_equal(ours.labels((1024, 1536)), truth)


def test_fluorescent_centres_are_all_painted():
    if not os.environ.get("BEADCTL_DATA"):
        pytest.skip("BEADCTL_DATA names no folder of real images")
    folder = Path(os.environ["BEADCTL_DATA"]) / "fluorescent"
    pairing = pair(folder, folder, diameter_px=10)
    assert len(pairing.samples) == 75
    for name in ("train", "val"):
        with (folder / f"{name}_centres.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        wanted = {
            image: [row for row in rows if row["image"] == image] for image in {r["image"] for r in rows}
        }
        for item in pairing.samples:
            if item.image.path.name in wanted:
                labels = item.labels((128, 128))
                centres = [(int(row["y"]), int(row["x"])) for row in wanted[item.image.path.name]]
                assert len(np.unique(labels)) - 1 == len(centres)
                assert len({labels[place] for place in centres} - {0}) == len(centres)
                assert ndimage.label(labels > 0)[1] <= len(centres)
