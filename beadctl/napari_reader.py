"""A reader for napari: a label image that a run wrote opens with its image, beads and measurements.

`beadctl/napari.yaml` names it; napari itself is not needed to import it.
"""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.errors import BeadctlError
from beadctl.images import open_image
from beadctl.report.finished import Finished
from beadctl.results import ledger
from beadctl.results.formats import Output, format_of
from beadctl.results.ledger import Entry

Layer = tuple[Any, dict[str, Any], str]
"""Data of a layer, its attributes, and its kind."""
TEXTS = ("image", "flags")


def get_reader(path: str | Sequence[str]) -> Callable[[Any], list[Layer]] | None:
    """Return what makes layers of a label image in a folder of results; None for other files."""
    if not isinstance(path, str) or _place(Path(path)) is None:
        return None
    return lambda one: layers(Path(one))


def layers(masks: Path) -> list[Layer]:
    """Return the image, the label image and the centres of the beads, with the columns of ``beads.csv``.

    Lengths are in um where the run knew the pixel size. Results that cannot be read are an `OutputError`.
    """
    import tifffile

    place = _place(masks)
    assert place is not None
    folder, name, entry = place
    rows = [row for row in entry.result.rows if row.count is not None]
    labels = np.squeeze(tifffile.imread(masks))
    beads = _columns(folder, name)
    is_stack = labels.ndim > 2
    scale = [1.0] * is_stack + [rows[0].pixel_size_um or 1.0 if rows else 1.0] * 2
    of_all = {"scale": scale, "metadata": {"source": entry.source}}
    # Numbers of beads begin again in each plane of a stack, so that they do not name a bead there.
    told = {} if is_stack else {"features": {"index": beads["label"], **beads}}
    planes = np.searchsorted([row.plane for row in entry.result.rows], beads["plane"])
    centres = np.column_stack([*[planes] * is_stack, beads["y_px"], beads["x_px"]])
    points = {"size": beads["diameter_px"], "features": beads, "visible": False}
    return [
        *[(pixels, {"name": str(name), **of_all}, "image") for pixels in _pixels(folder, entry)],
        (labels, {"name": masks.stem, **told, **of_all}, "labels"),
        (centres, {"name": f"beads of {name}", **points, **of_all}, "points"),
    ]


def _place(masks: Path) -> tuple[Path, PurePosixPath, Entry] | None:
    """Return folder, image and entry of the run that wrote a label image; None if none did."""
    for folder in masks.resolve().parents:
        if (folder / ledger.FOLDER).is_dir():
            below = PurePosixPath(masks.resolve().relative_to(folder).as_posix())
            for name in map(PurePosixPath, ledger.images(folder)):
                if below in format_of(Output.MASKS).paths(name, 1) and (entry := ledger.read(folder, name)):
                    return folder, name, entry
    return None


def _columns(folder: Path, name: PurePosixPath) -> dict[str, NDArray[Any]]:
    """Return the columns of ``beads.csv`` of an image; nan is unknown."""
    beads = list(csv.reader(ledger.bead_lines(folder, name)))
    columns = {column: [bead[place] for bead in beads] for place, column in enumerate(ledger.BEAD_COLUMNS)}
    whole = {"plane", "label", "in_plane"}
    return {
        column: np.array(values, object)
        if column in TEXTS
        else np.array([value or "nan" for value in values], float).astype(int if column in whole else float)
        for column, values in columns.items()
    }


def _pixels(folder: Path, entry: Entry) -> list[NDArray[Any]]:
    """Return the planes of the image, stacked if there are several; nothing if it is no longer there."""
    try:
        planes = open_image(Path(entry.source), Finished.of(folder).read).planes
        read = []
        for plane in planes:
            with plane.open() as pixels:
                read.append(pixels.read_all())
    except (BeadctlError, OSError):
        return []
    return [read[0] if len(read) == 1 else np.stack(read)]
