"""Overlays of an image or of a finished run, and what is said of them, for a terminal."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.console import Messages, pictures, print_text
from beadctl.console.screen import Means, Screen
from beadctl.errors import ImageError, OutputError
from beadctl.images import Plane, ReadOptions, Results, open_image, real_path
from beadctl.results import ledger, verify
from beadctl.results.formats import Output, format_of, overlays
from beadctl.results.ledger import Entry, Row
from beadctl.results.plane_row import row_of
from beadctl.results.sources import Source, begun
from beadctl.text import name_text
from beadctl.words import number_of

# Planes that are shown where none is named.
MOST = 3
OVERLAY = format_of(Output.OVERLAYS)


@dataclass(frozen=True)
class Shown:
    """A plane to show.

    Attributes
    ----------
    row : Row
        Its row of counts.csv.
    picture : ndarray of uint8, shape (h, w)
        Its overlay, with a legend below it: rows of `beadctl.results.formats.overlays.PALETTE`.
    legend : sequence of (tuple of int, str)
        Colours of outlines, and what they mean.
    file : Path or None
        Where the overlay is written.
    """

    row: Row
    picture: NDArray[np.uint8]
    legend: Sequence[tuple[tuple[int, ...], str]]
    file: Path | None = None

    @property
    def plane(self) -> NDArray[np.uint8]:
        """The overlay without the legend."""
        height, width = self.row.height_px or 1, self.row.width_px or 1
        return self.picture[: -(-height // overlays.step_of((height, width)))]

    @property
    def words(self) -> str:
        """What was counted, and why to look at it."""
        row = self.row
        place = f"{row.image} {row.position}" if row.position else row.image
        unit, size = ("um", row.mean_diameter_um) if row.mean_diameter_um else ("px", row.mean_diameter_px)
        words = f"{place}: {number_of(row.count or 0, 'bead')}"
        words += f", mean diameter {size:.3g} {unit}" if size else ""
        return words + (f"; to check: {', '.join(row.quality.split())}" if row.quality else "")


@dataclass(frozen=True)
class Chosen:
    """What is shown of an image or a run.

    Attributes
    ----------
    planes : iterable of Shown or ImageError
        Made one at a time; an error in the place of a plane of a stack that cannot be read.
    left : int
        Planes that are left out, because there are more than fit on a terminal.
    failed : sequence of str
        Images of a run that have no overlays, as one of their planes failed: its place and the reason.
    """

    planes: Iterable[Shown | ImageError]
    left: int = 0
    failed: Sequence[str] = ()


def of_image(path: Path, read: ReadOptions, open_source: Callable[[], Source]) -> Chosen:
    """Return the first planes of an image file, segmented; nothing is written.

    Parameters
    ----------
    path, read : Path and ReadOptions
        The file, and how it is read.
    open_source : callable
        Returns what finds the beads, once the file has been opened.

    Raises
    ------
    ImageError
        If it cannot be read, or is itself a result of beadctl.
    """
    for folder in real_path(path).parents:
        results = Results.of(folder)
        if results and results.has(real_path(path)):
            raise ImageError(
                f"{path}: is itself a result; show the folder {folder}, or the image of which it is"
            )
    planes, source = open_image(path, read).planes, open_source()

    def shown(plane: Plane) -> Shown:
        found = begun(source, plane)()
        row = row_of(plane, found.shrink, found.segmented, found.bands)
        picture = overlays.encode(found.image, found.segmented, plane)
        legend = overlays.colours_of(found.segmented.table.flags)
        return Shown(replace(row, image=name_text(PurePosixPath(path.name))), picture, legend)

    def each() -> Iterator[Shown | ImageError]:
        for plane in planes[:MOST]:
            try:
                yield shown(plane)
            except ImageError as error:
                if len(planes) == 1:
                    raise
                fault = str(error).removeprefix(f"{path}: ")
                yield ImageError(f"{path}, plane {plane.index}: {fault}")

    return Chosen(each(), max(0, len(planes) - MOST))


def of_run(folder: Path, names: Sequence[str]) -> Chosen:
    """Return planes of a finished run, by the overlays that it wrote.

    Parameters
    ----------
    folder : Path
        Folder of results.
    names : sequence of str
        Names of images in its tables, or patterns such as ``day1/*``; by default its first planes, those with
        a quality flag before the others.

    Raises
    ------
    OutputError
        If it is no folder of results, has no image of such a name, or an overlay is not as the run wrote it.
    """
    entries = [
        (name, entry)
        for name in map(PurePosixPath, verify.images(folder))
        if (entry := ledger.read(folder, name))
    ]
    chosen = [item for item in entries if not names or _is_named(item[0], names)]
    if not chosen:
        what = f"no image {' or '.join(names)}" if names else "no results of images"
        raise OutputError(f"{folder}: holds {what}; its images are in counts.csv")
    failed = [row for _, entry in chosen for row in entry.result.rows if row.status == "failed"]
    planes = [
        (name, entry, place, row)
        for name, entry in chosen
        if not entry.result.failed
        for place, row in enumerate(entry.result.rows)
    ]
    if not names:
        planes.sort(key=lambda item: not item[3].quality)
    return Chosen(
        (_written(folder, *item) for item in planes[:MOST]),
        max(0, len(planes) - MOST),
        [f"{row.place}: {row.reason}" for row in failed],
    )


def _is_named(name: PurePosixPath, patterns: Sequence[str]) -> bool:
    texts = {str(name), name.name, name_text(name)}
    return any(fnmatchcase(text, pattern) or text == pattern for text in texts for pattern in patterns)


def _written(folder: Path, name: PurePosixPath, entry: Entry, place: int, row: Row) -> Shown:
    """Return a plane by the overlay that a run wrote of it."""
    from PIL import Image

    path = OVERLAY.paths(name, len(entry.result.rows))[place]
    stamp = (entry.written or {}).get(str(path))
    if stamp is None:
        raise OutputError(
            f"{folder}: has no overlay of {name}; run beadctl segment with --save masks,overlays"
        )
    if not stamp.fits(folder / path):
        raise OutputError(f"{folder / path}: is not as the run wrote it; run again")
    with Image.open(folder / path) as image:
        picture = np.asarray(image)
    beads = ledger.beads(folder, name)
    of_plane = itertools.takewhile(
        lambda bead: bead["plane"] == row.plane,
        itertools.dropwhile(lambda bead: bead["plane"] != row.plane, beads),
    )
    legend = overlays.colours_of(bead["flags"] for bead in of_plane)
    return Shown(row, picture, legend, folder / path)


def tell(chosen: Chosen, screen: Screen, messages: Messages) -> tuple[list[Shown], bool]:
    """Print planes on standard output, each with its count, flags and legend below it.

    Returns
    -------
    told, failed : list of Shown and bool
        What was printed, and whether something of what was chosen cannot be.
    """
    problem = pictures.why_not(screen)
    if problem:
        messages.info(f"pictures are left out: {problem}")
    elif not screen.is_terminal:
        messages.info("standard output is no terminal: pictures are half blocks in colour, for less -R")
    told, faults = list[Shown](), len(chosen.failed)
    for line in chosen.failed[:MOST]:
        messages.fail(f"{line}; its file has no overlays")
    if (more := len(chosen.failed) - MOST) > 0:
        messages.info(f"more planes that failed: {more}")
    for shown in chosen.planes:
        if isinstance(shown, ImageError):
            messages.fail(str(shown))
            faults += 1
            continue
        is_small = screen.means is Means.BLOCKS
        if not problem:
            picture = reduced(shown.plane if is_small else shown.picture, screen.most_px)
            pictures.print_picture(picture, screen)
        print_text(shown.words)
        legend = [([overlays.OUTLINES[row] for row in rows], text) for rows, text in shown.legend]
        pictures.print_legend(legend, in_colour=not problem)
        told.append(shown)
    if chosen.left:
        messages.info(f"planes left out: {chosen.left}; name images of the run, or choose a plane by --plane")
    return told, faults > 0


def files_of(planes: Iterable[Shown]) -> Iterator[Path]:
    """Yield the overlay files of planes; those of an image are written into a folder for temporary files.

    Raises
    ------
    OutputError
        If one cannot be written.
    """
    for shown in planes:
        if shown.file:
            yield shown.file
            continue
        name = PurePosixPath(shown.row.image).name
        numbered = OVERLAY.paths(PurePosixPath(name), 1 + shown.row.plane if shown.row.position else 1)
        path = scratch.new_folder() / numbered[-1].name
        OVERLAY.write([path], [shown.picture])
        yield path


def reduced(picture: NDArray[np.uint8], most_px: tuple[int, int]) -> NDArray[np.uint8]:
    """Return an overlay in red, green and blue, made smaller so that its outlines stay as bright.

    A pixel of the result is the mean grey of those that it stands for, under the mean colour of the outlines
    in them, which covers it once a line crosses it.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W)
        Rows of `beadctl.results.formats.overlays.PALETTE`.
    most_px : tuple of int
        Largest width and height; smaller pictures stay as they are.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
    """
    height, width = picture.shape
    factor = max(width / most_px[0], height / most_px[1])
    if factor <= 1:
        return overlays.PALETTE[picture]
    edges = [
        np.linspace(0, size, max(1, round(size / factor)) + 1).astype(int)[:-1] for size in (height, width)
    ]

    def summed(of_row: NDArray[np.uint8]) -> NDArray[np.float64]:
        down = np.add.reduceat(of_row[picture], edges[0], axis=0, dtype=np.float64)
        return np.add.reduceat(down, edges[1], axis=1)

    is_line = (np.arange(len(overlays.PALETTE)) >= overlays.GREYS).astype(np.uint8)
    inside, total = summed(is_line), summed(np.ones_like(is_line))
    cover = np.minimum(1, inside / total * factor)
    channels = []
    for channel in overlays.PALETTE.T:
        line = summed(channel * is_line) / np.maximum(inside, 1)
        plain = summed(channel * (1 - is_line)) / np.maximum(total - inside, 1)
        channels.append(cover * line + (1 - cover) * plain)
    return np.stack(channels, axis=-1).round().astype(np.uint8)
