"""Broken COCO and GeoJSON."""

import pytest
from helpers import annotating
from helpers.refusals import SHAPE, SQUARE, document, refused

from beadctl.annotations import AnnotationFormat
from beadctl.annotations.reading import read


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
def test_json_that_is_not_coco_is_refused_in_one_line(tmp_path, content, words):
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
def test_broken_coco_is_refused_in_one_line(tmp_path, changes, words):
    refused(annotating.save(tmp_path / "a.json", document(**changes)), *words)


def test_coco_that_lists_an_image_twice_is_refused(tmp_path):
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
def test_broken_geojson_is_refused_in_one_line(tmp_path, geometry, words):
    feature = {"type": "Feature", "geometry": geometry, "properties": None}
    path = annotating.save(tmp_path / "a.geojson", {"type": "FeatureCollection", "features": [feature]})
    refused(path, *words, diameter_px=8)


def test_geojson_of_several_planes_is_refused_and_of_none_is_read(tmp_path):
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
