"""Pictures to judge a segmentation by eye: the outlines of the beads over the image."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.files import atomic
from beadctl.images import Plane
from beadctl.results.caption import Entry, captioned, number
from beadctl.results.formats import plane_names
from beadctl.segmentation.bead_table import BeadTable
from beadctl.segmentation.plane import Segmented
from beadctl.words import number_of

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST_PX = 4096
OUTLINES = ((255, 64, 64), (64, 220, 64), (80, 140, 255), (255, 200, 0), (255, 80, 255), (0, 220, 220))
GREYS = 256 - len(OUTLINES)
WHITE = GREYS - 1
# Colours of `OUTLINES` in turn for beads without these flags, and for each flag; the first that a bead has.
PLAIN = (1, 2, 5)
FLAGGED = {"low-confidence": 3, "border": 4}
# Beads of which the numbers are written.
FEW = 100

# A picture of one byte a pixel with its colours aside is written four times faster than red, green and blue.
PALETTE = np.concatenate(
    (np.repeat(np.linspace(0, 255, GREYS).round()[:, None], 3, axis=1), np.array(OUTLINES))
).astype(np.uint8)


def paths(image: PurePosixPath, planes: int) -> list[PurePosixPath]:
    """Return one picture a plane."""
    folder = PurePosixPath("overlays") / image.parent
    return [folder / f"{name}_overlay.png" for name in plane_names(image, planes)]


def encode(image: NDArray[Any], segmented: Segmented, plane: Plane) -> NDArray[np.uint8]:
    """Paint a plane, with a legend and a scale bar below it, and the numbers of the beads where they are few.

    The colour of an outline tells the first of the flags of `FLAGGED` that its bead has; other beads have one
    of three colours, by which neighbours are told apart.
    """
    table = segmented.table
    of_label, legend = coloured_beads(table)
    picture = paint(image, segmented.labels, segmented.inside, of_label)
    step = step_of(image.shape)
    if len(table) <= FEW:
        places = (table.label, table.y_px / step, table.x_px / step, table.diameter_px / step)
        beads = list(zip(*(column.tolist() for column in places), strict=True))
        number(picture, beads, _text_px(picture.shape, places[3]), WHITE)
    px_um = plane.pixel_size_um and plane.pixel_size_um * step
    return captioned(picture, legend, px_um, WHITE)


def colours_of(beads: Iterable[str]) -> list[tuple[tuple[int, ...], str]]:
    """Return the colours of the outlines of beads, rows of `OUTLINES`, and what they mean, with the number.

    Parameters
    ----------
    beads : iterable of str
        The flags of each bead.
    """
    found = Counter(_shown(flags.split()) for flags in beads)
    legend: list[tuple[tuple[int, ...], str]] = [
        ((row,), f"{found[flag]} {flag}") for flag, row in FLAGGED.items() if found[flag]
    ]
    if plain := found[""]:
        legend.append((PLAIN, number_of(plain, "other" if legend else "bead")))
    return legend


def _shown(flags: Sequence[str]) -> str:
    """Return the flag of a bead that its colour tells; empty without one."""
    return next((flag for flag in FLAGGED if flag in flags), "")


def coloured_beads(table: BeadTable) -> tuple[NDArray[np.uint8], list[Entry]]:
    """Return for each label its row of `OUTLINES`, and the legend."""
    found = [_shown(flags.split()) for flags in table.flags]
    plain = [PLAIN[label % len(PLAIN)] for label in table.label.tolist()]
    colour = [FLAGGED.get(flag, other) for flag, other in zip(found, plain, strict=True)]
    legend = [Entry(tuple(GREYS + row for row in rows), text) for rows, text in colours_of(table.flags)]
    of_label = np.zeros(int(table.label.max(initial=0)) + 1, np.uint8)
    of_label[table.label] = colour
    return of_label, legend or [Entry((), "no beads")]


def _text_px(shape: tuple[int, ...], diameters_px: NDArray[np.float64]) -> int:
    """Return the height of the numbers of beads: half of a typical bead, in bounds that can be read."""
    typical = float(np.median(diameters_px)) if diameters_px.size else 0.0
    return int(np.clip(typical / 2, 10, max(10, min(shape) // 25)))


def paint(
    image: NDArray[Any],
    labels: NDArray[np.uint32],
    inside: NDArray[np.bool_] | None = None,
    colours: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Return the image in grey, each bead's outline in a colour: rows of `PALETTE`, uint8 (h, w).

    Neighbours seldom share one of all six, because labels run in raster order. The grey levels span the
    0.5 to 99.5 % percentiles: for the eye only. A plane larger than 4096 px is thinned to that.

    Parameters
    ----------
    image, labels : ndarray, shape (H, W)
        Pixels of the plane in any dtype, and its label image, uint32.
    inside : ndarray of bool, shape (H, W), optional
        Where beads are counted: the rest is drawn at half its brightness, behind a white line.
    colours : ndarray of uint8, optional
        For each label its row of `OUTLINES`; by default all of them in turn.
    """
    step = step_of(image.shape)
    image, labels = _thinned(image, step), _thinned(labels, step)
    inside = None if inside is None else _thinned(inside, step)
    return drawn(image, labels, inside, grey_range(image), colours)


def grey_range(image: NDArray[Any]) -> NDArray[np.floating[Any]]:
    """Return the 0.5 and 99.5 % percentiles of a plane, (H, W), by a part of its pixels: shape (2,)."""
    sample = image[:: max(1, image.shape[0] // 512), :: max(1, image.shape[1] // 512)].astype(np.float32)
    sample = sample[np.isfinite(sample)]
    return np.percentile(sample, [0.5, 99.5]) if sample.size else np.array((0.0, 1.0))


def drawn(
    image: NDArray[Any],
    labels: NDArray[np.uint32],
    inside: NDArray[np.bool_] | None,
    greys: NDArray[np.floating[Any]],
    colours: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Return what `paint` does, of all pixels of a plane or of some of its rows.

    Parameters
    ----------
    image, labels, inside, colours
        As for `paint`; where they are rows of a plane, outlines on the first and the last one may lack.
    greys : ndarray, shape (2,)
        Values drawn as black and as white.
    """
    low, high = greys
    span = max(float(high - low), 1e-12)
    # Clipped before it is scaled, so that an infinite pixel overflows nothing; a NaN is drawn black.
    clipped = np.clip(np.nan_to_num(image.astype(np.float32), nan=low, posinf=high, neginf=low), low, high)
    levels = (clipped - np.float32(low)) * np.float32((GREYS - 1) / span)
    picture: NDArray[np.uint8] = np.clip(levels, 0, GREYS - 1).astype(np.uint8)
    if inside is not None:
        picture[~inside] //= 2
        picture[_at_change(inside) & inside] = WHITE
    outline = np.flatnonzero(_at_change(labels) & (labels > 0))
    label = labels.ravel()[outline]
    picture.ravel()[outline] = GREYS + (label % len(OUTLINES) if colours is None else colours[label])
    return picture


def step_of(shape: tuple[int, ...]) -> int:
    """Return of how many rows and columns of a plane one is shown."""
    return -(-max(shape) // LARGEST_PX)


def _thinned(plane: NDArray[Any], step: int) -> NDArray[Any]:
    """Return every so many rows and columns of a plane."""
    if step == 1:
        return plane
    parts = []
    for rows in scratch.bands(-(-len(plane) // step), plane.shape[1]):
        parts.append(plane[rows.start * step : rows.stop * step : step, ::step].copy())
        scratch.release(plane)
    return np.concatenate(parts)


def _at_change(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the pixels that have a neighbour of another value, above, below, left or right."""
    change = np.zeros(values.shape, bool)
    change[:, 1:] |= values[:, 1:] != values[:, :-1]
    change[:, :-1] |= values[:, :-1] != values[:, 1:]
    change[1:] |= values[1:] != values[:-1]
    change[:-1] |= values[:-1] != values[1:]
    return change


def write(paths: Sequence[Path], planes: Sequence[NDArray[np.uint8]]) -> None:
    """Write the pictures as PNG, each whole or not at all."""
    for path, picture in zip(paths, planes, strict=True):
        with atomic(path) as temporary:
            coloured(picture).save(temporary, format="PNG", compress_level=1)


def coloured(picture: NDArray[np.uint8]) -> "Image":
    """Return a picture with its palette, ready to be saved."""
    from PIL import Image

    image = Image.fromarray(picture)
    image.putpalette(PALETTE.tobytes())
    return image
