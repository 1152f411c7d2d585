"""Projections of Z stacks: against numpy, over axes, and what is refused."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from beadctl.counting.stacks import Projection
from beadctl.errors import ImageError
from beadctl.images import ReadOptions, intensities_of, open_image, saturated_pixels


def read(path, how, **options):
    image = open_image(path, ReadOptions(projection=Projection(how), **options))
    found = []
    for plane in image.planes:
        with plane.open() as pixels:
            found.append(pixels.read_all())
    return image, found


@pytest.fixture
def stack():
    return np.random.default_rng(0).integers(0, 60000, (2, 5, 40, 50)).astype(np.uint16)


@pytest.mark.parametrize("how", ["max", "mean"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_each_time_has_a_projection_of_its_own(tmp_path, stack, how, compression):
    path = tmp_path / "stack.ome.tif"
    metadata = {"axes": "TZYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5}
    tifffile.imwrite(path, stack, metadata=metadata, compression=compression)
    image, found = read(path, how)
    expected = getattr(stack.astype(np.float64), how)(axis=1)
    for plane, pixels, time in zip(image.planes, found, expected, strict=True):
        np.testing.assert_allclose(pixels, time, rtol=1e-6)
        assert pixels.dtype == plane.dtype == (np.uint16 if how == "max" else np.float32)
    assert [plane.position for plane in image.planes] == ["T=0", "T=1"]
    assert [plane.index for plane in image.planes] == [0, 5]
    assert {plane.pixel_size_um for plane in image.planes} == {0.5}


def test_a_window_is_that_of_the_whole(tmp_path, stack):
    tifffile.imwrite(tmp_path / "a.tif", stack[0], imagej=True, metadata={"axes": "ZYX"})
    from beadctl.images import Window

    (plane,) = open_image(tmp_path / "a.tif", ReadOptions(projection=Projection.MAX)).planes
    with plane.open() as pixels:
        np.testing.assert_array_equal(pixels.read(Window(3, 4, 10, 20)), stack[0].max(0)[3:13, 4:24])


def test_the_sharpest_plane_is_the_one_in_focus(tmp_path):
    rng = np.random.default_rng(1)
    sharp = np.zeros((120, 120))
    sharp[tuple(rng.integers(5, 115, (2, 30)))] = 3000
    planes = [ndimage.gaussian_filter(sharp, sigma) * sigma**2 for sigma in (4, 3, 1.5, 3, 4)]
    noisy = [plane + rng.normal(100, 2, plane.shape) for plane in planes]
    tifffile.imwrite(tmp_path / "a.tif", np.array(noisy, np.float32), imagej=True, metadata={"axes": "ZYX"})
    image, (pixels,) = read(tmp_path / "a.tif", "sharpest")
    assert [(plane.index, plane.position) for plane in image.planes] == [(2, "")]
    np.testing.assert_array_equal(pixels, np.float32(noisy[2]))


def test_bad_pixels_do_not_make_the_brightest_plane_the_sharpest(tmp_path):
    rng = np.random.default_rng(1)
    discs = np.zeros((90, 120))
    discs[20:35, 20:35] = discs[50:65, 70:85] = 60
    levels = ((4, 106), (2, 104), (0.7, 100), (2, 98), (4, 96))
    planes = [
        ndimage.gaussian_filter(discs, sigma) + rng.normal(level, 2, discs.shape) for sigma, level in levels
    ]
    stack = np.array(planes, np.float32)
    stack[:, rng.random(discs.shape) < 0.01] = np.nan
    stack[4] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    image, _ = read(tmp_path / "a.tif", "sharpest")
    assert [plane.index for plane in image.planes] == [2]


@pytest.mark.parametrize("how", list(Projection))
def test_what_is_no_z_stack_stays_as_it_is(tmp_path, stack, how):
    tifffile.imwrite(tmp_path / "time.tif", stack[0], imagej=True, metadata={"axes": "TYX"})
    tifffile.imwrite(tmp_path / "one.tif", stack[0, 0])
    for name, planes in (("time.tif", stack[0]), ("one.tif", stack[0, :1])):
        image, found = read(tmp_path / name, how)
        np.testing.assert_array_equal(np.stack(found), planes)
        assert [plane.index for plane in image.planes] == list(range(len(planes)))


@pytest.mark.parametrize("planes", [9, 11])
@pytest.mark.parametrize("top", [255, 1023, 65535])
def test_pixels_that_all_planes_saturate_are_saturated_in_the_mean(tmp_path, planes, top):
    stack = np.random.default_rng(3).integers(0, top - 1, (planes, 20, 30)).astype(np.uint16)
    stack[:, 5:9, 5:9] = top
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    _, (pixels,) = read(tmp_path / "a.tif", "mean")
    np.testing.assert_array_equal(saturated_pixels([pixels]), (stack == top).all(0))


@pytest.mark.parametrize("how", ["max", "mean"])
def test_a_pixel_without_a_value_in_one_plane_has_none(tmp_path, stack, how):
    planes = stack[0].astype(np.float32)
    planes[0, 3, 4] = planes[2, 5, 6] = planes[4, 7, 8] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", planes, imagej=True, metadata={"axes": "ZYX"})
    _, (pixels,) = read(tmp_path / "a.tif", how)
    assert np.argwhere(np.isnan(pixels)).tolist() == [[3, 4], [5, 6], [7, 8]]


def test_colours_are_projected_as_luminance(tmp_path):
    colours = np.random.default_rng(2).integers(0, 255, (3, 30, 40, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "rgb.tif", colours, imagej=True, metadata={"axes": "ZYXS"})
    _, (pixels,) = read(tmp_path / "rgb.tif", "max")
    np.testing.assert_allclose(pixels, (colours @ np.array([0.2126, 0.7152, 0.0722])).max(0), rtol=1e-5)


def test_pages_whose_axis_has_no_name_are_refused(tmp_path, stack):
    tifffile.imwrite(tmp_path / "pages.tif", stack[0], metadata=None)
    with pytest.raises(ImageError, match="name the axes with --axes, such as ZYX"):
        read(tmp_path / "pages.tif", "max")
    assert len(read(tmp_path / "pages.tif", "max", axes="ZYX")[1]) == 1
    assert len(read(tmp_path / "pages.tif", "max", axes="TYX")[1]) == 5


@pytest.mark.parametrize("how", list(Projection))
def test_a_plane_that_cannot_be_decoded_is_named_and_costs_its_own_stack_alone(tmp_path, stack, how):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, stack, metadata={"axes": "TZYX"}, compression="zlib")
    with tifffile.TiffFile(path) as file:
        start = file.pages[3].dataoffsets[0]
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xff" * 200)
    bad, good = open_image(path, ReadOptions(projection=how)).planes
    assert (bad.index, bad.position, good.position) == (0, "T=0", "T=1")
    with pytest.raises(ImageError, match=r"a\.ome\.tif: its plane 3: damaged"), bad.open() as pixels:
        pixels.read_all()
    with good.open() as pixels:
        assert pixels.read_all().shape == (40, 50)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("how", ["max", "mean"])
def test_where_zero_is_white_the_least_stored_values_are_the_brightest_and_are_measured(
    tmp_path, stack, how, dtype
):
    stored = stack[0].astype(dtype)
    tifffile.imwrite(tmp_path / "a.ome.tif", stored, photometric="miniswhite", metadata={"axes": "ZYX"})
    (plane,) = open_image(tmp_path / "a.ome.tif", ReadOptions(projection=Projection(how))).planes
    with plane.open() as pixels:
        shown = pixels.read_all()
        measured = intensities_of(pixels, shown).values
    expected = stored.min(0) if how == "max" else stored.mean(0, np.float64)
    np.testing.assert_allclose(measured, expected, rtol=1e-6)
    order = np.argsort(expected, axis=None)
    assert np.diff(shown.ravel()[order].astype(float)).max() < 0.01


SIDE = 10_240
PROJECT = """
import resource, sys
from pathlib import Path
from beadctl import scratch
from beadctl.counting.stacks import Projection
from beadctl.images import ReadOptions, open_image

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

# As for planes so large that all are files.
scratch.keep_in_memory(0)
(plane,) = open_image(Path(sys.argv[1]), ReadOptions(projection=Projection.MEAN)).planes
before = peak_mb()
with plane.open():
    print(peak_mb() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep pages that were given back")
def test_the_projection_of_large_planes_is_not_in_memory(tmp_path):
    path, tile = tmp_path / "large.ome.tif", np.arange(256 * 256, dtype=np.uint16).reshape(256, 256)
    tifffile.imwrite(
        path,
        (tile for _ in range(2 * (SIDE // 256) ** 2)),
        shape=(2, SIDE, SIDE),
        dtype=tile.dtype,
        tile=tile.shape,
        compression="zlib",
        metadata={"axes": "ZYX"},
    )
    done = subprocess.run(
        [sys.executable, "-c", PROJECT, str(path)],
        capture_output=True,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    # Of the mean, which has 4 bytes a pixel.
    assert float(done.stdout) < 4 * SIDE**2 / 2**20, done.stdout
