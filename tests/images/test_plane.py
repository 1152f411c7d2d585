"""Reads of open planes by windows."""

import pickle

import imagecodecs
import numpy as np
import pytest
import tifffile
from helpers.reading import noise
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beadctl import scratch
from beadctl.images import ReadOptions, Window, intensities_of, open_image

LAYOUTS = {
    "contiguous": {},
    "big-endian": {"byteorder": ">"},
    "strips": {"rowsperstrip": 7, "compression": "zlib"},
    "tiles": {"tile": (16, 32), "compression": "zstd"},
    "one strip": {"rowsperstrip": 1000, "compression": "lzw"},
    "plain tiles": {"tile": (32, 16)},
}


@pytest.fixture(scope="module")
def image_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("windows")
    files = {}
    for name, layout in LAYOUTS.items():
        for planar in ("grey", "contig", "separate"):
            image = noise((61, 83) if planar == "grey" else (61, 83, 3))
            stored = np.moveaxis(image, -1, 0) if planar == "separate" else image
            rgb = {} if planar == "grey" else {"photometric": "rgb", "planarconfig": planar}
            path = folder / f"{name} {planar}.tif"
            tifffile.imwrite(path, stored, **layout, **rgb)
            files[name, planar] = path
    path = folder / "a.png"
    path.write_bytes(imagecodecs.png_encode(noise((61, 83))))
    files["png", "grey"] = path
    return files


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_window_equals_slice_of_whole_plane(image_files, data):
    path = image_files[data.draw(st.sampled_from(sorted(image_files)))]
    axes = data.draw(st.sampled_from([None, "transposed"]))
    opened = open_image(path)
    if axes:
        opened = open_image(path, ReadOptions(axes=opened.axes.translate(str.maketrans("YX", "XY"))))
    (plane,) = opened.planes
    with plane.open() as pixels:
        whole = pixels.read_all()
        assert whole.shape == (pixels.height, pixels.width)
        assert whole.dtype == plane.dtype
    with plane.open() as pixels:
        for _ in range(3):
            top, left = (
                data.draw(st.integers(0, plane.height - 1)),
                data.draw(st.integers(0, plane.width - 1)),
            )
            window = Window(
                top,
                left,
                data.draw(st.integers(1, plane.height - top)),
                data.draw(st.integers(1, plane.width - left)),
            )
            np.testing.assert_array_equal(pixels.read(window), whole[window.slices])


def test_changing_a_result_does_not_change_the_next_read(image_files):
    for path in image_files.values():
        with open_image(path).planes[0].open() as pixels:
            window = Window(3, 4, 5, 6)
            before = pixels.read(window).copy()
            pixels.read(window)[:] = 0
            np.testing.assert_array_equal(pixels.read(window), before)


@pytest.mark.parametrize(
    "window", [Window(0, 0, 62, 10), Window(-1, 0, 5, 5), Window(0, 80, 5, 4), Window(5, 5, 0, 5)]
)
def test_window_outside_the_plane_is_a_value_error(image_files, window):
    with (
        open_image(image_files["tiles", "grey"]).planes[0].open() as pixels,
        pytest.raises(ValueError, match="inside"),
    ):
        pixels.read(window)


def test_pickled_plane_reads_the_same_pixels(image_files):
    for path in image_files.values():
        plane = open_image(path).planes[0]
        with plane.open() as here, pickle.loads(pickle.dumps(plane)).open() as there:
            np.testing.assert_array_equal(here.read_all(), there.read_all())


def test_file_can_be_removed_after_reading(tmp_path, image_files):
    for path in image_files.values():
        copy = tmp_path / path.name
        copy.write_bytes(path.read_bytes())
        with open_image(copy).planes[0].open() as pixels:
            pixels.read_all()
        copy.unlink()


@pytest.mark.parametrize(
    ("shape", "photometric"), [((40, 30), "minisblack"), ((40, 30), "miniswhite"), ((40, 30, 3), "rgb")]
)
def test_a_plane_read_in_bands_is_that_read_at_once(tmp_path, monkeypatch, shape, photometric):
    pixels = np.random.default_rng(3).integers(0, 256, shape).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric=photometric, rowsperstrip=7)
    (plane,) = open_image(tmp_path / "a.tif").planes

    def found():
        with plane.open() as opened:
            image = opened.read_all()
            return image, intensities_of(opened, image)

    image, measured = found()
    bands = scratch.bands
    monkeypatch.setattr(scratch, "bands", lambda height, width: bands(height, width, px=90))
    in_bands, measured_in_bands = found()
    np.testing.assert_array_equal(in_bands, image)
    np.testing.assert_array_equal(measured_in_bands.values, measured.values)
    assert (measured_in_bands.saturated is None) == (measured.saturated is None) == (photometric != "rgb")
    if photometric == "rgb":
        np.testing.assert_array_equal(measured.saturated, (pixels == 255).any(axis=2))
        np.testing.assert_array_equal(measured_in_bands.saturated, measured.saturated)
