"""Planes that metadata declare: counted before lists are made of them; files of a set are files."""

import contextlib
import json
import os
import struct
import sys

import numpy as np
import pytest
import tifffile
from helpers.directories import Directories
from helpers.reading import noise, read_error, read_plane, read_planes

from beadctl.errors import ImageError
from beadctl.images import Limits, ReadOptions, declared_planes, open_image

IMAGE = noise((20, 30), "u1")
MODULO = (
    '<StructuredAnnotations><XMLAnnotation ID="A" Namespace="openmicroscopy.org/omero/dimension/modulo">'
    '<Value><Modulo><ModuloAlongZ Type="phase" Start="0" Step="1" End="{}"/></Modulo></Value></XMLAnnotation>'
    "</StructuredAnnotations>"
)


def ome(path, data="<TiffData/>", after="", pages=1):
    """Write an OME-TIFF with these elements in Pixels and after the image."""
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="I">'
        '<Pixels ID="P" DimensionOrder="XYZCT" Type="uint8" SizeX="30" SizeY="20" SizeC="1" SizeZ="1"'
        f' SizeT="{pages}">{data}</Pixels><AnnotationRef ID="A"/></Image>{after}</OME>'
    )
    image = IMAGE if pages == 1 else np.stack([IMAGE] * pages)
    tifffile.imwrite(path, image, description=xml, metadata=None, photometric="minisblack")
    return path


def member(name):
    return f'<TiffData IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:1</UUID></TiffData>'


def test_an_axis_given_as_a_range_is_counted(tmp_path):
    assert "images.max_planes" in read_error(ome(tmp_path / "a.ome.tif", after=MODULO.format("4e9")))
    np.testing.assert_array_equal(read_plane(ome(tmp_path / "b.ome.tif", after=MODULO.format(0))), IMAGE)


@pytest.mark.parametrize("text", ["9" * 5000, "-1", "many", "1e9", ""])
def test_a_count_that_is_no_number_is_no_crash(tmp_path, text):
    path = ome(tmp_path / "a.ome.tif", f'<TiffData IFD="0" PlaneCount="{text}"/>')
    with contextlib.suppress(ImageError):
        read_planes(path)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders")
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_set_that_names_a_pipe_or_a_device_is_refused(tmp_path, kind):
    os.mkfifo(tmp_path / "pipe")
    name = "pipe" if kind == "pipe" else "/dev/zero"
    assert "of its set is no file" in read_error(ome(tmp_path / "a.ome.tif", member(name)))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders")
def test_texts_beside_an_image_are_files(tmp_path):
    for name in ("a.txt", "pipe"):
        os.mkfifo(tmp_path / name)
    for name in ("pipe", "/dev/zero"):
        xml = (
            '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
            f'<BinaryOnly MetadataFile="{name}" UUID="urn:uuid:1"/></OME>'
        )
        tifffile.imwrite(tmp_path / "a.tif", IMAGE, description=xml, metadata=None)
        np.testing.assert_array_equal(read_plane(tmp_path / "a.tif"), IMAGE)


def test_pages_of_other_files_of_the_set_are_counted(tmp_path):
    pages = Directories()
    pages.chain(40)
    pages.write(tmp_path / "b.tif")
    path = ome(tmp_path / "a.ome.tif", member("b.tif"))
    with pytest.raises(ImageError, match=r"b\.tif: claims more than the 39 planes"):
        open_image(path, ReadOptions(limits=Limits(max_planes=39)))
    # Each element would read all pages of the other file.
    many = '<TiffData><UUID FileName="b.tif">urn:uuid:1</UUID></TiffData>' * 3
    assert "images.max_planes" in read_error(ome(path, many), limits=Limits(max_planes=119))


def test_elements_of_the_xml_are_counted(tmp_path):
    after = "<a/>" * 300
    path = ome(tmp_path / "a.ome.tif", after=after)
    assert "images.max_planes" in read_error(path, limits=Limits(max_planes=14))
    assert len(open_image(path).planes) == 1


def test_a_stack_with_its_pages_is_within_limits_that_it_meets(tmp_path):
    path = ome(tmp_path / "a.ome.tif", pages=7)
    assert len(open_image(path, ReadOptions(limits=Limits(max_planes=7))).planes) == 7
    assert "images.max_planes" in read_error(path, limits=Limits(max_planes=6))


def test_pages_of_several_kinds_are_limited_because_each_is_compared_with_each(tmp_path, monkeypatch):
    monkeypatch.setattr(declared_planes, "MOST_MIXED", 20)
    mixed, alike = Directories(), Directories()
    alike.chain(21)
    assert len(open_image(alike.write(tmp_path / "alike.tif")).planes) == 21
    mixed.add(first=True, height=2)
    before = mixed.last
    for _ in range(20):
        mixed.point(before, mixed.add())
        before = mixed.last
    assert "21 pages of 2 kinds" in read_error(mixed.write(tmp_path / "mixed.tif"))


@pytest.mark.parametrize("below", [False, True])
def test_kinds_of_pages_are_limited(tmp_path, monkeypatch, below):
    monkeypatch.setattr(declared_planes, "MOST_KINDS", 7)

    def written(kinds):
        file, heights = Directories(), range(1, kinds)
        places = [file.add(height=height) for height in heights] if below else []
        tag = [(330, 4, len(places), file.append(struct.pack(f"<{len(places)}I", *places)))] if below else []
        file.add(first=True, height=kinds, extra=tag)
        for height in () if below else heights:
            before = file.last
            file.point(before, file.add(height=height))
        return file.write(tmp_path / f"{kinds}.tif")

    assert len(open_image(written(7), ReadOptions(series=0)).planes) == 1
    assert "8 pages of 8 kinds" in read_error(written(8))


def micro_manager(path, frame, planned):
    """Write a Micro-Manager stack of two pages, whose index says that the second is of a frame."""
    summary = json.dumps({"MicroManagerVersion": "1", "Frames": planned, "Channels": 1, "Slices": 1}).encode()
    index_at = 8 + 32 + len(summary)
    head = struct.pack("<8I", 54773648, index_at, 483765892, 0, 99384722, 0, 2355492, len(summary)) + summary
    file = Directories(head=head + bytes(8 + 40))
    first, second = file.chain(2, extra=[(51123, 2, 4, 8)])
    struct.pack_into("<12I", file.content, index_at, 3453623, 2, 0, 0, 0, 0, first, 0, 0, frame, 0, second)
    # Pixels are 162 bytes behind their directory.
    file.append(bytes(400))
    return file.write(path)


def test_planes_in_the_index_of_micro_manager_are_counted(tmp_path):
    assert len(open_image(micro_manager(tmp_path / "a_MMStack.tif", 1, 2)).planes) == 2
    assert "images.max_planes" in read_error(micro_manager(tmp_path / "a_MMStack.tif", 10**9, 2))


def test_an_acquisition_without_an_end_is_read_by_its_pages(tmp_path):
    for name in ("a_MMStack.tif", "a_MMStack_1.tif"):
        micro_manager(tmp_path / name, 1, 10**9)
    assert len(open_image(tmp_path / "a_MMStack.tif").planes) == 2
