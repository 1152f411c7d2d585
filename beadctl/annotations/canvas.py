"""Painting beads onto a label image, and what a person should know of how that went."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.outline import Patch, Ring, ellipse, filled, gathered, united
from beadctl.errors import AnnotationError

# Drawing tools let an outline end a little beyond the image; farther out it was drawn on a larger one.
BEYOND_PX = 1.0


@dataclass(frozen=True)
class Remark:
    """Something about an annotation that a person should know.

    Attributes
    ----------
    words : str
        What it is; after `count`, if that is not 0.
    count : int
        How many beads, outlines or rows it is about.
    doubtful : bool
        Whether it may mean that the annotation is wrong.
    """

    words: str
    count: int = 0
    doubtful: bool = True


@dataclass(frozen=True)
class Labelled:
    """A label image, and remarks on how it came about.

    Attributes
    ----------
    labels : ndarray of uint32, shape (H, W)
        0 for background, a number for each bead.
    remarks : tuple of Remark
        What was left out, cut or assumed.
    """

    labels: NDArray[np.uint32]
    remarks: tuple[Remark, ...] = ()


Load = Callable[[tuple[int, int]], Labelled]
"""Reads the annotation of one image, whose height and width it is given."""


class Canvas:
    """A label image in the making: each bead gets the next number.

    Where two beads overlap, the later one stays visible, as on a pile of cut-outs. But a smaller bead is
    never buried by a larger one: one that a later and larger bead would hide altogether stays on top of it.
    Discs of equal size share: each pixel goes to the nearest centre.

    Parameters
    ----------
    path : Path
        The annotation, for errors.
    shape : tuple of int
        Height and width of the image, px.
    """

    def __init__(self, path: Path, shape: tuple[int, int]) -> None:
        self._path = path
        self._shape = shape
        self._labels = np.zeros(shape, np.uint32)
        # By label; that of the background is never asked for.
        self._sizes, self._visible = [0], [0]
        self._tally: Counter[tuple[str, bool]] = Counter()

    def outline(self, parts: Iterable[Sequence[Ring]], name: str) -> None:
        """Paint a bead of one or several parts, each an outline with its holes.

        Parameters
        ----------
        parts : iterable of sequence of Ring
            The bead has the pixels of any of them.
        name : str
            What to call it in an error.

        Raises
        ------
        AnnotationError
            If it lies outside the image.
        """
        kept = [[ring for ring in rings if len(ring) > 2] for rings in parts]
        kept = [rings for rings in kept if rings]
        if not kept:
            self.count("outlines have fewer than three points and are left out")
            return
        corners = np.concatenate([ring for rings in kept for ring in rings])
        self._check_place(corners.min(0), corners.max(0), name, whole=True)
        patches = [filled(rings, self._shape) for rings in kept]
        self._paint(united([patch for patch in patches if patch is not None]))

    def ellipse(self, centre: tuple[float, float], radii: tuple[float, float], name: str) -> None:
        """Paint a bead as an upright ellipse; as `outline` otherwise."""
        middle, reach = np.array(centre), np.array(radii)
        self._check_place(middle - reach, middle + reach, name, whole=True)
        self._paint(ellipse(centre, radii, self._shape))

    def pixels(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> None:
        """Paint a bead that is given by its pixels, all of them in the image."""
        self._paint(gathered(rows, columns))

    def discs(self, centres: NDArray[np.float64], diameter_px: float) -> None:
        """Paint beads of one size; touching ones are kept apart half-way between their centres.

        Of two centres at the same distance from a pixel the earlier one has it. A disc too small to hold
        the middle of a pixel gets the pixel that its centre is in.

        Parameters
        ----------
        centres : ndarray of float64, shape (N, 2)
            y and x, px.
        diameter_px : float
            Diameter of every disc.

        Raises
        ------
        AnnotationError
            If a disc lies outside the image.
        """
        radius = diameter_px / 2
        owner = np.zeros(self._shape, np.uint32)
        nearest = np.full(self._shape, np.inf, np.float64)
        windows: list[tuple[slice, slice] | None] = []
        for number, (y, x) in enumerate(centres.tolist(), start=1):
            middle = np.array((y, x))
            self._check_place(middle - radius, middle + radius, f"the bead at y = {y:g}, x = {x:g}")
            patch = ellipse((y, x), (radius, radius), self._shape) or self._pixel_at(y, x)
            windows.append(patch.slices if patch else None)
            if patch:
                rows, columns = np.ogrid[patch.slices]
                squared = (rows - y) ** 2 + (columns - x) ** 2
                closer = patch.mask & (squared < nearest[patch.slices])
                nearest[patch.slices][closer] = squared[closer]
                owner[patch.slices][closer] = number
        for number, window in enumerate(windows, start=1):
            own = owner[window] == number if window else np.zeros((0, 0), bool)
            if window and own.any():
                self._paint(Patch(window[0].start, window[1].start, own))
            elif window:
                self.count("centres lie on others and are left out")
            else:
                self._paint(None)

    def count(self, words: str) -> None:
        """Count something that is not painted as it stands; `words` go on after the number."""
        self._tally[words, True] += 1

    def note(self, words: str) -> None:
        """Say once what was assumed."""
        self._tally[words, False] = 0

    def finish(self) -> Labelled:
        """Return what was painted."""
        hidden = sum(1 for visible in self._visible[1:] if not visible)
        if hidden:
            self._tally["beads are hidden by others and are lost", True] = hidden
        remarks = (Remark(words, count, doubtful) for (words, doubtful), count in self._tally.items())
        return Labelled(self._labels, tuple(remarks))

    def _paint(self, patch: Patch | None) -> None:
        if patch is None:
            self.count("outlines hold the middle of no pixel and are left out")
            return
        window = self._labels[patch.slices]
        size, label = int(np.count_nonzero(patch.mask)), len(self._sizes)
        mask = patch.mask
        below, counts = np.unique(window[mask], return_counts=True)
        for other, count in zip(below.tolist(), counts.tolist(), strict=True):
            if other and count == self._visible[other] and self._sizes[other] < size:
                mask = mask & (window != other)
            elif other:
                self._visible[other] -= count
        window[mask] = label
        self._sizes.append(size)
        self._visible.append(int(np.count_nonzero(mask)))

    def _pixel_at(self, y: float, x: float) -> Patch | None:
        row, column = round(y), round(x)
        height, width = self._shape
        inside = 0 <= row < height and 0 <= column < width
        return Patch(row, column, np.ones((1, 1), bool)) if inside else None

    def _check_place(
        self, low: NDArray[np.float64], high: NDArray[np.float64], name: str, *, whole: bool = False
    ) -> None:
        """Refuse what lies outside the image, whose pixels reach half a pixel beyond their middles.

        Of what somebody drew as a `whole`, also count what reaches beyond it; a disc around a centre may.
        """
        limit = np.array(self._shape) - 0.5
        if (high < -0.5).any() or (low > limit).any():
            size = "x".join(map(str, self._shape))
            raise AnnotationError(
                f"{self._path}: {name} lies outside the image ({size} px); give the annotation of this image"
            )
        if whole and ((low < -0.5 - BEYOND_PX).any() or (high > limit + BEYOND_PX).any()):
            self.count("beads reach beyond the image and are cut at its border")


def said(remarks: Iterable[tuple[str, Remark]]) -> list[tuple[bool, str]]:
    """Put remarks on many images into few lines, each with the images it is about.

    Parameters
    ----------
    remarks : iterable of (str, Remark)
        Name of an image, and what to say of its annotation.

    Returns
    -------
    list of (bool, str)
        Whether the line is a warning, and the line.
    """
    counts: Counter[tuple[str, bool]] = Counter()
    images: dict[tuple[str, bool], list[str]] = {}
    for image, remark in remarks:
        key = remark.words, remark.doubtful
        counts[key] += remark.count
        images.setdefault(key, []).append(image)
    return [
        (doubtful, f"{counts[words, doubtful] or ''} {words}: {some(names)}".strip())
        for (words, doubtful), names in images.items()
    ]


def some(names: Sequence[str], limit: int = 5) -> str:
    """Return names as words: the first few, and how many more there are."""
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
