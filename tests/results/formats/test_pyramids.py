"""Overlays of large planes, at several resolutions."""

import dataclasses
import itertools
from pathlib import PurePosixPath

import numpy as np
import pytest
import tifffile
from helpers.segmented import plane_of, segmented
from hypothesis import given
from hypothesis import strategies as st

from beadctl.results.formats import overlays, pyramids


def grid(height, width):
    """Return noise with squares of 12 px, and their labels."""
    labels = np.zeros((height, width), np.uint32)
    for number, (y, x) in enumerate(np.ndindex(height // 20, width // 20), start=1):
        labels[20 * y + 4 : 20 * y + 16, 20 * x + 4 : 20 * x + 16] = number
    noise = np.random.default_rng(5).integers(900, 1100, (height, width)).astype(np.uint16)
    return noise + np.uint16(800) * (labels > 0), labels


@given(height=st.integers(1, 10**5), width=st.integers(1, 10**5))
def test_resolutions_are_halved_down_to_one_tile(height, width):
    levels = pyramids.levels_of(height, width)
    assert (levels[0].height, levels[0].width) == (height, width)
    for finer, coarser in itertools.pairwise(levels):
        assert max(finer.height, finer.width) > pyramids.TILE_PX
        assert coarser.step == 2 * finer.step
    for level in levels:
        assert (level.height, level.width) == (
            len(range(0, height, level.step)),
            len(range(0, width, level.step)),
        )
    assert levels[-1].tiles == 1


@pytest.mark.parametrize("pixel_size_um", [None, 0.5])
def test_viewers_read_each_resolution(tmp_path, pixel_size_um):
    image, labels = grid(1100, 700)
    path = tmp_path / "a_pyramid.tif"
    plane = plane_of(labels, pixel_size_um=pixel_size_um)
    pyramids.write([path], [pyramids.encode(image, segmented(labels), plane)])
    colours, _ = overlays.coloured_beads(segmented(labels).table)
    greys = overlays.grey_range(image)
    with tifffile.TiffFile(path) as file:
        (series,) = file.series
        assert [level.shape for level in series.levels] == [(1100, 700, 3), (550, 350, 3), (275, 175, 3)]
        for level, step in zip(series.levels, (1, 2, 4), strict=True):
            thinned = image[::step, ::step], labels[::step, ::step]
            wanted = overlays.PALETTE[overlays.drawn(*thinned, None, greys, colours)].astype(int)
            # What JPEG loses.
            assert np.abs(level.asarray() - wanted).mean() < 8
            page = level.pages[0]
            assert page.is_tiled
            size_um = page.get_resolution("micrometer")[0] ** -1 if pixel_size_um else None
            assert size_um == (pixel_size_um and pytest.approx(pixel_size_um * step))
        assert ('PhysicalSizeX="0.5"' in file.ome_metadata) == (pixel_size_um == 0.5)


def test_rows_of_tiles_are_those_of_the_whole_picture():
    image, labels = grid(1100, 530)
    inside = np.ones(labels.shape, bool)
    # On the edge of a tile, where the outline is told by the row beside it.
    inside[:512] = False
    found = dataclasses.replace(segmented(labels), inside=inside)
    colours, _ = overlays.coloured_beads(found.table)
    greys = overlays.grey_range(image)
    wanted = []
    for step in (1, 2, 4):
        some = (part[::step, ::step] for part in (image, labels, inside))
        picture = overlays.drawn(*some, greys, colours)
        for top in range(0, len(picture), pyramids.TILE_PX):
            wanted += pyramids._tiles(picture[top : top + pyramids.TILE_PX])
    assert list(pyramids.encode(image, found, plane_of(labels)).segments) == wanted


def test_equal_planes_give_equal_bytes_and_each_plane_a_file(tmp_path):
    image, labels = grid(40, 60)
    assert list(map(str, pyramids.paths(PurePosixPath("b/a.ome.tif"), 2))) == [
        "pyramids/b/a_p0000_pyramid.tif",
        "pyramids/b/a_p0001_pyramid.tif",
    ]
    for name in ("one", "two"):
        pyramids.write([tmp_path / name], [pyramids.encode(image, segmented(labels), plane_of(labels))])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_libvips_reads_the_resolutions(tmp_path):
    pyvips = pytest.importorskip("pyvips", reason="libvips is not installed")
    image, labels = grid(1100, 700)
    path = tmp_path / "a_pyramid.tif"
    pyramids.write([path], [pyramids.encode(image, segmented(labels), plane_of(labels, pixel_size_um=0.5))])
    for subifd, (width, height) in ((-1, (700, 1100)), (0, (350, 550)), (1, (175, 275))):
        found = pyvips.Image.new_from_file(str(path), subifd=subifd)
        assert (found.width, found.height, found.bands) == (width, height, 3)
        with tifffile.TiffFile(path) as file:
            np.testing.assert_allclose(found.numpy(), file.series[0].levels[subifd + 1].asarray(), atol=3)
