"""What is written of a plane, read back by others."""

from pathlib import Path, PurePosixPath
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from helpers.segmented import plane_of, segmented
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from beadctl.images import open_image
from beadctl.results import formats, stack_tiff
from beadctl.results.formats import Output, format_of, masks, overlays, probability


def write_masks(path, planes, pixel_size_um, positions=None, z_step_um=None):
    """Write label images as a run does."""
    positions = positions or [f"Z={number}" for number in range(len(planes))]
    encoded = [
        masks.encode(labels, segmented(labels), plane_of(labels, position, pixel_size_um, z_step_um))
        for labels, position in zip(planes, positions, strict=True)
    ]
    masks.write([path], encoded)


def test_every_output_is_a_file_and_every_file_an_output():
    files = {path.stem for path in Path(formats.__file__).parent.glob("*.py") if path.stem != "__init__"}
    assert files == {output.value for output in Output}
    for output in Output:
        one, *more = format_of(output).paths(PurePosixPath("deep/a.ome.tif"), 1)
        assert more == []
        assert (one.parts[:2], one.name[0]) == ((output.value, "deep"), "a")


@settings(max_examples=30, deadline=None)
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
    monkeypatch.setattr(stack_tiff, "STRIPS_PX", 600 * 700)
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


def test_the_map_of_the_network_is_written_like_label_images(tmp_path):
    maps = np.random.default_rng(2).integers(0, 256, (3, 40, 50), np.uint8)
    encoded = [
        probability.encode(
            one, segmented(np.zeros(one.shape, np.uint32), None, one), plane_of(one, f"Z={z}", 0.5)
        )
        for z, one in enumerate(maps)
    ]
    probability.write([tmp_path / "a_probability.tif"], encoded)
    image = open_image(tmp_path / "a_probability.tif")
    assert {(plane.pixel_size_um, plane.dtype) for plane in image.planes} == {(0.5, np.dtype(np.uint8))}
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a_probability.tif"), maps)


def test_colours_of_outlines_tell_flags_and_the_legend_how_many():
    image, labels = discs(9, 160, 200)
    labels = labels.astype(np.uint32)
    labels[0:8, 0:8] = 10
    certain = np.full(labels.shape, 250, np.uint8)
    certain[labels == 4] = 99
    found = segmented(labels, image, certain)
    assert found.table.flags[3] == "low-confidence"
    assert "border" in found.table.flags[9]
    picture = overlays.encode(image, found, plane_of(labels, pixel_size_um=0.5))
    assert picture.shape[1] == 200
    assert picture.shape[0] > 160
    rows = {label: set(picture[:160][labels == label].tolist()) for label in range(1, 11)}
    colours = {
        label: {row - overlays.GREYS for row in some if row >= overlays.GREYS} for label, some in rows.items()
    }
    assert colours[4] == {overlays.FLAGGED["low-confidence"]}
    assert colours[10] == {overlays.FLAGGED["border"]}
    assert all(len(colours[label]) == 1 and colours[label] < set(overlays.PLAIN) for label in (1, 2, 3, 5, 9))
    below = set(picture[160:].ravel().tolist())
    assert {overlays.GREYS + row for row in (3, 4, *overlays.PLAIN)} == {
        r for r in below if r >= overlays.GREYS
    }


def test_numbers_are_written_where_beads_are_few(monkeypatch):
    image, labels = discs(9, 160, 200)
    found, plane = segmented(labels.astype(np.uint32), image), plane_of(labels)
    few = overlays.encode(image, found, plane)[:160].astype(int)
    monkeypatch.setattr(overlays, "FEW", 8)
    many = overlays.encode(image, found, plane)[:160]
    np.testing.assert_array_equal(many < overlays.GREYS, overlays.paint(image, found.labels) < overlays.GREYS)
    changed = np.argwhere(few != many)
    # Beside each bead, and nowhere else: a number is wider than a bead of 10 px.
    middles = np.column_stack((found.table.y_px, found.table.x_px))
    distance_px = np.linalg.norm(changed[:, None] - middles, axis=-1)
    assert set(distance_px.argmin(axis=1)) == set(range(9))
    assert distance_px.min(axis=1).max() < 20


def test_large_planes_have_numbers_and_a_scale_of_their_thinned_picture():
    labels = np.zeros((20, 8200), np.uint32)
    labels[4:16, 8000:8012] = 1
    picture = overlays.encode(np.zeros(labels.shape, np.uint8), segmented(labels), plane_of(labels, "", 0.5))
    assert picture.shape[1] == 2734
    assert picture.shape[0] > 7
    assert (picture[7:] == overlays.WHITE).any(axis=0).sum() > 500
