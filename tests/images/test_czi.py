"""Zeiss CZI files; the extra `formats` is needed."""

import pickle
import warnings

import numpy as np
import pytest
from helpers.czi import write_czi
from helpers.damage import faults_of_damaged_copies
from helpers.reading import BT709, noise, read_error, read_plane, read_planes

from beadctl.errors import FileNote
from beadctl.images import ReadOptions, Window, find, open_image

pytest.importorskip("czifile", reason="czifile is not installed (extra formats)")


def stack_blocks(stack):
    """Return the blocks of an array with axes T, C, Z, Y, X, in an order that is not that of the planes."""
    lengths = stack.shape[:3]
    return [
        ({"X": 0, "Y": 0, "C": c, "Z": z, "T": t, "S": 0}, stack[t, c, z])
        for z in range(lengths[2])
        for t in range(lengths[0])
        for c in range(lengths[1])
    ]


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("channel", [0, 1])
def test_planes_of_a_channel_by_time_and_depth(tmp_path, dtype, channel):
    stack = noise((2, 2, 3, 40, 50), dtype)
    path = write_czi(tmp_path / "a.czi", stack_blocks(stack), (0.2, 0.2, 1.5))
    image = open_image(path, ReadOptions(channel=channel))
    assert (image.axes, image.shape, image.dtype) == ("TZCYX", (2, 3, 2, 40, 50), stack.dtype)
    assert [plane.position for plane in image.planes] == [f"T={t} Z={z}" for t in (0, 1) for z in (0, 1, 2)]
    assert image.pixel_size_um == pytest.approx(0.2)
    assert {round(plane.z_step_um, 9) for plane in image.planes} == {1.5}
    planes = read_planes(path, channel=channel)
    assert (np.stack(planes) == stack[:, channel].reshape(6, 40, 50)).all()
    assert planes[0].dtype == stack.dtype


def test_a_channel_must_be_chosen(tmp_path):
    path = write_czi(tmp_path / "a.czi", stack_blocks(noise((1, 2, 1, 8, 9))))
    assert "has 2 channels; choose one with --channel 0..1" in read_error(path)


@pytest.mark.parametrize("compression", [0, 5, 6])
def test_compression_by_zstandard(tmp_path, compression):
    stack = noise((1, 1, 2, 40, 50))
    path = write_czi(tmp_path / "a.czi", stack_blocks(stack), compression=compression)
    assert (np.stack(read_planes(path)) == stack[0, 0]).all()


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_colours_are_red_green_blue(tmp_path, dtype):
    pixels = noise((20, 30, 3), dtype)
    path = write_czi(tmp_path / "a.czi", [({"X": 0, "Y": 0, "C": 0}, pixels)])
    assert open_image(path).conversion == "luminance of RGB"
    assert read_plane(path) == pytest.approx(pixels @ BT709, rel=1e-4)
    assert (read_plane(path, channel=2) == pixels[..., 2]).all()


def test_scenes_are_series_of_tiles(tmp_path):
    scenes = noise((2, 40, 90))
    blocks = [
        ({"X": 1000 * s - 70 + x, "Y": -5, "S": s, "M": m}, scenes[s][:, x : x + 50])
        for s in (1, 0)
        for m, x in ((1, 40), (0, 0))
    ]
    # A later tile covers an earlier one: the 10 columns that both have are equal here.
    path = write_czi(tmp_path / "a.czi", blocks)
    planes = open_image(path).planes
    assert [plane.position for plane in planes] == ["series=0", "series=1"]
    assert (np.stack(read_planes(path)) == scenes).all()
    assert (read_plane(path, series=1) == scenes[1]).all()
    assert "has 2 series; choose one with --series 0..1" in read_error(path, series=2)
    with pickle.loads(pickle.dumps(planes[1].source)).open() as samples:
        assert (samples.read(Window(7, 30, 20, 40))[0] == scenes[1][7:27, 30:70]).all()


def test_a_later_tile_covers_an_earlier_one(tmp_path):
    first, second = np.full((10, 10), 1, np.uint8), np.full((10, 10), 2, np.uint8)
    blocks = [({"X": 5, "Y": 0, "M": 1}, second), ({"X": 0, "Y": 0, "M": 0}, first)]
    assert read_plane(write_czi(tmp_path / "a.czi", blocks))[0].tolist() == [1] * 5 + [2] * 10


def test_gaps_between_tiles_are_noted(tmp_path):
    tile = np.full((10, 10), 7, np.uint8)
    path = write_czi(tmp_path / "a.czi", [({"X": x, "Y": 0, "M": x}, tile) for x in (0, 15)])
    with pytest.warns(FileNote, match="its tiles leave gaps, which are read as 0"):
        pixels = read_plane(path)
    assert pixels[0].tolist() == [7] * 10 + [0] * 5 + [7] * 10


def test_gaps_are_noted_where_other_tiles_overlap(tmp_path):
    tile = np.full((10, 10), 7, np.uint8)
    places = [(0, 0), (5, 0), (0, 5), (10, 0), (0, 10), (5, 5)]
    blocks = [({"X": x, "Y": y, "M": m}, tile) for m, (x, y) in enumerate(places)]
    with pytest.warns(FileNote, match="its tiles leave gaps"):
        assert read_plane(write_czi(tmp_path / "a.czi", blocks))[15:, 15:].max() == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_plane(write_czi(tmp_path / "b.czi", [*blocks, ({"X": 10, "Y": 10, "M": 6}, tile)]))


def test_reduced_copies_of_a_pyramid_are_not_read(tmp_path):
    pixels = noise((40, 50))
    blocks = [({"X": 0, "Y": 0}, pixels), ({"X": 0, "Y": 0}, pixels[::2, ::2])]
    path = write_czi(tmp_path / "a.czi", blocks, reduced=[1])
    assert (read_plane(path) == pixels).all()


def test_planes_that_were_not_recorded_are_an_error(tmp_path):
    blocks = [block for block in stack_blocks(noise((1, 1, 4, 8, 9))) if block[0]["Z"] != 2]
    path = write_czi(tmp_path / "a.czi", blocks)
    assert "1 of 4 planes is missing" in read_error(path)
    assert read_plane(path, plane=3).shape == (8, 9)


def test_axes_may_be_named(tmp_path):
    stack = noise((1, 1, 3, 8, 9))
    path = write_czi(tmp_path / "a.czi", stack_blocks(stack))
    assert (np.stack(read_planes(path, axes="YXZ")) == np.moveaxis(stack[0, 0], 2, 0)).all()
    assert (np.stack(read_planes(path, axes="TXY")) == np.swapaxes(stack[0, 0], 1, 2)).all()


def test_types_that_differ_are_an_error(tmp_path):
    blocks = [({"X": 0, "Y": 0, "C": c}, noise((8, 9), kind)) for c, kind in enumerate(("u1", "u2"))]
    assert "export its channels as OME-TIFF" in read_error(write_czi(tmp_path / "a.czi", blocks))


def test_a_claim_of_more_pixels_than_the_file_can_hold_is_refused(tmp_path):
    blocks = [({"X": x, "Y": x}, noise((8, 9))) for x in (0, 2**30)]
    assert "which is implausible" in read_error(write_czi(tmp_path / "a.czi", blocks))
    blocks = [({"X": 0, "Y": 0, "T": t}, noise((8, 9))) for t in (0, 2**30)]
    assert "planes" in read_error(write_czi(tmp_path / "b.czi", blocks))


def test_files_are_found_and_known_by_their_content(tmp_path):
    pixels = noise((8, 9))
    write_czi(tmp_path / "a.CZI", [({"X": 0, "Y": 0}, pixels)])
    assert [item.path.name for item in find([tmp_path])] == ["a.CZI"]
    (tmp_path / "a.CZI").rename(tmp_path / "b.dat")
    assert (read_plane(tmp_path / "b.dat") == pixels).all()


def test_damaged_files_are_an_error_of_one_line_or_read(tmp_path):
    path = write_czi(tmp_path / "a.czi", stack_blocks(noise((2, 1, 2, 9, 10))), (1, 1), compression=6)
    assert faults_of_damaged_copies(path) == []
