"""Images of a set of OME-TIFF files of which every file is lost: tifffile leaves them out without a word."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from beadctl.images.ome_set import OmeSet
from beadctl.images.series import Photometric, Series, SeriesFacts
from beadctl.images.side_images import side_name

_DTYPES = {"bit": "bool", "float": "float32", "double": "float64"}


@dataclass(frozen=True)
class LostImage:
    """An image of which the metadata tell alone.

    Attributes
    ----------
    index : int
        Its place among the images of the set.
    facts : SeriesFacts
        What the metadata say of it.
    """

    index: int
    facts: SeriesFacts

    def series(self, ome_set: OmeSet) -> Series:
        """Return its array, of which no plane is in the file; the file that tells of the set has them all."""
        absent, axes = ome_set.absent, self.facts.axes
        return Series(
            path=ome_set.path,
            axes=axes,
            shape=self.facts.shape,
            dtype=np.dtype(self.facts.dtype),
            photometric=Photometric.RGB if "S" in axes else Photometric.BLACK_IS_ZERO,
            locate=lambda _picks, _transposed: absent,
            is_part=True,
            note=ome_set.note,
        )


def lost_images(xml: str, lost: Collection[Path], found: int) -> list[LostImage]:
    """Return the images that only lost files have; none where the others are not those that were found.

    Parameters
    ----------
    xml : str
        OME metadata of the set.
    lost : collection of Path
        Its files that are not there.
    found : int
        Number of images that have a file.
    """
    names = {path.name for path in lost}
    try:
        # Safe: expat limits the expansion of entities, and tifffile has parsed the same text.
        images = [one for one in ET.fromstring(xml) if one.tag.endswith("Image")]  # noqa: S314
        gone = [LostImage(i, _facts(one)) for i, one in enumerate(images) if _is_lost(one, names)]
    except (ET.ParseError, KeyError, ValueError, TypeError):
        return []
    return gone if len(gone) + found == len(images) else []


def _is_lost(image: ET.Element, names: Collection[str]) -> bool:
    """Return whether every file of an image is one of these names."""
    files = {one.get("FileName") for one in image.iter() if one.tag.endswith("UUID")}
    data = [one for one in image.iter() if one.tag.endswith("TiffData")]
    return bool(files) and files <= set(names) and all(len(one) for one in data)


def _facts(image: ET.Element) -> SeriesFacts:
    """Return axes, without those of length 1, and shape, as tifffile has them of an image with a file."""
    pixels = next(one for one in image if one.tag.endswith("Pixels"))
    samples = max(
        (int(one.get("SamplesPerPixel", 1)) for one in pixels if one.tag.endswith("Channel")), default=1
    )
    sizes = {axis: int(pixels.attrib[f"Size{axis}"]) for axis in reversed(pixels.attrib["DimensionOrder"])}
    sizes |= {"C": sizes["C"] // samples, "S": samples}
    if math.prod(sizes.values()) < 1:
        raise ValueError("an image without pixels")
    kept = {axis: length for axis, length in sizes.items() if length > 1 or axis in "YX"}
    kind = pixels.attrib["Type"]
    title = image.get("Name", "").strip()
    dtype = np.dtype(_DTYPES.get(kind, kind))
    return SeriesFacts(title, "".join(kept), tuple(kept.values()), str(dtype), side_name(title))
