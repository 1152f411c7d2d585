"""Bad annotation files: each gives an error of one line that names the file and a remedy."""

import json
import pickle
import struct
import sys
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from helpers import annotating
from helpers.images import discs
from hypothesis import given
from hypothesis import strategies as st

from beadctl.annotations import AnnotationFormat, archive
from beadctl.annotations.reading import read
from beadctl.errors import AnnotationError, BeadctlError, MissingExtraError, SettingsError

SHAPE = (96, 128)
SQUARE = [10.0, 10.0, 20.0, 10.0, 20.0, 20.0, 10.0, 20.0]


def refused(path, *words, kind=AnnotationError, shape=SHAPE, **options):
    with pytest.raises(kind) as caught:
        read(path, shape, **options)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert ";" in message, "it says what to do"
    for word in words:
        assert word in message
    return message


def labels_or_one_line(path, **options):
    """Check that a file gives a label image, or a `BeadctlError` of one line."""
    message = f"{path}: read"
    try:
        assert read(path, SHAPE, **options).labels.shape == SHAPE
    except BeadctlError as error:
        message = str(error)
    assert message.startswith(str(path))
    assert "\n" not in message


def document(**changes):
    """COCO of one square."""
    annotation = {"id": 5, "image_id": 1, "category_id": 1, "segmentation": [SQUARE], "iscrowd": 0}
    image = {"id": 1, "file_name": "a.tif", "height": 96, "width": 128}
    return {
        "images": [image | changes.pop("image", {})],
        "annotations": [annotation | changes],
        "categories": [],
    }


def test_the_square_is_read(tmp_path):
    for segmentation in ([SQUARE], SQUARE):
        path = annotating.save(tmp_path / "a.json", document(segmentation=segmentation))
        labels = read(path, SHAPE).labels
        assert labels.sum() == labels[10:20, 10:20].sum() == 100


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", ["no valid JSON", "line 1"]),
        ("[" * 100_000, ["no valid JSON"]),
        ('{"images": [' + "9" * 5000 + "]}", ["no valid JSON"]),
        ("{}", ["not COCO", "images and annotations", "no object"]),
        ('{"shapes": [], "imagePath": "a.png"}', ["not COCO", "an object of shapes, imagePath"]),
        ('{"images": {}, "annotations": []}', ["not COCO"]),
        ('[{"image_id": 1, "bbox": [1, 2, 3, 4]}]', ["not COCO"]),
        ("[1, 2]", ["not COCO"]),
    ],
)
def test_json_that_is_not_coco(tmp_path, content, words):
    path = tmp_path / "a.json"
    path.write_text(content)
    refused(path, *words)
    refused(path, *words, form=AnnotationFormat.COCO)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image": {"file_name": None}}, ["no id or no file_name"]),
        ({"image": {"id": None}}, ["no id or no file_name"]),
        ({"image": {"height": 128, "width": 96}}, ["128x96 px", "96x128"]),
        ({"image_id": 7}, ["annotation 5", "not listed (7)"]),
        ({"image_id": [1]}, ["annotation 5"]),
        ({"segmentation": [[200.0, 10.0, 220.0, 10.0, 220.0, 30.0]]}, ["annotation 5", "outside the image"]),
        ({"segmentation": [[1.0, 2.0, 3.0]]}, ["annotation 5", "not a list of x and y"]),
        ({"segmentation": [["one", 2.0, 3.0, 4.0]]}, ["not a list of x and y"]),
        ({"segmentation": [[float("nan"), 2.0, 3.0, 4.0, 5.0, 6.0]]}, ["not a list of x and y"]),
        ({"segmentation": [[1e300, 2.0, 3.0, 4.0, 5.0, 6.0]]}, ["not a list of x and y"]),
        ({"segmentation": []}, ["annotation 5", "neither segmentation nor bbox"]),
        ({"segmentation": [], "bbox": [5, 5, 0, 4]}, ["a box without an area"]),
        ({"segmentation": {"size": [128, 96], "counts": [96 * 128]}}, ["[128, 96] px", "[96, 128]"]),
        ({"segmentation": {"size": [96, 128], "counts": [1, 2, 3]}}, ["run lengths of 6 px"]),
        ({"segmentation": {"size": [96, 128], "counts": [-1, 96 * 128 + 1]}}, ["run lengths of"]),
        ({"segmentation": {"size": [96, 128], "counts": "\u00e9"}}, ["broken string"]),
        ({"segmentation": {"size": [96, 128], "counts": "o" * 99}}, ["broken string"]),
        ({"segmentation": {"size": [96, 128], "counts": "o"}}, ["cut off"]),
        ({"segmentation": {"size": [96, 128], "counts": [1.5, 2]}}, ["neither whole numbers nor a string"]),
        ({"segmentation": {"size": [96, 128]}}, ["neither whole numbers nor a string"]),
    ],
)
def test_broken_coco(tmp_path, changes, words):
    refused(annotating.save(tmp_path / "a.json", document(**changes)), *words)


def test_coco_that_lists_an_image_twice(tmp_path):
    twice = document()
    twice["images"] *= 2
    refused(annotating.save(tmp_path / "a.json", twice), "lists a.tif twice")


@pytest.mark.parametrize(
    ("geometry", "words"),
    [
        ({"type": "Polygon"}, ["feature 1", "no coordinates"]),
        ({"type": "Polygon", "coordinates": [[["x", "y"]]]}, ["feature 1", "not a list of x and y"]),
        ({"type": "Polygon", "coordinates": [3]}, ["feature 1", "not a list of x and y"]),
        ({"type": "MultiPolygon", "coordinates": [3]}, ["feature 1", "not a list of x and y"]),
        ({"type": "GeometryCollection", "geometries": [3]}, ["feature 1", "no coordinates"]),
        (
            {"type": "Polygon", "coordinates": [[[500, 500], [600, 500], [600, 600], [500, 500]]]},
            ["feature 1", "outside"],
        ),
        ({"type": "Point", "coordinates": [700, 5]}, ["outside the image"]),
        ({"type": "Point", "coordinates": []}, ["not a list of x and y"]),
    ],
)
def test_broken_geojson(tmp_path, geometry, words):
    feature = {"type": "Feature", "geometry": geometry, "properties": None}
    path = annotating.save(tmp_path / "a.geojson", {"type": "FeatureCollection", "features": [feature]})
    refused(path, *words, diameter_px=8)


def test_geojson_of_several_planes_or_of_none(tmp_path):
    square = [[[10, 10], [20, 10], [20, 20], [10, 10]]]
    features = [
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": square, "plane": {"z": z, "t": 0}}}
        for z in (0, 1)
    ]
    path = annotating.save(tmp_path / "a.geojson", {"type": "FeatureCollection", "features": features})
    refused(path, "2 planes")
    features = [
        {"type": "Feature", "geometry": None},
        {"type": "Feature", "geometry": {"type": "LineString", "coordinates": []}},
    ]
    path = annotating.save(tmp_path / "a.geojson", {"type": "FeatureCollection", "features": features})
    assert [remark.count for remark in read(path, SHAPE).remarks] == [1, 1]
    refused(
        annotating.save(tmp_path / "b.geojson", {"type": "FeatureCollection", "features": [3]}), "not GeoJSON"
    )


# --- regions of ImageJ


def oval():
    return annotating.region(annotating.OVAL, (10, 20, 30, 50))


def circles(path, places, vertices):
    """Write circles of 8 px as regions."""
    turn = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    circle = np.column_stack([4 * np.cos(turn), 4 * np.sin(turn)])
    annotating.region_set(
        path,
        (annotating.region(annotating.FREEHAND, points=circle + place, fractions=True) for place in places),
    )


def test_ten_thousand_regions_are_read(tmp_path):
    circles(tmp_path / "a.zip", [(x, y) for y in range(5, 1000, 10) for x in range(5, 1000, 10)], 24)
    labels = read(tmp_path / "a.zip", (1000, 1000)).labels
    assert len(np.unique(labels)) == 10_001
    np.testing.assert_array_equal(labels[5::10, 5::10], np.arange(1, 10_001).reshape(100, 100))


def test_regions_are_read_one_by_one(tmp_path):
    """At most one region is in memory at a time."""
    places = [(x, y) for y in range(5, 100, 10) for x in range(5, 100, 10)]
    circles(tmp_path / "a.zip", places * 3, 5000)
    unpacked = sum(info.file_size for info in zipfile.ZipFile(tmp_path / "a.zip").infolist())
    assert unpacked > 15e6
    tracemalloc.start()
    try:
        read(tmp_path / "a.zip", (100, 100))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < unpacked / 5


@pytest.mark.parametrize(
    "name", ["../escape.roi", "a/../../escape.roi", "/etc/escape.roi", "..\\escape.roi", "C:/a.roi"]
)
def test_an_archive_with_names_that_lead_out_of_it(tmp_path, name):
    inside = tmp_path / "deep"
    inside.mkdir()
    with zipfile.ZipFile(inside / "a.zip", "w") as file:
        file.writestr("good.roi", oval())
        file.writestr(name, oval())
    refused(inside / "a.zip", "leads out of the archive")
    assert [path.name for path in tmp_path.rglob("*")] == ["deep", "a.zip"]


def test_an_archive_that_exceeds_the_limits(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.roi", b"\0" * (archive.LIMITS.region_bytes + 1))
    assert (tmp_path / "a.zip").stat().st_size < 50_000
    refused(tmp_path / "a.zip", "bomb.roi", "larger than")
    limits = archive.LIMITS
    monkeypatch.setattr(archive, "LIMITS", replace(limits, total_bytes=limits.region_bytes))
    refused(tmp_path / "a.zip", "would unpack to", "too much")
    monkeypatch.setattr(archive, "LIMITS", replace(limits, members=0))
    refused(tmp_path / "a.zip", "in 1 file,")


def test_an_archive_whose_header_has_a_wrong_size(tmp_path):
    """At most the 64 bytes of the header are unpacked, whose checksum then fails."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.roi", b"Iout" + b"\0" * 10_000_000)
    content = bytearray((tmp_path / "a.zip").read_bytes())
    central = content.index(b"PK\1\2")
    content[central + 24 : central + 28] = struct.pack("<I", 64)
    (tmp_path / "a.zip").write_bytes(content)
    tracemalloc.start()
    try:
        refused(tmp_path / "a.zip")
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_members_of_each_compression(tmp_path, compression):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", compression) as file:
        file.writestr("a.json", json.dumps(document()))
        start = file.infolist()[0].header_offset + 30 + len("a.json")
    whole = (tmp_path / "a.zip").read_bytes()
    # LZMA begins with 9 bytes of version and dictionary size, which may be others.
    for place in range(start + 9, start + 40):
        (tmp_path / "a.zip").write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        refused(tmp_path / "a.zip")


def test_archives_without_an_annotation(tmp_path):
    cases = {
        "empty.txt": ["neither ImageJ regions"],
        "masks.npy": ["NumPy and pickle files", "save the masks as TIFF"],
    }
    for member, words in cases.items():
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
            file.writestr(member, b"words")
        refused(tmp_path / "a.zip", *words)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for member in ("one.json", "two.json"):
            file.writestr(member, json.dumps(document()))
    refused(tmp_path / "a.zip", "holds 2 JSON files")
    whole = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "a.zip", "damaged, or no ZIP archive")


def test_files_that_macos_adds_to_an_archive_are_ignored(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("set/good.roi", oval())
        file.writestr("__MACOSX/set/._good.roi", b"rubbish")
        file.writestr("set/.DS_Store", b"rubbish")
        file.writestr("set/._good.roi", b"rubbish")
    assert read(tmp_path / "a.zip", SHAPE).labels.max() == 1


@given(st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_a_damaged_region_is_read_or_refused_in_one_line(tmp_path_factory, place, rubbish):
    path = tmp_path_factory.getbasetemp() / "damaged.roi"
    content = bytearray(annotating.region(annotating.TRACED, points=[(10, 10), (30, 10), (30, 30), (10, 30)]))
    place = 4 + place % (len(content) - 4)
    content[place : place + len(rubbish)] = rubbish
    path.write_bytes(content)
    labels_or_one_line(path, diameter_px=5)


def test_regions_that_cannot_be_read(tmp_path):
    (tmp_path / "a.roi").write_bytes(b"Iout")
    refused(tmp_path / "a.roi", "a.roi is damaged")
    curve = annotating.region(annotating.RECT, (1, 1, 9, 9), composite=[0, 1, 1, 2, 5, 5, 9, 9, 4])
    (tmp_path / "a.roi").write_bytes(curve)
    refused(tmp_path / "a.roi", "a.roi cannot be read")
    annotating.region_set(
        tmp_path / "a.zip", [annotating.region(annotating.OVAL, (1, 1, 9, 9), position=p) for p in (1, 2)]
    )
    refused(tmp_path / "a.zip", "2 planes of a stack")
    planes = [
        annotating.region(annotating.OVAL, (1, x, 9, x + 8), position=p)
        for x, p in ((1, 0), (20, 3), (40, 3))
    ]
    annotating.region_set(tmp_path / "a.zip", planes)
    assert read(tmp_path / "a.zip", SHAPE).labels.max() == 3
    annotating.region_set(tmp_path / "a.zip", [annotating.region(annotating.OVAL, (500, 1, 509, 9))])
    refused(tmp_path / "a.zip", "00001.roi", "outside the image")
    annotating.region_set(tmp_path / "a.zip", [annotating.region(annotating.OVAL, (9, 9, 9, 20))])
    assert [remark.count for remark in read(tmp_path / "a.zip", SHAPE).remarks] == [1]


def test_a_missing_roifile_names_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.roi").write_bytes(oval())
    monkeypatch.setitem(sys.modules, "roifile", None)
    refused(tmp_path / "a.roi", "pip install roifile", kind=MissingExtraError)


# --- text


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a_cp_outlines.txt", "1,2,3,4,5,6\n1,2,x\n", ["line 2", "x,y,x,y"]),
        ("a_cp_outlines.txt", "1,2,3,4,5,6\n1,2,3\n", ["line 2", "not a list of x and y"]),
        ("a_cp_outlines.txt", "500,2,503,4,505,6\n", ["line 1", "outside the image"]),
        ("a.txt", "0 0.5 0.5 0.1\n", ["line 1", "not a class with a box"]),
        ("a.txt", "0 0.5 0.5 0.1 0.1\n0 a b c d\n", ["line 2", "not a class with a box"]),
        ("a.txt", "0 320 240 20 20\n", ["line 1", "320", "fractions of the image"]),
        ("a.txt", "0 0.5 0.5 0 0.1\n", ["line 1", "a box without an area"]),
        ("a.txt", "0 0.5 0.5 nan 0.1\n", ["line 1"]),
        ("a.txt", "0 1.5 0.5 0.1 0.1\n", ["line 1", "outside the image"]),
        ("a.txt", "Dear microscope\n", ["not an annotation that beadctl knows"]),
        ("a.txt", ",,\n", ["no columns of bead centres", "found: none"]),
        ("a.csv", "", ["no columns of bead centres", "found: none"]),
        ("a.csv", "left,top\n1,2\n", ["found: left, top", "y and x"]),
        ("a.csv", "y_um,x_um\n1,2\n", ["has bead centres in um; divide them by the pixel size"]),
        ("a.csv", "12,13\n14,15\n", ["found: 12, 13"]),
        ("a.csv", "y,x\n1,2\n3,?\n", ["row 3", "'?' is not a coordinate"]),
        ("a.csv", "y,x\n1,nan\n", ["row 2", "'nan' is not a coordinate"]),
        ("a.csv", "y,x\n1\n", ["row 2", "1 of 2 columns"]),
        ("a.csv", "y,x\n500,2\n", ["y = 500, x = 2", "outside the image"]),
        ("a.csv", "frame,y,x\n0,1,2\n1,1,2\n", ["2 planes of its image"]),
        ("a.csv", "image,y,x\nb.tif,1,2\nc.tif,1,2\n", ["annotates 2 images"]),
    ],
)
def test_broken_text(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    refused(tmp_path / name, *words, diameter_px=8)


def test_tables_in_other_encodings(tmp_path):
    (tmp_path / "a.csv").write_bytes("y,x,Fläche\n1,2,3\n".encode("cp1252"))
    refused(tmp_path / "a.csv", "UTF-8", diameter_px=8)


def test_centres_without_a_diameter(tmp_path):
    (tmp_path / "a.csv").write_text("y,x\n5,5\n")
    refused(tmp_path / "a.csv", "--centre-diameter", kind=SettingsError)
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [5, 5]}}
    path = annotating.save(tmp_path / "a.geojson", {"type": "FeatureCollection", "features": [point]})
    refused(path, "--centre-diameter", kind=SettingsError)


# --- anything else


class Explosive:
    """Unpickling it would write a file."""

    def __reduce__(self):
        return (open, ("unpickled", "w"))


@pytest.mark.parametrize("form", list(AnnotationFormat))
def test_pickles_are_never_loaded(tmp_path, monkeypatch, form):
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "a_seg.npy", np.array({"masks": Explosive()}, dtype=object), allow_pickle=True)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Explosive()))
    for name in ("a_seg.npy", "a.pkl"):
        refused(tmp_path / name, "may run code", "save the masks as TIFF or PNG", form=form, diameter_px=5)
    assert not (tmp_path / "unpickled").exists()


def test_files_that_cannot_be_read(tmp_path):
    refused(tmp_path / "absent.json", "cannot be read")
    refused(tmp_path, "cannot be read")
    (tmp_path / "a.dat").write_bytes(bytes(range(256)))
    refused(tmp_path / "a.dat", "not an annotation that beadctl knows")


def test_a_label_image_of_another_size(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", discs(3)[1])
    refused(tmp_path / "a.tif", "96x128 px", "its image 128x96", shape=(128, 96))


@pytest.mark.parametrize("form", [form for form in AnnotationFormat if form is not AnnotationFormat.AUTO])
def test_a_file_of_another_format_than_the_named_one(tmp_path, form):
    """Every format on every file gives a label image or an error of one line."""
    files = {
        "a.tif": None,
        "a.json": json.dumps(document()),
        "a.geojson": json.dumps(annotating.geojson(discs(2)[1])),
        "a.csv": "y,x\n5,5\n",
        "a_cp_outlines.txt": "10,10,20,10,20,20\n",
        "a.txt": "0 0.5 0.5 0.1 0.1\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        if content is None:
            tifffile.imwrite(path, discs(2)[1])
        else:
            path.write_text(content)
        labels_or_one_line(path, form=form, diameter_px=5)
