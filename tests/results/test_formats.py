"""What is written of a plane, read back by others."""

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from beadctl.images import Plane, open_image
from beadctl.results.formats import masks, overlays
from beadctl.segmentation.measure import measure
from beadctl.segmentation.plane import Segmented


def plane_of(labels, position="", pixel_size_um=None, z_step_um=None):
    """Return a plane of the size of a label image."""
    facts = {"source": None, "conversion": None, "z_step_um": z_step_um}
    return Plane(Path("a.tif"), 0, position, *labels.shape, labels.dtype, pixel_size_um, **facts)


def write_masks(path, planes, pixel_size_um, positions=None, z_step_um=None):
    """Write label images as a run does."""
    positions = positions or [f"Z={number}" for number in range(len(planes))]
    encoded = [
        masks.encode(
            labels,
            Segmented(labels, measure(labels)),
            plane_of(labels, position, pixel_size_um, z_step_um),
        )
        for labels, position in zip(planes, positions, strict=True)
    ]
    masks.write([path], encoded)


@given(
    st.lists(st.tuples(st.integers(1, 1100), st.integers(1, 700)), min_size=1, max_size=3), st.integers(0, 9)
)
def test_label_images_are_read_back(tmp_path_factory, shapes, seed):
    path = tmp_path_factory.mktemp("masks") / "a_masks.tif"
    rng = np.random.default_rng(seed)
    planes = [rng.integers(0, 2**32, shape, np.uint32, endpoint=False) for shape in shapes]
    write_masks(path, planes, 0.25)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_ome
        assert not any(page.is_tiled for page in tiff.pages)
        found = [
            plane for series in tiff.series for plane in series.asarray().reshape(-1, *series.shape[-2:])
        ]
    assert len(found) == len(planes)
    for plane, back in zip(planes, found, strict=True):
        assert back.dtype == np.uint32
        np.testing.assert_array_equal(back, plane)


@pytest.mark.parametrize("size", [0.325, None])
def test_label_images_carry_the_pixel_size(tmp_path, size):
    path = tmp_path / "a_masks.tif"
    write_masks(path, [np.eye(40, dtype=np.uint32)], size)
    image = open_image(path)
    assert image.pixel_size_um == (None if size is None else pytest.approx(size))
    assert image.dtype == np.uint32


def test_equal_planes_make_one_stack(tmp_path):
    path = tmp_path / "a_masks.tif"
    planes = [np.full((20, 30), value, np.uint32) for value in (1, 70_000, 3)]
    write_masks(path, planes, None)
    stack = tifffile.imread(path)
    assert stack.shape == (3, 20, 30)
    assert [int(plane.max()) for plane in stack] == [1, 70_000, 3]
    assert len(open_image(path).planes) == 3


@pytest.mark.parametrize(
    ("positions", "axes", "shape"),
    [
        (["T=0", "T=1", "T=2"], "TYX", (3, 40, 50)),
        (["Z=0", "Z=1"], "ZYX", (2, 40, 50)),
        ([f"T={t} Z={z}" for t in range(2) for z in range(3)], "TZYX", (2, 3, 40, 50)),
        (["T=0 Z=0", "T=1 Z=2"], "ZYX", (2, 40, 50)),
        (["I=0", "I=1"], "ZYX", (2, 40, 50)),
    ],
)
def test_a_stack_keeps_the_axes_of_its_source(tmp_path, positions, axes, shape):
    planes = [np.full((40, 50), number + 1, np.uint32) for number in range(len(positions))]
    write_masks(tmp_path / "a_masks.tif", planes, 0.5, positions)
    with tifffile.TiffFile(tmp_path / "a_masks.tif") as tiff:
        assert (tiff.series[0].axes, tiff.series[0].shape) == (axes, shape)
        assert [int(page.asarray().max()) for page in tiff.pages] == list(range(1, len(planes) + 1))


def ome_pixels(path):
    """Return the attributes of each OME Pixels element."""
    root = ET.fromstring(tifffile.tiffcomment(path).encode())
    return [element.attrib for element in root.iter() if element.tag.endswith("Pixels")]


@pytest.mark.parametrize(
    ("positions", "axes", "described"),
    [
        (["Z=0", "Z=1", "Z=2"], "ZYX", {"slices": 3, "spacing": 2.5}),
        ([f"T={t} Z={z}" for t in range(2) for z in range(3)], "TZYX", {"frames": 2, "slices": 3}),
        (["T=0", "T=1"], "TYX", {"frames": 2}),
        # The planes of a file without names of axes, in which ImageJ knows slices only.
        (["I=0", "I=1"], "ZYX", {"slices": 2}),
    ],
)
def test_a_stack_keeps_its_z_step(tmp_path, positions, axes, described):
    path = tmp_path / "a_masks.tif"
    planes = [np.full((40, 50), number + 1, np.uint32) for number in range(len(positions))]
    write_masks(path, planes, 0.5, positions, z_step_um=2.5)
    (pixels,) = ome_pixels(path)
    assert (float(pixels["PhysicalSizeZ"]), pixels["PhysicalSizeZUnit"]) == (2.5, "µm")
    with tifffile.TiffFile(path) as tiff:
        assert tiff.series[0].axes == axes
        facts = tiff.imagej_metadata
    expected = {"images": len(planes), "unit": "um", "spacing": 2.5, **described}
    assert {name: facts[name] for name in expected} == expected
    opened = open_image(path)
    assert {(plane.pixel_size_um, plane.z_step_um) for plane in opened.planes} == {(0.5, 2.5)}
    assert [plane.position for plane in opened.planes] == [p.replace("I=", "Z=") for p in positions]


@pytest.mark.parametrize(
    "positions",
    [["Z=0", "Z=1", "Z=3"], ["T=0 Z=0", "T=1 Z=2"], ["R=0 Z=0", "R=0 Z=1"]],
)
def test_uneven_or_unknown_distances_are_no_z_step(tmp_path, positions):
    path = tmp_path / "a_masks.tif"
    write_masks(path, [np.eye(40, dtype=np.uint32)] * len(positions), 0.5, positions, z_step_um=2.5)
    (pixels,) = ome_pixels(path)
    assert "PhysicalSizeZ" not in pixels
    assert {plane.z_step_um for plane in open_image(path).planes} == {None}


def test_a_z_step_without_a_pixel_size_is_kept(tmp_path):
    """In OME metadata: ImageJ has one unit for all axes."""
    path = tmp_path / "a_masks.tif"
    write_masks(path, [np.eye(40, dtype=np.uint32)] * 2, None, z_step_um=2.5)
    assert {(p.pixel_size_um, p.z_step_um) for p in open_image(path).planes} == {(None, 2.5)}


def test_series_of_a_file_stay_apart(tmp_path):
    path = tmp_path / "a_masks.tif"
    positions = [f"series={series} Z={z}" for series in range(2) for z in range(3)]
    planes = [np.full((40, 50), number + 1, np.uint32) for number in range(6)]
    write_masks(path, planes, 0.5, positions, z_step_um=2.5)
    with tifffile.TiffFile(path) as tiff:
        assert [(series.axes, series.shape) for series in tiff.series] == [("ZYX", (3, 40, 50))] * 2
    assert [plane.position for plane in open_image(path).planes] == positions


def test_huge_planes_are_tiled(tmp_path, monkeypatch):
    monkeypatch.setattr(masks, "STRIPS_PX", 600 * 700)
    labels = np.random.default_rng(1).integers(0, 2**32, (601, 700), np.uint32)
    write_masks(tmp_path / "a_masks.tif", [labels], 0.5)
    with tifffile.TiffFile(tmp_path / "a_masks.tif") as tiff:
        assert tiff.pages[0].is_tiled
        np.testing.assert_array_equal(tiff.asarray(), labels)


def test_outlines_lie_on_the_rims_and_nowhere_else(tmp_path):
    labels = np.zeros((40, 60), np.uint32)
    labels[10:20, 10:20] = 1
    labels[10:20, 20:30] = 2
    image = np.tile(np.arange(60, dtype=np.uint16) * 100, (40, 1))
    overlays.write([tmp_path / "a.png"], [overlays.paint(image, labels)])
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    assert picture.shape == (40, 60, 3)
    coloured = np.ptp(picture, axis=2) > 0
    wanted = np.zeros((40, 60), bool)
    for columns in (slice(10, 20), slice(20, 30)):
        wanted[10:20, columns] = True
    wanted[11:19, 11:19] = wanted[11:19, 21:29] = False
    np.testing.assert_array_equal(coloured, wanted)
    assert (picture[15, 19] != picture[15, 20]).any(), "neighbours differ"
    grey = picture[0, :, 0]
    assert (np.diff(grey) >= 0).all()
    assert grey[0] == 0
    assert grey[-1] >= 254


@pytest.mark.parametrize(
    "image",
    [
        np.full((9, 9), np.nan, np.float32),
        np.full((9, 9), np.inf, np.float64),
        np.array([[0, np.inf], [np.nan, 5]], np.float32),
        np.zeros((1, 1), bool),
        np.full((9, 9), -5, np.int16),
    ],
)
@pytest.mark.filterwarnings("error")
def test_any_pixels_make_a_picture(image):
    assert overlays.paint(image, np.zeros(image.shape, np.uint32)).shape == image.shape


def test_large_planes_are_thinned():
    assert overlays.paint(np.zeros((9000, 10), np.uint8), np.zeros((9000, 10), np.uint32)).shape == (3000, 4)
