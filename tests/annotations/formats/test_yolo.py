"""YOLO files give the beads back that were written to them."""

import numpy as np
from helpers import annotating
from helpers.annotating import SHAPE, likeness, written
from hypothesis import given
from hypothesis import strategies as st

from beadctl.annotations import AnnotationFormat
from beadctl.annotations.head import Head, detect
from beadctl.annotations.reading import read


def test_segments_of_yolo(tmp_path, scenes):
    for labels in scenes:
        truth = annotating.largest_pieces(labels)
        path = written(tmp_path / "a.txt", annotating.yolo(truth))
        assert detect(Head.of(path)) is AnnotationFormat.YOLO
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


def test_an_empty_yolo_file_is_an_image_without_beads(tmp_path):
    labelled = read(written(tmp_path / "a.txt", ""), (20, 30))
    assert labelled.labels.shape == (20, 30)
    assert not labelled.labels.any()
    assert "without beads" in labelled.remarks[0].words
