"""Broken outlines, boxes and tables of centres."""

import pytest
from helpers import annotating
from helpers.refusals import refused

from beadctl.errors import SettingsError


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
def test_broken_text_is_refused_in_one_line(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    refused(tmp_path / name, *words, diameter_px=8)


def test_tables_in_other_encodings_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes("y,x,Fläche\n1,2,3\n".encode("cp1252"))
    refused(tmp_path / "a.csv", "UTF-8", diameter_px=8)


def test_centres_without_a_diameter_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("y,x\n5,5\n")
    refused(tmp_path / "a.csv", "--centre-diameter", kind=SettingsError)
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [5, 5]}}
    path = annotating.save(tmp_path / "a.geojson", {"type": "FeatureCollection", "features": [point]})
    refused(path, "--centre-diameter", kind=SettingsError)
