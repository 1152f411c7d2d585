"""Zeiss LSM and MetaMorph STK: TIFF files with tags of their own."""

import numpy as np
import pytest
from helpers.microscope_tiff import write_lsm, write_stk
from helpers.reading import noise, read_error

from beadctl.errors import FileNote
from beadctl.images import ReadOptions, find, open_image


def read_all(image):
    planes = []
    for plane in image.planes:
        with plane.open() as pixels:
            planes.append(pixels.read_all())
    return np.stack(planes)


@pytest.mark.parametrize("channels", [1, 3])
def test_lsm_planes_without_thumbnails(tmp_path, channels):
    stack = noise((3, channels, 40, 50))
    path = write_lsm(tmp_path / "a.lsm", stack)
    with pytest.warns(FileNote, match="side images: reduced copy"):
        image = open_image(path, ReadOptions(channel=channels - 1 if channels > 1 else None))
    assert [plane.position for plane in image.planes] == ["Z=0", "Z=1", "Z=2"]
    assert (read_all(image) == stack[:, -1]).all()
    assert image.pixel_size_um == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("voxel", "expected"), [((1e-7, 1e-7), 0.1), ((1e-7, 3e-7), None), ((0.0, 0.0), None)]
)
def test_lsm_pixel_size_is_in_metres(tmp_path, voxel, expected):
    path = write_lsm(tmp_path / "a.lsm", noise((2, 1, 20, 30)), (*voxel, 1e-6))
    with pytest.warns(FileNote):
        assert open_image(path).pixel_size_um == (pytest.approx(expected) if expected else None)


@pytest.mark.parametrize(
    ("size", "unit", "is_calibrated", "expected"),
    [
        ((0.325, 0.325), "um", True, 0.325), ((0.325, 0.325), "microns", True, 0.325),
        ((325, 325), "nm", True, 0.325), ((0.325, 0.5), "um", True, None), (None, "um", True, None),
        ((1, 1), "pixel", True, None), ((0.325, 0.325), "um", False, None),
    ],
)  # fmt: skip
def test_stk_pixel_size(tmp_path, size, unit, is_calibrated, expected):
    stack = noise((4, 20, 30))
    path = write_stk(tmp_path / "a.stk", stack, size, unit, is_calibrated)
    image = open_image(path)
    assert (read_all(image) == stack).all()
    assert image.pixel_size_um == (pytest.approx(expected) if expected else None)


def test_stk_and_lsm_in_a_folder_are_read(tmp_path):
    write_stk(tmp_path / "a.stk", noise((2, 20, 30)))
    write_lsm(tmp_path / "b.LSM", noise((2, 1, 20, 30)))
    assert [item.path.name for item in find([tmp_path])] == ["a.stk", "b.LSM"]


def test_truncated_stk_is_an_error(tmp_path):
    path = write_stk(tmp_path / "a.stk", noise((4, 20, 30)), (0.3, 0.3))
    content = bytearray(path.read_bytes())
    # The directory says 400 planes.
    at = content.rindex((33629).to_bytes(2, "little"))
    content[at + 4 : at + 8] = (400).to_bytes(4, "little")
    path.write_bytes(content)
    assert "damaged or truncated" in read_error(path)
