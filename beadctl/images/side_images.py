"""Side images of a TIFF file: labels, thumbnails and copies beside the fields of view."""

import re
from collections.abc import Sequence

from tifffile import TiffPageSeries

_SIDE_NAME = re.compile(r"(slide )?(label|macro|map|overview|preview|thumbnail)( image)?", re.IGNORECASE)
_NAMED_KINDS = {"ome", "imagej", "mmstack", "ndtiff", "lsm"}


def side_images(series: Sequence[TiffPageSeries]) -> list[str]:
    """Return of each series what kind of side image it is, in words; empty for a field of view.

    A side image is flagged in the file as a reduced copy or a mask, or named like one; or it is an RGB copy
    of a grey image; or, in files without names for their images, one page of at most half the height and
    width of the largest. A file has at least one field of view: where all are side images, none is.
    """
    kinds = [_stated(one) for one in series]
    views = [one for one, kind in zip(series, kinds, strict=True) if not kind]
    kinds = [kind or _by_comparison(one, views) for one, kind in zip(series, kinds, strict=True)]
    return kinds if not all(kinds) else [""] * len(kinds)


def _stated(series: TiffPageSeries) -> str:
    page = series.keyframe
    if page.is_mask:
        return "mask"
    if page.is_reduced:
        return "reduced copy"
    return side_name(series.name.strip())


def side_name(name: str) -> str:
    """Return the name of an image in lower case where it is that of a side image; else empty."""
    return name.lower() if _SIDE_NAME.fullmatch(name) else ""


def _by_comparison(series: TiffPageSeries, views: Sequence[TiffPageSeries]) -> str:
    is_named = series.kind in _NAMED_KINDS
    height, width = _size(series)
    if series.keyframe.samplesperpixel >= 3 and any(
        view.keyframe.samplesperpixel == 1 and (_size(view) == (height, width) or not is_named)
        for view in views
    ):
        return "RGB copy"
    largest = max((_size(view) for view in views), key=lambda size: size[0] * size[1], default=(0, 0))
    # Half of an odd size may be rounded up.
    is_small = 2 * height <= largest[0] + 1 and 2 * width <= largest[1] + 1
    return "small copy" if is_small and not is_named and len(series) == 1 else ""


def _size(series: TiffPageSeries) -> tuple[int, int]:
    return series.keyframe.imagelength, series.keyframe.imagewidth
