"""Cellpose's outlines give the beads back that were written to them."""

import numpy as np
from helpers import annotating
from helpers.annotating import SHAPE, likeness, written
from helpers.images import discs

from beadctl.annotations import AnnotationFormat
from beadctl.annotations.head import Head, detect
from beadctl.annotations.reading import read


def test_outlines_of_cellpose(tmp_path, scenes):
    """A bead in one piece and without a hole comes back pixel by pixel."""
    for labels in scenes:
        truth = annotating.largest_pieces(labels, eight=True)
        path = written(tmp_path / "a_cp_outlines.txt", annotating.cellpose(truth))
        assert detect(Head.of(path)) is AnnotationFormat.CELLPOSE
        ious = likeness(read(path, SHAPE).labels, truth)
        assert (ious >= 0.95).all()
        assert np.median(ious) == 1


def test_empty_outlines_of_cellpose_are_counted(tmp_path):
    _, truth = discs(3)
    path = written(tmp_path / "a_cp_outlines.txt", annotating.cellpose(truth) + "\n\n")
    (remark,) = read(path, truth.shape).remarks
    assert remark.count == 2
    assert "empty outlines" in remark.words
