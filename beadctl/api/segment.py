"""`segment`: the beads of one plane."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Unpack

from numpy.typing import ArrayLike

from beadctl.api.model import opened
from beadctl.api.options import SegmentOptions, path_of, settings_of
from beadctl.api.result import Result
from beadctl.api.told import WARNINGS
from beadctl.cli import arguments
from beadctl.errors import AnnotationError, ImageError
from beadctl.images import Image, Plane, open_array, open_image
from beadctl.model.session import Model
from beadctl.results.sources import begun
from beadctl.text import name_text


def segment(
    image: str | os.PathLike[str] | ArrayLike,
    *,
    model: Model | str | os.PathLike[str] | None = None,
    pixel_size: float | None = None,
    **options: Unpack[SegmentOptions],
) -> Result:
    """Find and measure the beads of one plane, as ``beadctl segment`` does.

    Parameters
    ----------
    image : path_like or array_like, shape (H, W)
        An image file, or pixels: a NumPy array, or what `numpy.asarray` makes one of, such as those of xarray
        and dask. An array of more axes needs their names, such as ``axes="YXS"`` for RGB, and `plane` or
        `channel` where there are several; an xarray has them in ``dims``, where these are single letters.
    model : Model or path_like, optional
        From `open_model`, which pays for many images; by default the model in the package.
    pixel_size : float, optional
        Edge of a pixel, um; the pixel size in a file goes before it.
    **options
        Options of ``beadctl segment`` by their names, such as ``diameter="12px"`` (or ``5um``),
        ``min_area="60px"``, ``exclude_border=True``, ``region="0,0,200,100"``, ``plane=0``.

    Returns
    -------
    Result
        Label image, table of the beads, count and its quality flags.

    Raises
    ------
    ImageError
        If the image cannot be read, is ambiguous, or has several planes.
    AnnotationError
        If the region does not belong to the image.
    ModelError, DeviceError
        As for `open_model`.
    SettingsError
        If an option does not exist, or its value is out of bounds.

    Warns
    -----
    BeadctlWarning
        If something in the file is left out or assumed (`FileNote`), or the model is doubtful.

    Examples
    --------
    >>> import beadctl
    >>> import numpy as np
    >>> y, x = np.mgrid[:64, :96]
    >>> image = np.full((64, 96), 200, np.uint8)
    >>> for centre in (20, 70):
    ...     image[(y - 30) ** 2 + (x - centre) ** 2 < 49] = 40
    >>> result = beadctl.segment(image, pixel_size=0.5)
    >>> result
    Result(count=2, quality=())
    >>> result.labels.shape, result.beads["diameter_um"].round().tolist()
    ((64, 96), [7.0, 7.0])
    """
    settings = settings_of("segment", SegmentOptions, options, pixel_size=pixel_size).settings
    source = arguments.by_network(settings, WARNINGS, opened(model))
    if isinstance(image, str | os.PathLike):
        described = open_image(path_of("segment", image), source.read)
    else:
        described = open_array(image, source.read)
    plane = _only_plane(described)
    with _named(plane.path):
        return Result.of(plane, begun(source, plane)(), name_text(PurePosixPath(plane.path.name)))


def _only_plane(image: Image) -> Plane:
    if len(image.planes) != 1:
        advice = f"choose one by plane=0..{len(image.planes) - 1}, or count all with beadctl.count"
        raise ImageError(f"{image.path}: has {len(image.planes)} planes; {advice}")
    return image.planes[0]


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name the image in errors of the block that do not."""
    try:
        yield
    except (ImageError, AnnotationError) as error:
        text = str(error)
        if text.startswith(f"{path}: "):
            raise
        raise type(error)(f"{path}: {text}") from None
