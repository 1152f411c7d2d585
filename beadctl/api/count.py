"""`count`: how many beads each image holds."""

import os
from collections.abc import Callable, Iterable
from typing import Unpack

from beadctl.api.model import opened
from beadctl.api.options import CountOptions, path_of, settings_of
from beadctl.api.result import Table, counts_table
from beadctl.api.told import WARNINGS
from beadctl.cli import arguments
from beadctl.errors import ImageError
from beadctl.model.session import Model
from beadctl.results.ledger import ImageResult, Row
from beadctl.results.outputs import Outputs
from beadctl.results.process import process


def count(
    images: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    model: Model | str | os.PathLike[str] | None = None,
    pixel_size: float | None = None,
    progress: Callable[[int, int], object] | None = None,
    **options: Unpack[CountOptions],
) -> Table:
    """Count the beads of every plane of images, as ``beadctl count`` does.

    Parameters
    ----------
    images : path_like, or iterable of them
        Image files, and folders, which are searched.
    model, pixel_size
        As for `segment`.
    progress : callable, optional
        Called after each image with the number of those that are done, and of all; an exception in it ends
        the work.
    **options
        Options of ``beadctl count`` by their names: those of `segment`, ``include="*.tif"``, ``exclude``,
        ``recursive`` and ``link_z``.

    Returns
    -------
    dict of str to ndarray, shape (N,)
        Columns of ``counts.csv``, one value for each plane, in the order of the images. A plane that failed
        has ``failed`` in ``status``, a ``reason``, and nan as ``count``.

    Raises
    ------
    ImageError
        If there is no image. One that cannot be read is a row.
    ModelError, DeviceError, SettingsError
        As for `segment`.

    Warns
    -----
    BeadctlWarning
        For each image that failed or has a quality flag, and for files that are left out.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import beadctl
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, grey in (("a.png", 90), ("b.png", 130)):
    ...         Image.new("L", (64, 48), grey).save(Path(folder) / name)
    ...     table = beadctl.count(folder, pixel_size=0.5)
    >>> table["image"].tolist(), table["count"].tolist(), table["field_area_um2"].tolist()
    (['a.png', 'b.png'], [0, 0], [768.0, 768.0])
    """
    settings = settings_of("count", CountOptions, options, pixel_size=pixel_size).settings
    paths = [images] if isinstance(images, str | os.PathLike) else images
    inputs = [path_of("count", path) for path in paths]
    if not inputs:
        raise ImageError("count(): got no path; give images or a folder")
    found = arguments.images(settings, inputs, WARNINGS)
    source = arguments.by_network(settings, WARNINGS, opened(model), link_z=settings.counting.link_z)
    rows, done = list[Row](), 0

    def take(result: ImageResult) -> None:
        nonlocal done
        rows.extend(result.rows)
        done += 1
        if progress:
            progress(done, len(found))

    plain = arguments.plain(settings)
    process(inputs, found, source, Outputs(), settings=plain, messages=WARNINGS, on_result=take)
    return counts_table(rows)
