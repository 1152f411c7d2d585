"""Pixel size from the metadata of TIFF files."""

import warnings

import pytest
import tifffile
from helpers.reading import noise
from PIL import Image as PillowImage

from beadctl.errors import FileNote
from beadctl.images import ReadOptions, open_image


def pixels_of(size, unit):
    """Metadata of square pixels."""
    lengths = {f"PhysicalSize{axis}": size for axis in "XY"}
    return {"axes": "YX"} | lengths | {f"PhysicalSize{axis}Unit": unit for axis in "XY"}


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (None, 0.25), ("nm", 0.00025), ("µm", 0.25), ("μm", 0.25), ("um", 0.25), ("micron", 0.25),
        ("mm", 250), ("cm", 2500), ("m", 250000), ("Å", 2.5e-5), ("in", 6350), ("thou", 6.35),
        ("pt", 25400 / 288), ("li", 25400 / 48), ("ft", 76200), ("yd", 228600), ("dm", 25000),
        # As the largest pixel that is believed is a metre wide, so that Mm is not mm, nor Pm pm.
        ("km", None), ("Mm", None), ("Pm", None), ("fm", None),
    ],
)  # fmt: skip
def test_ome_pixel_size(tmp_path, unit, expected):
    path = tmp_path / "a.ome.tif"
    facts = {"axes": "YX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    if unit:
        facts |= {"PhysicalSizeXUnit": unit, "PhysicalSizeYUnit": unit}
    tifffile.imwrite(path, noise((20, 30)), ome=True, metadata=facts)
    opened = open_image(path)
    assert opened.pixel_size_um == (pytest.approx(expected) if expected else None)
    assert opened.planes[0].pixel_size_um == opened.pixel_size_um


@pytest.mark.parametrize(
    ("unit", "size", "expected"),
    [("pm", 40, 4e-5), ("fm", 4e6, 4e-3), ("Mm", 1e-12, 1), ("Pm", 1e-21, 1), ("km", 1e-9, 1),
     ("mi", 1e-9, 1.609344), ("ua", 1e-17, 1.495978707), ("ly", 1e-22, 0.94607304725808),
     ("pc", 1e-22, 3.0856775814913673)],
)  # fmt: skip
def test_ome_units_of_very_small_and_very_large_lengths(tmp_path, unit, size, expected):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, noise((20, 30)), ome=True, metadata=pixels_of(size, unit))
    assert open_image(path).pixel_size_um == pytest.approx(expected)


PREFIXES = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1, "d": -1, "c": -2,
    "m": -3, "µ": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip


@pytest.mark.parametrize(("prefix", "exponent"), PREFIXES.items())
def test_ome_units_are_metres_by_their_prefix(tmp_path, prefix, exponent):
    path = tmp_path / "a.ome.tif"
    facts = pixels_of(float(f"3e{-6 - exponent}"), f"{prefix}m")
    tifffile.imwrite(path, noise((20, 30)), ome=True, metadata=facts)
    assert open_image(path).pixel_size_um == pytest.approx(3)


@pytest.mark.parametrize("unit", ["pixel", "reference frame", "furlong"])
def test_ome_units_that_are_no_length_are_said(tmp_path, unit):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, noise((20, 30)), ome=True, metadata=pixels_of(0.25, unit))
    with pytest.warns(FileNote, match=f"its pixel size is in '{unit}', which is no known length, so "):
        assert open_image(path).pixel_size_um is None
    with pytest.warns(FileNote, match="no known length, so --pixel-size 0.7 is used"):
        assert open_image(path, ReadOptions(pixel_size_um=0.7)).pixel_size_um == 0.7


@pytest.mark.parametrize(
    ("x", "y", "expected"), [(0.5, 0.503, 0.5015), (0.5, 0.52, None), (0, 0.5, None), (1e200, 1e200, None)]
)
def test_pixel_size_needs_square_pixels(tmp_path, x, y, expected):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path, noise((20, 30)), ome=True, metadata={"axes": "YX", "PhysicalSizeX": x, "PhysicalSizeY": y}
    )
    assert open_image(path).pixel_size_um == (pytest.approx(expected, rel=1e-4) if expected else None)


@pytest.mark.parametrize("kind", ["ome", "imagej"])
def test_pixels_that_are_not_square_are_said(tmp_path, kind):
    """Else a stated pixel size would stand for both edges, or the file seem to have none, without a word."""
    path = tmp_path / "a.tif"
    facts = {
        "ome": {"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 1}},
        "imagej": {"imagej": True, "resolution": (2, 1), "metadata": {"unit": "um"}},
    }
    tifffile.imwrite(path, noise((20, 30)), **facts[kind])
    with pytest.warns(FileNote, match="its pixels are not square, 0.5 x 1 um, so the size counts as unknown"):
        assert open_image(path).pixel_size_um is None
    with pytest.warns(FileNote, match="its pixels are not square, 0.5 x 1 um, so --pixel-size 0.7 is used"):
        assert open_image(path, ReadOptions(pixel_size_um=0.7)).pixel_size_um == 0.7


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("um", 0.5), ("micron", 0.5), ("microns", 0.5), ("micrometers", 0.5), ("Micrometres", 0.5),
        ("nm", 0.0005), ("\\u00B5m", 0.5), ("\\u03BCm", 0.5), ("nanometers", 0.0005), ("mm", 500.0),
        ("millimeter", 500.0),
        ("millimetres", 500.0), ("Angstrom", 5e-5), ("centimeters", None),
        ("pixel", None), ("inch", None), ("cm", None), (None, None), ("furlong", None),
    ],
)  # fmt: skip
def test_imagej_pixel_size(tmp_path, unit, expected):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, noise((20, 30)), imagej=True, resolution=(2, 2), metadata={"unit": unit} if unit else {}
    )
    assert open_image(path).pixel_size_um == (pytest.approx(expected) if expected else None)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"PhysicalSizeZ": 2.5}, 2.5),
        ({"PhysicalSizeZ": 2500, "PhysicalSizeZUnit": "nm"}, 2.5),
        ({"PhysicalSizeZ": 0.0025, "PhysicalSizeZUnit": "mm", "PhysicalSizeX": 0.3}, 2.5),
        ({"PhysicalSizeZ": 3, "PhysicalSizeZUnit": "pixel"}, None),
        ({"PhysicalSizeZ": 0}, None),
        ({"PhysicalSizeX": 0.3, "PhysicalSizeY": 0.3}, None),
    ],
)
def test_ome_z_step(tmp_path, facts, expected):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, noise((3, 20, 30)), ome=True, metadata={"axes": "ZYX"} | facts)
    for plane in open_image(path).planes:
        assert plane.z_step_um == (pytest.approx(expected) if expected else None)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"spacing": 2.5, "unit": "um"}, 2.5),
        ({"spacing": -2.5, "unit": "micron"}, 2.5),
        ({"spacing": 2500, "unit": "nm"}, 2.5),
        ({"spacing": 0, "unit": "um"}, None),
        ({"unit": "um"}, None),
        ({"spacing": 2.5, "unit": "pixel"}, None),
        ({"spacing": 2.5}, None),
    ],
)
def test_imagej_z_step(tmp_path, facts, expected):
    path = tmp_path / "a.tif"
    metadata = {"axes": "TZYX"} | facts
    tifffile.imwrite(path, noise((2, 3, 20, 30)), imagej=True, resolution=(2, 2), metadata=metadata)
    for plane in open_image(path).planes:
        assert plane.z_step_um == (pytest.approx(expected) if expected else None)


@pytest.mark.parametrize("unit", ["inch", "centimeter"])
def test_print_resolution_is_ignored(tmp_path, unit):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((20, 30)), resolution=(300, 300), resolutionunit=unit)
    assert open_image(path).pixel_size_um is None


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["AP_IMAGE_PIXEL_SIZE", "Image Pixel Size = 12.5 nm", "AP_PIXEL_SIZE", "Pixel Size = 9 nm"],
            0.0125,
        ),
        (["AP_PIXEL_SIZE", "Pixel Size = 1.5 µm"], 1.5),
        (["AP_PIXEL_SIZE", "Pixel Size = 25 Å"], 0.0025),
        (["AP_WD", "WD = 5 mm"], None),
    ],
)
def test_zeiss_electron_microscope(tmp_path, lines, expected):
    text = "\r\n".join(["0", "0", "0", *lines, ""]).encode("cp1252")
    tifffile.imwrite(
        tmp_path / "a.tif", noise((20, 30), "u1"), extratags=[(34118, 2, len(text) + 1, text, True)]
    )
    size = open_image(tmp_path / "a.tif").pixel_size_um
    assert size == (pytest.approx(expected) if expected else None)


@pytest.mark.parametrize("tag", [34680, 34682])
@pytest.mark.parametrize("section", ["Scan", "EScan"])
def test_fei_electron_microscope(tmp_path, tag, section):
    lines = ["[User]", "Date=1", f"[{section}]", "PixelWidth=2.5e-08", "PixelHeight=2.5e-08", "Dwell=1e-6"]
    text = "\r\n".join(lines).encode()
    tifffile.imwrite(
        tmp_path / "a.tif", noise((20, 30), "u1"), extratags=[(tag, 2, len(text) + 1, text, True)]
    )
    assert open_image(tmp_path / "a.tif").pixel_size_um == pytest.approx(0.025)


@pytest.mark.parametrize("name", ["a.tif", "a.jpg"])
def test_jeol_electron_microscope(tmp_path, name):
    path = tmp_path / name
    PillowImage.fromarray(noise((20, 30), "u1")).save(path)
    assert open_image(path).pixel_size_um is None
    (tmp_path / "a.txt").write_text("$CM_FORMAT JEOL-SEM\n$$SM_MICRON_BAR 128\n$$SM_MICRON_MARKER 10um\n")
    assert open_image(path).pixel_size_um == pytest.approx(10 / 128)
    (tmp_path / "a.txt").write_text("notes of the day\n")
    assert open_image(path, ReadOptions(pixel_size_um=2)).pixel_size_um == 2


def test_the_files_own_pixel_size_is_used_and_said(tmp_path):
    path = tmp_path / "a.tif"
    facts = {"resolution": (2, 2), "metadata": {"unit": "um"}}
    tifffile.imwrite(path, noise((20, 30)), imagej=True, **facts)
    with pytest.warns(FileNote, match=r"own pixel size, 0.5 um, is used and not --pixel-size 1"):
        assert open_image(path, ReadOptions(pixel_size_um=1)).pixel_size_um == 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_image(path, ReadOptions(pixel_size_um=0.501))


def test_companion_file(tmp_path):
    schema = 'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
    pixels = "".join(
        f'<Image ID="Image:{i}"><Pixels PhysicalSizeX="{size}" PhysicalSizeY="{size}" SizeX="30" SizeY="20" '
        f'Type="uint8" DimensionOrder="XYCZT" ID="Pixels:{i}" SizeC="1" SizeT="1" SizeZ="1">'
        f'<TiffData><UUID FileName="{name}">urn:uuid:{i}</UUID></TiffData></Pixels></Image>'
        for i, (name, size) in enumerate((("other.tif", 0.7), ("a.ome.tif", 0.3)))
    )
    only = f'<OME {schema}><BinaryOnly MetadataFile="set.companion.ome" UUID="urn:uuid:9"/></OME>'
    tifffile.imwrite(tmp_path / "a.ome.tif", noise((20, 30), "u1"), description=only, metadata=None)
    assert open_image(tmp_path / "a.ome.tif").pixel_size_um is None
    (tmp_path / "set.companion.ome").write_text(f"<OME {schema}>{pixels}</OME>")
    assert open_image(tmp_path / "a.ome.tif").pixel_size_um == pytest.approx(0.3)
    (tmp_path / "set.companion.ome").write_text("<OME")
    assert open_image(tmp_path / "a.ome.tif").pixel_size_um is None
