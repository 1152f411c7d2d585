"""Regions of ImageJ give the beads back that were written to them."""

import zipfile

import numpy as np
import pytest
from helpers import annotating
from helpers.annotating import SHAPE, same_beads

from beadctl.annotations import AnnotationFormat
from beadctl.annotations.head import Head, detect
from beadctl.annotations.reading import read
from beadctl.errors import SettingsError


@pytest.mark.parametrize("name", ["a.zip", "a_RoiSet.zip"])
def test_regions_of_imagej(tmp_path, scenes, name):
    for labels in scenes:
        annotating.region_set(
            tmp_path / name, [annotating.traced(mask) for _, mask in annotating.beads(labels)]
        )
        assert detect(Head.of(tmp_path / name)) is AnnotationFormat.IMAGEJ
        labelled = read(tmp_path / name, SHAPE)
        assert same_beads(labelled.labels, labels)
        assert labelled.remarks == ()


def test_every_kind_of_region(tmp_path):
    """Compared with the pixels that ImageJ fills: those whose centre is inside."""
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
        "lines and angles, left out",
        "texts, arrows and pictures, left out",
    ]


def struct_of_empty_text():
    return b"\0" * 20


def test_points_of_imagej_are_centres(tmp_path):
    """Whole numbers name a pixel; fractions count from the corner of the first pixel."""
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


def test_a_member_without_a_name_is_no_region(tmp_path):
    path, content = tmp_path / "set.zip", annotating.region(annotating.RECT, (1, 1, 5, 5))
    with zipfile.ZipFile(path, "w") as archive:
        nameless = zipfile.ZipInfo("x")
        nameless.filename = ""
        archive.writestr(nameless, content)
        archive.writestr("a.roi", content)
    assert read(path, (10, 12)).labels.max() == 1
