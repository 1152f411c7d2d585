"""Leica LIF files; the extra `formats` is needed."""

import pickle

import numpy as np
import pytest
from helpers.damage import faults_of_damaged_copies
from helpers.lif import write_lif
from helpers.reading import BT709, noise, read_error, read_plane, read_planes

from beadctl.images import ReadOptions, Window, find, open_image

liffile = pytest.importorskip("liffile", reason="liffile is not installed (extra formats)")


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("channel", [0, 1])
def test_planes_of_a_channel_by_time_and_depth(tmp_path, dtype, channel):
    stack = noise((2, 3, 2, 40, 50), dtype)
    size = {"X": 2e-7, "Y": 2e-7, "Z": 1.5e-6}
    path = write_lif(tmp_path / "a.lif", [("one", "TZCYX", stack)], size)
    image = open_image(path, ReadOptions(channel=channel))
    assert (image.axes, image.shape, image.dtype) == ("TZCYX", (2, 3, 2, 40, 50), stack.dtype)
    assert [plane.position for plane in image.planes] == [f"T={t} Z={z}" for t in (0, 1) for z in (0, 1, 2)]
    assert image.pixel_size_um == pytest.approx(0.2)
    assert {round(plane.z_step_um, 9) for plane in image.planes} == {1.5}
    assert (np.stack(read_planes(path, channel=channel)) == stack[:, :, channel].reshape(6, 40, 50)).all()
    assert "has 2 channels; choose one with --channel 0..1" in read_error(path)


def test_channels_outside_the_stack(tmp_path):
    stack = noise((2, 3, 40, 50))
    path = write_lif(tmp_path / "a.lif", [("one", "CZYX", stack)])
    assert (np.stack(read_planes(path, channel=1)) == stack[1]).all()


@pytest.mark.parametrize("tags", [[1, 2, 3], [3, 2, 1]])
def test_colours_are_red_green_blue(tmp_path, tags):
    pixels = noise((20, 30, 3), "u1")
    path = write_lif(tmp_path / "a.lif", [("one", "YXS", pixels)], channel_tags=tags)
    assert open_image(path).conversion == "luminance of RGB"
    assert read_plane(path) == pytest.approx(pixels[..., :: 1 if tags[0] == 1 else -1] @ BT709, rel=1e-4)


def test_images_are_series_of_their_own_size_and_name(tmp_path):
    pixels = [noise((40, 50)), noise((2, 30, 20), "u1")]
    images = [("Series001", "YX", pixels[0]), ("stack", "ZYX", pixels[1])]
    path = write_lif(tmp_path / "a.lif", images)
    with pytest.warns(Warning, match=r"planes differ in size: 1 plane of 40 x 50 px, 2"):
        image = open_image(path)
    assert [plane.position for plane in image.planes] == ["series=0", "series=1 Z=0", "series=1 Z=1"]
    assert [one.title for one in image.series] == ["Series001", "stack"]
    assert (read_plane(path, series=0) == pixels[0]).all()
    assert (np.stack(read_planes(path, series=1)) == pixels[1]).all()
    assert "has 2 series; choose one with --series 0..1" in read_error(path, series=2)


def test_images_of_one_name_are_all_read_or_an_error(tmp_path):
    """liffile before 2026.10.3 has only one of them."""
    pixels = [noise((8, 9), seed=seed) for seed in (1, 2)]
    path = write_lif(tmp_path / "a.lif", [("one", "YX", one) for one in pixels])
    with liffile.LifFile(path) as lif:
        kept = len(lif.images)
    if kept < len(pixels):
        assert "several of its images have the same name" in read_error(path)
    else:
        np.testing.assert_array_equal(read_planes(path), pixels)


def test_windows_are_read_of_a_pickled_plane(tmp_path):
    stack = noise((3, 40, 50))
    plane = open_image(write_lif(tmp_path / "a.lif", [("one", "ZYX", stack)])).planes[2]
    with pickle.loads(pickle.dumps(plane.source)).open() as samples:
        assert (samples.read(Window(7, 30, 20, 15))[0] == stack[2, 7:27, 30:45]).all()


def test_planes_across_the_stack_are_refused_or_named(tmp_path):
    path = write_lif(tmp_path / "a.lif", [("xz", "ZX", noise((8, 9))), ("xy", "YX", noise((8, 9)))])
    assert "not planes of Y by X" in read_error(path)
    assert read_plane(path, series=1).shape == (8, 9)


def test_a_file_that_ends_early_is_an_error(tmp_path):
    path = write_lif(tmp_path / "a.lif", [("one", "YX", noise((40, 50)))])
    path.write_bytes(path.read_bytes()[:-100])
    assert "damaged or truncated" in read_error(path)


def test_files_are_found_and_known_by_their_content(tmp_path):
    pixels = noise((8, 9))
    write_lif(tmp_path / "a.LIF", [("one", "YX", pixels)])
    assert [item.path.name for item in find([tmp_path])] == ["a.LIF"]
    (tmp_path / "a.LIF").rename(tmp_path / "b.dat")
    assert (read_plane(tmp_path / "b.dat") == pixels).all()


def test_damaged_files_are_an_error_of_one_line_or_read(tmp_path):
    path = write_lif(tmp_path / "a.lif", [("one", "ZYX", noise((2, 9, 10))), ("two", "YX", noise((9, 10)))])
    assert faults_of_damaged_copies(path) == []
