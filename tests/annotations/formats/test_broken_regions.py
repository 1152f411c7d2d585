"""Broken regions of ImageJ."""

import sys

from helpers import annotating
from helpers.refusals import SHAPE, labels_or_one_line, oval, refused
from hypothesis import given
from hypothesis import strategies as st

from beadctl.annotations.reading import read
from beadctl.errors import MissingExtraError


@given(st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_a_damaged_region_is_read_or_refused_in_one_line(tmp_path_factory, place, rubbish):
    path = tmp_path_factory.getbasetemp() / "damaged.roi"
    content = bytearray(annotating.region(annotating.TRACED, points=[(10, 10), (30, 10), (30, 30), (10, 30)]))
    place = 4 + place % (len(content) - 4)
    content[place : place + len(rubbish)] = rubbish
    path.write_bytes(content)
    labels_or_one_line(path, diameter_px=5)


def test_regions_that_cannot_be_read_are_refused_in_one_line(tmp_path):
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
