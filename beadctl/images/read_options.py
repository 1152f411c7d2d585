"""Options that replace or complete the metadata of image files."""

from dataclasses import dataclass, field

from beadctl.counting.stacks import Projection
from beadctl.images.limits import Limits


@dataclass(frozen=True)
class ReadOptions:
    """How image files are read; the same for every file of a run.

    Attributes
    ----------
    axes : str or None
        Axes in stored order, one letter each, without axes of length 1, such as ``ZYX``. Replaces the
        axes of the file's metadata.
    channel : int or None
        Channel to use, 0-based. Required for several channels; replaces the luminance of RGB.
    plane : int or None
        Plane to use, 0-based; None for all.
    pixel_size_um : float or None
        Edge of a pixel, um, for files without a pixel size in their metadata.
    series : int or None
        Series to use of a file of several images, 0-based; None for all except side images, such as the
        label image of a slide.
    projection : Projection or None
        One plane that each Z stack becomes; None for its planes.
    limits : Limits
        What a file may claim; it changes no result, and is no part of the text of these options.
    """

    axes: str | None = None
    channel: int | None = None
    plane: int | None = None
    pixel_size_um: float | None = None
    series: int | None = None
    projection: Projection | None = None
    limits: Limits = field(default=Limits(), repr=False)
