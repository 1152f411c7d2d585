"""Tables of bead centres become discs."""

import csv
import io
import os
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from helpers.annotating import written
from scipy import ndimage

from beadctl.annotations.pairing import pair
from beadctl.annotations.reading import read
from beadctl.errors import AnnotationError


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


BEADS = [(y, x) for y in (5.0, 15.0, 25.0, 35.0, 45.0) for x in (10.0, 30.0, 50.0)]
# ImageJ measures from the corner of the first pixel, in units of the image's scale.
SCALED = [(1, 50 * 0.65**2, 7, (x + 0.5) * 0.65, (y + 0.5) * 0.65) for y, x in BEADS]


def test_a_table_of_imagej_in_units_of_a_scale_is_refused(tmp_path):
    """It names no unit, but its areas are no numbers of pixels."""
    path = written(tmp_path / "a.csv", table((" ", "Area", "Mean", "X", "Y"), SCALED))
    with pytest.raises(
        AnnotationError, match=r"row 2: its Area is no number of pixels.* X \(px\) and Y \(px\)"
    ):
        read(path, (50, 60), diameter_px=8)
    german = [[str(value).replace(".", ",") for value in row] for row in SCALED]
    path = written(tmp_path / "b.csv", table((" ", "Area", "Mean", "X", "Y"), german, ";"))
    with pytest.raises(AnnotationError, match="its Area is no number of pixels"):
        read(path, (50, 60), diameter_px=8)


LISTED = (" ", "Index", "Name", "Type", "Group", "X", "Y", "Width", "Height", "Points", "Color")


@pytest.mark.parametrize("header", [LISTED, (*LISTED[:4], *LISTED[5:]), ("x", "y", "width", "height")])
def test_a_list_of_regions_is_refused_as_it_has_the_corners_of_their_boxes(tmp_path, header):
    """As ImageJ's ROI Manager writes it by "List": its X and Y were taken for centres."""
    row = dict(zip(LISTED, (1, 0, "0012-0024", "Oval", 0, 20, 8, 8, 8, 4, "none"), strict=True))
    cells = [row[name if name in row else name.capitalize()] for name in header]
    with pytest.raises(AnnotationError, match=r"whose X and Y are a corner.*More > Save") as refused:
        read(written(tmp_path / "a.csv", table(header, [cells])), (50, 60), diameter_px=8)
    assert "\n" not in str(refused.value)


def test_boxes_beside_centres_are_read(tmp_path):
    centred = ("cy", "cx", "width", "height"), [(*place, 8, 8) for place in PLACES]
    # ImageJ's measurements: centroid, and bounding rectangle.
    measured = ("Area", "X", "Y", "BX", "BY", "Width", "Height")
    rows = [(50, x + 0.5, y + 0.5, x - 4, y - 4, 8, 8) for y, x in PLACES]
    for name, content in (("a", table(*centred)), ("b", table(measured, rows))):
        found = read(written(tmp_path / f"{name}.csv", content), (50, 60), diameter_px=8).labels
        np.testing.assert_array_equal(found, painted(PLACES))


def test_a_table_of_imagej_whose_headings_say_px_is_read(tmp_path):
    rows = [(*row[:3], x + 0.5, y + 0.5) for row, (y, x) in zip(SCALED, BEADS, strict=True)]
    path = written(tmp_path / "a.csv", table((" ", "Area", "Mean", "X (px)", "Y (px)"), rows))
    np.testing.assert_array_equal(read(path, (50, 60), diameter_px=8).labels, painted(BEADS))


def test_lines_of_imagej_have_an_area_of_any_value(tmp_path):
    rows = [(1, 8.25, 7, x + 0.5, y + 0.5, 8.25) for y, x in PLACES]
    path = written(tmp_path / "a.csv", table((" ", "Area", "Mean", "X", "Y", "Length"), rows))
    np.testing.assert_array_equal(read(path, (50, 60), diameter_px=8).labels, painted(PLACES))


@pytest.mark.parametrize(("header", "told"), [(("y", "x"), True), (("Y (px)", "X (px)"), False)])
def test_centres_that_crowd_into_the_corner_are_told(tmp_path, header, told):
    """As points of ImageJ do, which have no area, where they are in um."""
    path = written(tmp_path / "a.csv", table(header, [(y * 0.4, x * 0.4) for y, x in BEADS]))
    remarks = read(path, (50, 60), diameter_px=2).remarks
    assert [str(remark).partition(";")[0] for remark in remarks if remark.doubtful] == told * [
        "bead centres: all in the upper left corner"
    ]


@pytest.mark.parametrize(
    "places", [BEADS, BEADS[:2], [(45.0, x) for _, x in BEADS], [(y, 50.0) for y, _ in BEADS]]
)
def test_other_centres_are_not(tmp_path, places):
    found = read(written(tmp_path / "a.csv", table(("y", "x"), places)), (50, 60), diameter_px=2)
    assert not any("corner" in remark.words for remark in found.remarks)


@pytest.mark.parametrize("unit", ["Y (um)", "y_um", "Y [µm]", "y_nm", "Y_micron"])
def test_centres_in_a_stated_unit_are_refused(tmp_path, unit):
    path = written(tmp_path / "a.csv", table((unit, unit.replace("y", "x").replace("Y", "X")), PLACES))
    with pytest.raises(AnnotationError, match=r"has bead centres in .*m.*; divide them by the pixel size"):
        read(path, (50, 60), diameter_px=8)


def test_a_table_without_rows_is_an_image_without_beads(tmp_path):
    assert not read(written(tmp_path / "a.csv", "y,x\n"), (20, 30), diameter_px=8).labels.any()


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
            if item.image.name in wanted:
                labels = item.load((128, 128)).labels
                centres = [(int(row["y"]), int(row["x"])) for row in wanted[item.image.name]]
                assert len(np.unique(labels)) - 1 == len(centres)
                assert len({labels[place] for place in centres} - {0}) == len(centres)
                assert ndimage.label(labels > 0)[1] <= len(centres)
