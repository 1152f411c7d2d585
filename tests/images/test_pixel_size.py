"""Pixel size from the metadata of TIFF files."""

import pytest
import tifffile
from helpers.reading import noise

from beadctl.images import open_image


@pytest.mark.parametrize(
    ("unit", "expected"),
    [(None, 0.25), ("nm", 0.00025), ("µm", 0.25), ("μm", 0.25), ("mm", 250), ("pixel", None)],
)
def test_ome_pixel_size(tmp_path, unit, expected):
    path = tmp_path / "a.ome.tif"
    facts = {"axes": "YX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    if unit:
        facts |= {"PhysicalSizeXUnit": unit, "PhysicalSizeYUnit": unit}
    tifffile.imwrite(path, noise((20, 30)), ome=True, metadata=facts)
    opened = open_image(path)
    assert opened.pixel_size_um == (pytest.approx(expected) if expected else None)
    assert opened.planes[0].pixel_size_um == opened.pixel_size_um


@pytest.mark.parametrize(("x", "y", "expected"), [(0.5, 0.503, 0.5015), (0.5, 0.52, None), (0, 0.5, None)])
def test_pixel_size_needs_square_pixels(tmp_path, x, y, expected):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path, noise((20, 30)), ome=True, metadata={"axes": "YX", "PhysicalSizeX": x, "PhysicalSizeY": y}
    )
    assert open_image(path).pixel_size_um == (pytest.approx(expected, rel=1e-4) if expected else None)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("um", 0.5), ("micron", 0.5), ("\\u00B5m", 0.5), ("nm", 0.0005), ("mm", 500.0),
        ("pixel", None), ("inch", None), ("cm", None), (None, None), ("furlong", None),
    ],
)  # fmt: skip
def test_imagej_pixel_size(tmp_path, unit, expected):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, noise((20, 30)), imagej=True, resolution=(2, 2), metadata={"unit": unit} if unit else {}
    )
    assert open_image(path).pixel_size_um == (pytest.approx(expected) if expected else None)


@pytest.mark.parametrize("unit", ["inch", "centimeter"])
def test_print_resolution_is_ignored(tmp_path, unit):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((20, 30)), resolution=(300, 300), resolutionunit=unit)
    assert open_image(path).pixel_size_um is None
