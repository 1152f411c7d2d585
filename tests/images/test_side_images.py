"""Files of several images: fields of view and side images, such as the label of a slide."""

import numpy as np
import pytest
import tifffile
from helpers.reading import noise, read_error, read_planes

from beadctl.errors import FileNote
from beadctl.images import ReadOptions, open_image
from beadctl.images.description import describe_image

VIEW, SMALL, COLOURS = noise((60, 80)), noise((20, 30)), noise((20, 30, 3), "u1")


def write_slide(path, names=("label image", "macro image"), ome=True):
    """Write a field of view, and side images of these names."""
    with tifffile.TiffWriter(path, ome=ome) as writer:
        writer.write(VIEW, metadata={"axes": "YX", "Name": "slide 1"}, photometric="minisblack")
        for name in names:
            writer.write(COLOURS, metadata={"axes": "YXS", "Name": name}, photometric="rgb")
    return path


@pytest.mark.parametrize(
    "names", [("label image", "macro image"), ("Macro",), ("slide preview", "Thumbnail"), ("overview",)]
)
def test_side_images_of_a_slide_are_left_out_and_noted(tmp_path, names):
    path = write_slide(tmp_path / "a.ome.tif", names)
    with pytest.warns(FileNote, match=", ".join(names).lower()) as notes:
        planes = open_image(path).planes
    assert [(plane.height, plane.width, plane.position) for plane in planes] == [(60, 80, "")]
    assert [str(note.message).startswith(f"{path}: ") for note in notes] == [True]
    assert "--series" in str(notes[0].message)


def test_series_is_chosen(tmp_path):
    path = write_slide(tmp_path / "a.ome.tif")
    planes = open_image(path, ReadOptions(series=2)).planes
    assert [(plane.height, plane.width, plane.position) for plane in planes] == [(20, 30, "series=2")]
    assert [plane.height for plane in open_image(path, ReadOptions(series=0)).planes] == [60]
    assert "has 3 series; choose one with --series 0..2" in read_error(path, series=3)
    tifffile.imwrite(tmp_path / "one.tif", VIEW)
    assert "leave --series out" in read_error(tmp_path / "one.tif", series=1)
    assert len(open_image(tmp_path / "one.tif", ReadOptions(series=0)).planes) == 1


def test_each_series_is_described(tmp_path):
    path = write_slide(tmp_path / "a.ome.tif")
    with pytest.warns(FileNote):
        facts = dict(describe_image(path, ReadOptions()))
    assert facts["series 0"] == "'slide 1', YX, 60 x 80, uint16"
    assert facts["series 1"].startswith("'label image', YXS, 20 x 30 x 3, uint8; side image")
    assert facts["segmented"].startswith("1 plane of 60 x 80 px")


def test_only_side_images_are_fields_of_view(tmp_path):
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        for name in ("label", "macro"):
            writer.write(VIEW, metadata={"axes": "YX", "Name": name})
    assert len(open_image(path).planes) == 2


@pytest.mark.parametrize("side", [SMALL, COLOURS, noise((60, 80, 3), "u1"), noise((70, 80, 3), "u1")])
def test_unnamed_small_page_or_copy_in_colours_is_left_out(tmp_path, side):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in (VIEW, side):
            writer.write(page, metadata=None, photometric="rgb" if page.ndim == 3 else "minisblack")
    with pytest.warns(FileNote, match="RGB copy" if side.ndim == 3 else "small copy"):
        np.testing.assert_array_equal(read_planes(path), [VIEW])


def test_scenes_of_different_sizes_are_read_and_noted(tmp_path):
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        for name, page in (("scene 1", VIEW), ("label-free", SMALL), ("scene 3", VIEW)):
            writer.write(page, metadata={"axes": "YX", "Name": name}, photometric="minisblack")
    with pytest.warns(FileNote, match=r"differ in size: 2 planes of 60 x 80 px, 1 .* 20 x 30"):
        assert len(open_image(path).planes) == 3
