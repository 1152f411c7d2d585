"""Arrays in memory are read as files of the same pixels are."""

import numpy as np
import pytest
import tifffile
from helpers.reading import noise
from hypothesis import given
from hypothesis import strategies as st

from beadctl.errors import ImageError
from beadctl.images import ReadOptions, open_array, open_image


def planes(image):
    found = []
    for plane in image.planes:
        with plane.open() as pixels:
            found.append(pixels.read_all())
    return found


class Named:
    """An array that names its axes, as those of xarray do."""

    def __init__(self, pixels, dims):
        self.pixels, self.dims = pixels, dims

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.pixels, dtype)


@given(st.permutations("TCZYX"), st.integers(0, 1), st.sampled_from(["u1", ">u2", "f4", "?"]))
def test_planes_do_not_depend_on_the_order_of_the_axes(order, channel, dtype):
    pixels = noise((2, 2, 3, 5, 7), "u1").astype(dtype)
    moved = np.transpose(pixels, ["TCZYX".index(axis) for axis in order])
    axes = "".join(order)
    named = open_array(Named(moved, tuple(axes.lower())), ReadOptions(channel=channel))
    image = open_array(moved, ReadOptions(axes=axes, channel=channel))
    assert [plane.position for plane in named.planes] == [plane.position for plane in image.planes]
    # The planes come in stored order, so that T and Z may change places.
    found = {plane.position: pixels for plane, pixels in zip(image.planes, planes(image), strict=True)}
    assert len(found) == 6
    for t in range(2):
        for z in range(3):
            first, second = (
                (f"T={t}", f"Z={z}") if axes.index("T") < axes.index("Z") else (f"Z={z}", f"T={t}")
            )
            np.testing.assert_array_equal(found[f"{first} {second}"], pixels[t, channel, z])


@pytest.mark.parametrize(
    ("shape", "axes"), [((20, 30), None), ((20, 30, 3), "YXS"), ((4, 20, 30), "ZYX"), ((2, 20, 30), "CYX")]
)
def test_an_array_is_a_file_of_its_pixels(tmp_path, shape, axes):
    pixels = noise(shape, "u2")
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb" if axes == "YXS" else "minisblack")
    options = ReadOptions(axes=axes, channel=1 if axes == "CYX" else None, pixel_size_um=0.5)
    file, array = open_image(tmp_path / "a.tif", options), open_array(pixels, options)
    assert (file.conversion, file.pixel_size_um) == (array.conversion, array.pixel_size_um)
    for one, other in zip(planes(file), planes(array), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


def test_the_array_is_not_changed_and_not_shared():
    pixels = noise((6, 8), "u1")
    before = pixels.copy()
    (read,) = planes(open_array(pixels))
    read[:] = 0
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (
            np.zeros((5, 6, 3)),
            {},
            "5 x 6 x 3 does not name its axes (YXS for RGB); name the 3 axes with --axes",
        ),
        (np.zeros((5, 6, 2)), {"axes": "YXC"}, "has 2 channels; choose one with --channel 0..1"),
        (np.zeros((5, 6)), {"axes": "ZYX"}, "one letter an axis is needed"),
        (np.zeros((5, 6)), {"plane": 1}, "has one plane; leave --plane out"),
        (np.zeros((5, 6)), {"series": 1}, "has one series; leave --series out"),
        (np.zeros((0, 6)), {}, "has the shape (0 x 6) and no plane"),
        ([1, 2, 3], {}, "has the shape (3) and no plane"),
        (None, {}, "holds object and no real numbers"),
        (np.zeros((5, 6), complex), {}, "holds complex128 and no real numbers"),
    ],
)
def test_what_is_no_plane_is_one_line(array, options, message):
    with pytest.raises(ImageError) as error:
        open_array(array, ReadOptions(**options))
    assert message in str(error.value)
    assert str(error.value).startswith("array: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dtype", ["u1", ">u2", "u4", "f4", "?"])
def test_masked_elements_are_nan(dtype):
    pixels = noise((12, 9), "u1").astype(dtype)
    mask = np.zeros((12, 9), bool)
    (plain,) = planes(open_array(np.ma.array(pixels, mask=mask)))
    assert plain.dtype == np.dtype(dtype).newbyteorder("=")
    mask[:4, 2:] = True
    (masked,) = planes(open_array(np.ma.array(pixels, mask=mask)))
    assert np.isnan(masked[mask]).all()
    np.testing.assert_array_equal(masked[~mask], pixels[~mask])
