"""Images of a set of OME-TIFF files that lie in lost files alone."""

import warnings

import numpy as np
import pytest
import tifffile
from helpers.reading import noise

from beadctl.errors import FileNote, ImageError
from beadctl.images import ReadOptions, open_image

SCHEMA = 'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FileNote)
        yield


def image(number, sizes, samples=1, um=0.5, name=""):
    """OME-XML of an image of which all planes lie in a file of its own."""
    lengths = " ".join(f'Size{axis}="{length}"' for axis, length in sizes.items())
    return (
        f'<Image ID="Image:{number}" Name="{name}"><Pixels ID="Pixels:{number}" DimensionOrder="XYCZT"'
        f' Type="uint8" SizeX="30" SizeY="20" {lengths} PhysicalSizeX="{um}" PhysicalSizeY="{um}">'
        f'<Channel ID="Channel:{number}:0" SamplesPerPixel="{samples}"/><TiffData IFD="0"'
        f' PlaneCount="{sizes["C"] // samples * sizes["Z"]}"><UUID FileName="t{number}.ome.tif">urn:uuid:'
        f"0000000{number}-0000-0000-0000-000000000000</UUID></TiffData></Pixels></Image>"
    )


def write(folder, *images, pixels):
    """Write the first file of a set, whose others are lost."""
    uuid = "urn:uuid:00000000-0000-0000-0000-000000000000"
    xml = f'<?xml version="1.0"?><OME {SCHEMA} UUID="{uuid}">{"".join(images)}</OME>'
    path = folder / "t0.ome.tif"
    tifffile.imwrite(path, pixels, description=xml, metadata=None, photometric="minisblack")
    return path


@pytest.mark.parametrize(
    ("sizes", "samples", "positions"),
    [
        ({"C": 1, "Z": 3, "T": 1}, 1, ["series=1 Z=0", "series=1 Z=1", "series=1 Z=2"]),
        ({"C": 2, "Z": 1, "T": 1}, 1, ["series=1"]),
        ({"C": 3, "Z": 1, "T": 1}, 3, ["series=1"]),
    ],
)
def test_planes_of_a_lost_image_are_as_its_metadata_say(tmp_path, sizes, samples, positions):
    stack = noise((20, 30), "u1")
    own = image(0, {"C": 1, "Z": 1, "T": 1}, um=0.25)
    path = write(tmp_path, own, image(1, sizes, samples), pixels=stack)
    first, *lost = open_image(path).planes
    assert (first.position, first.pixel_size_um) == ("series=0", 0.25)
    with first.open() as pixels:
        np.testing.assert_array_equal(pixels.read_all(), stack)
    assert [plane.position for plane in lost] == positions
    for plane in lost:
        assert plane.pixel_size_um == 0.5
        with pytest.raises(ImageError, match=r"its set lacks 1 file \(t1.ome.tif\)"), plane.open():
            pass


def test_a_channel_that_is_chosen_is_that_of_a_lost_image_too(tmp_path):
    sizes = {"C": 2, "Z": 1, "T": 1}
    stack = noise((2, 20, 30), "u1")
    path = write(tmp_path, image(0, sizes), image(1, sizes), pixels=stack)
    first, lost = open_image(path, ReadOptions(channel=1)).planes
    with first.open() as pixels:
        np.testing.assert_array_equal(pixels.read_all(), stack[1])
    with pytest.raises(ImageError, match="its set lacks"), lost.open():
        pass


def test_a_lost_side_image_is_left_out(tmp_path):
    one = {"C": 1, "Z": 1, "T": 1}
    path = write(tmp_path, image(0, one), image(1, one, name="Thumbnail"), pixels=noise((20, 30), "u1"))
    opened = open_image(path)
    assert len(opened.planes) == 1
    assert [facts.side for facts in opened.series] == ["", "thumbnail"]
