"""Directories of TIFF files: circles, sub-directories, tags that share bytes, pages of several kinds."""

import struct

import numpy as np
import pytest
import tifffile
from helpers.directories import Directories
from helpers.reading import noise, read_error, read_planes

from beadctl.errors import FileNote
from beadctl.images import Limits, open_image
from beadctl.images.tiff_directories import read_directories


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(("count", "back"), [(1, 0), (3, 1), (150, 120)])
def test_pages_in_a_circle_are_refused(tmp_path, big, count, back):
    file = Directories(big)
    positions = file.chain(count)
    file.point(file.last, positions[back])
    assert "circle" in read_error(file.write(tmp_path / "a.tif"))


@pytest.mark.parametrize("big", [False, True])
def test_a_directory_below_itself_is_refused(tmp_path, big):
    file = Directories(big)
    file.add(first=True, extra=[(330, 4, 1, len(file.content))])
    assert "circle" in read_error(file.write(tmp_path / "a.tif"))


def test_directories_that_share_directories_are_not_multiplied(tmp_path):
    """Thirty levels of two equal sub-directories each would be 2^30 pages."""
    file = Directories()
    level = file.add()
    for _ in range(30):
        level = file.add(extra=[(330, 4, 2, file.append(struct.pack("<II", level, level)))])
    file.point(4, level)
    assert "circle" in read_error(file.write(tmp_path / "a.tif"))


def test_sub_directories_are_counted(tmp_path):
    file = Directories()
    below = file.append(struct.pack("<I", file.add()) * 50)
    file.chain(2, extra=[(330, 4, 50, below)])
    path = file.write(tmp_path / "a.tif")
    assert read_directories(path, Limits(max_planes=102)).count == 102
    assert "images.max_planes" in read_error(path, limits=Limits(max_planes=101))


def test_pages_whose_tags_share_bytes_are_refused(tmp_path):
    """A thousand pages of 225,000 strips, which are the same, would take 18 GB."""
    file = Directories()
    strips = file.append(bytes(900_000))
    file.chain(1000, extra=[(273, 4, 225_000, strips), (279, 4, 225_000, strips)])
    assert "tags of over" in read_error(file.write(tmp_path / "a.tif"))


def test_directories_that_overlap_are_refused(tmp_path):
    """Each of 4000 directories has the tags of the next one too."""
    file = Directories()
    start = len(file.content)
    for step in range(8000):
        # Code 4000 is also the number of tags of a directory that begins two bytes later.
        file.append(struct.pack("<HHII", 4000, 1, 1, 0) if step < 7999 else bytes(12))
    for step in range(3999):
        struct.pack_into("<I", file.content, start + 12 * step + 2 + 12 * 4000, 12 * (step + 1) + start)
    file.point(4, start)
    assert read_error(file.write(tmp_path / "a.tif"))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("code", [256, 270, 273, 279, 324, 330])
def test_a_tag_of_two_thousand_million_values_is_refused(tmp_path, big, code):
    file = Directories(big)
    file.add(first=True, extra=[(code, 4, 2**31, 8)])
    read_error(file.write(tmp_path / "a.tif"))


def test_a_description_of_80_mb_is_refused(tmp_path):
    file = Directories()
    file.add(first=True, extra=[(270, 2, 80_000_000, 200)])
    path = file.write(tmp_path / "a.tif")
    with path.open("r+b") as sparse:
        sparse.truncate(80_000_300)
    assert "a description of 80,000,000 bytes" in read_error(path)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_pages_are_counted_as_written(tmp_path, byteorder, bigtiff):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, byteorder=byteorder, bigtiff=bigtiff) as writer:
        for shape in ((40, 50), (40, 50), (20, 30)):
            writer.write(noise(shape), subifds=1, metadata=None)
            writer.write(noise((10, 10)), subfiletype=1, metadata=None)
    found = read_directories(path, Limits())
    assert (found.pixels, found.are_alike, found.count) == ((2000, 2000, 600), False, 6)


@pytest.mark.parametrize("sizes", [(300, 150), (300, 100), (300, 75), (301, 151), (300, 200), (200, 300)])
def test_no_page_of_another_size_is_lost_in_silence(tmp_path, sizes):
    path = tmp_path / "a.tif"
    pages = [noise((size, size), "u1", seed) for seed, size in enumerate(sizes)]
    with tifffile.TiffWriter(path) as writer:
        for page in pages:
            writer.write(page, metadata=None, photometric="minisblack")
    left_out = 2 * sizes[1] <= sizes[0] + 1
    with pytest.warns(FileNote, match="small copy" if left_out else "differ in size"):
        assert len(open_image(path).planes) == (1 if left_out else 2)
    for number, page in enumerate(pages):
        np.testing.assert_array_equal(read_planes(path, series=number), [page])


def test_stacks_of_two_sizes_of_which_one_is_half_the_other_are_read(tmp_path):
    path = tmp_path / "a.tif"
    pages = [noise((size, size), "u1", seed) for seed, size in enumerate((60, 60, 60, 30, 30, 30))]
    with tifffile.TiffWriter(path) as writer:
        for page in pages:
            writer.write(page, metadata=None, photometric="minisblack")
    with pytest.warns(FileNote, match="differ in size"):
        planes = read_planes(path)
    assert len(planes) == len(pages)
    for plane, page in zip(planes, pages, strict=True):
        np.testing.assert_array_equal(plane, page)


def test_a_page_of_another_height_in_a_stack_is_read_as_it_is(tmp_path):
    """Of a stack tifffile compares pages 0, 1, 7 and the last."""
    path = tmp_path / "a.tif"
    pages = [noise((30 if number == 4 else 40, 50), "u1", number) for number in range(9)]
    with tifffile.TiffWriter(path) as writer:
        for page in pages:
            writer.write(page, metadata=None, photometric="minisblack")
    with pytest.warns(FileNote, match="differ in size"):
        planes = {plane.shape: plane for plane in read_planes(path)}
    np.testing.assert_array_equal(planes[30, 50], pages[4])
    with pytest.warns(FileNote, match="differ in size"):
        assert len(open_image(path).planes) == 9


def test_values_of_metamorph_are_counted_for_each_plane(tmp_path):
    file = Directories()
    values = file.append(bytes(80_000))
    file.add(first=True, extra=[(33628, 4, 10_000, values), (33629, 5, 10_000, values)])
    assert "tags of over" in read_error(file.write(tmp_path / "a.stk"))
