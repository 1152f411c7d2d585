"""Nikon ND2 files; the extra `formats` is needed."""

import pickle

import numpy as np
import pytest
from helpers.damage import faults_of_damaged_copies
from helpers.nd2 import POSITIONS, STACK, TIME, write_nd2
from helpers.reading import BT709, noise, read_error, read_plane, read_planes

from beadctl.images import ReadOptions, Window, find, open_image

nd2 = pytest.importorskip("nd2", reason="nd2 is not installed (extra formats)")


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("padding", [0, 8])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_planes_of_a_channel_by_time_and_depth(tmp_path, dtype, padding, is_compressed):
    chunks = noise((6, 40, 50, 2), dtype)
    path = write_nd2(
        tmp_path / "a.nd2", chunks, [(TIME, 2), (STACK, 3)], 0.2, 1.5,
        padding=padding, is_compressed=is_compressed,
    )  # fmt: skip
    image = open_image(path, ReadOptions(channel=1))
    assert (image.axes, image.shape, image.dtype) == ("TZCYX", (2, 3, 2, 40, 50), chunks.dtype)
    assert [plane.position for plane in image.planes] == [f"T={t} Z={z}" for t in (0, 1) for z in (0, 1, 2)]
    assert image.pixel_size_um == pytest.approx(0.2)
    assert {plane.z_step_um for plane in image.planes} == {1.5}
    assert (np.stack(read_planes(path, channel=1)) == chunks[..., 1]).all()
    assert "has 2 channels; choose one with --channel 0..1" in read_error(path)


def test_planes_are_those_of_the_library(tmp_path):
    path = write_nd2(tmp_path / "a.nd2", noise((6, 8, 9, 2)), [(TIME, 2), (STACK, 3)], 0.2, 1.5)
    with nd2.ND2File(path) as opened:
        assert dict(opened.sizes) == {"T": 2, "Z": 3, "C": 2, "Y": 8, "X": 9}
        stack = opened.asarray()
    assert (np.stack(read_planes(path, channel=0)) == stack[:, :, 0].reshape(6, 8, 9)).all()


def test_positions_are_series(tmp_path):
    chunks = noise((6, 8, 9, 1))
    path = write_nd2(tmp_path / "a.nd2", chunks, [(TIME, 2), (POSITIONS, 3)])
    image = open_image(path)
    assert [plane.position for plane in image.planes] == [
        f"series={p} T={t}" for p in (0, 1, 2) for t in (0, 1)
    ]
    assert image.pixel_size_um is None
    assert (np.stack(read_planes(path, series=1)) == chunks[[1, 4], ..., 0]).all()
    assert "has 3 series; choose one with --series 0..2" in read_error(path, series=3)
    with pickle.loads(pickle.dumps(image.planes[5].source)).open() as samples:
        assert (samples.read(Window(2, 3, 4, 5))[0] == chunks[5, 2:6, 3:8, 0]).all()


def test_colours_are_red_green_blue(tmp_path):
    pixels = noise((1, 20, 30, 3), "u1")
    path = write_nd2(tmp_path / "a.nd2", pixels, colours=True)
    assert open_image(path).conversion == "luminance of RGB"
    assert read_plane(path) == pytest.approx(pixels[0] @ BT709, rel=1e-4)


def test_three_channels_are_no_colours(tmp_path):
    path = write_nd2(tmp_path / "a.nd2", noise((1, 20, 30, 3), "u1"))
    assert "has 3 channels; choose one with --channel 0..2" in read_error(path)


def test_planes_that_were_not_recorded_are_an_error(tmp_path):
    chunks = noise((4, 8, 9, 1))
    path = write_nd2(tmp_path / "a.nd2", chunks, [(TIME, 4)], left_out=[3])
    assert "1 of 4 planes is missing" in read_error(path)
    assert (read_plane(path, plane=2) == chunks[2, ..., 0]).all()


def test_more_pixels_than_the_file_can_hold_are_refused(tmp_path):
    path = write_nd2(tmp_path / "a.nd2", np.zeros((1, 8192, 8192, 2), np.uint8), is_compressed=True)
    assert read_plane(path, channel=0).shape == (8192, 8192)
    content = path.read_bytes()
    key = "uiHeight\0".encode("utf-16-le")
    assert content.count(key) == 1
    at = content.index(key) + len(key)
    path.write_bytes(content[:at] + (2**20).to_bytes(4, "little") + content[at + 4 :])
    assert "which is implausible" in read_error(path, channel=0)


def test_files_are_found_and_known_by_their_content(tmp_path):
    pixels = noise((1, 8, 9, 1))
    write_nd2(tmp_path / "a.ND2", pixels)
    assert [item.path.name for item in find([tmp_path])] == ["a.ND2"]
    (tmp_path / "a.ND2").rename(tmp_path / "b.dat")
    assert (read_plane(tmp_path / "b.dat") == pixels[0, ..., 0]).all()


def test_damaged_files_are_an_error_of_one_line_or_read(tmp_path):
    path = write_nd2(tmp_path / "a.nd2", noise((4, 9, 10, 1)), [(TIME, 2), (STACK, 2)], 0.2, 1.0)
    assert faults_of_damaged_copies(path) == []
