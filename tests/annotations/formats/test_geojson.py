"""GeoJSON gives the beads back that were written to it."""

import numpy as np
import pytest
from helpers import annotating
from helpers.annotating import SHAPE, same_beads
from helpers.images import discs

from beadctl.annotations import AnnotationFormat
from beadctl.annotations.head import Head, detect
from beadctl.annotations.reading import read
from beadctl.errors import AnnotationError


def test_geojson_of_qupath(tmp_path, scenes):
    """Holes and parts are written, so it is exact."""
    for labels in scenes:
        path = annotating.save(tmp_path / "a.geojson", annotating.geojson(labels))
        assert detect(Head.of(path)) is AnnotationFormat.GEOJSON
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


def test_a_bare_geometry_is_one_object(tmp_path):
    labels = np.zeros((20, 24), np.uint32)
    labels[14:18, 2:6] = labels[14:18, 8:12] = 1
    geometry = annotating.geojson(labels)["features"][0]["geometry"]
    for document in (geometry, {"type": "GeometryCollection", "geometries": [geometry]}):
        path = annotating.save(tmp_path / "a.geojson", document)
        assert detect(Head.of(path)) is AnnotationFormat.GEOJSON
        assert same_beads(read(path, labels.shape).labels, labels)


@pytest.mark.parametrize("old", [False, True])
def test_annotated_regions_of_qupath_are_left_out(tmp_path, old):
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


def test_planes_of_a_stack_are_told_apart_whatever_names_them(tmp_path):
    document = annotating.geojson(discs(2)[1])
    first, second, *_ = document["features"]
    first["geometry"]["plane"], second["geometry"]["plane"] = {"z": 0, "t": 0}, {"z": 0.0, "t": 0}
    path = annotating.save(tmp_path / "a.geojson", document | {"features": [first, second]})
    assert read(path, SHAPE).labels.any()
    second["geometry"]["plane"] = {"z": [1], "t": {}}
    annotating.save(path, document | {"features": [first, second]})
    with pytest.raises(AnnotationError, match="objects of 2 planes of a stack"):
        read(path, SHAPE)
