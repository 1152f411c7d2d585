"""Painting of annotated beads onto a label image, with remarks on beads that were changed or left out."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.outline import Patch, Ring, ellipse, filled, gathered, united
from beadctl.errors import AnnotationError
from beadctl.words import first_names

HIDDEN = "beads that others hide, lost"
"""Words of the remark on beads of which no pixel is left."""
# Drawing tools let an outline end this far beyond the image; farther out it belongs to a larger image.
BEYOND_PX = 1.0


@dataclass(frozen=True)
class Remark:
    """A note or warning about an annotation.

    Attributes
    ----------
    words : str
        What is noted: of a remark with a count, the things that it counts.
    count : int
        Number of beads, outlines or rows concerned; 0 where none are counted.
    doubtful : bool
        Whether the annotation may be wrong.
    remedy : str
        What is assumed, and what to do where that is wrong; may be empty.
    """

    words: str
    count: int = 0
    doubtful: bool = True
    remedy: str = ""

    def __str__(self) -> str:
        """Return the remark as words."""
        words = f"{self.words}: {self.count}" if self.count else self.words
        return f"{words}; {self.remedy}" if self.remedy else words


@dataclass(frozen=True)
class Labelled:
    """A label image read from an annotation.

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
"""Function that reads the annotation of one image, given the image's height and width."""


class Canvas:
    """A label image that is painted bead by bead; labels count from 1 in the order of painting.

    Where two beads overlap, the later one has the pixels, except those of a smaller bead that it would hide
    completely. Discs are separated instead: each pixel belongs to the nearest centre. A bead outside the
    image raises an `AnnotationError`.

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
        # Painted and visible pixels by label; the entry of the background is unused.
        self._sizes, self._visible = [0], [0]
        self._tally: Counter[tuple[str, bool]] = Counter()

    def outline(self, parts: Iterable[Sequence[Ring]], name: str) -> None:
        """Paint a bead that is the union of parts, each an outline with its holes; `name` is for errors."""
        kept = [[ring for ring in rings if len(ring) > 2] for rings in parts]
        kept = [rings for rings in kept if rings]
        if not kept:
            self.count("outlines of fewer than three points, left out")
            return
        corners = np.concatenate([ring for rings in kept for ring in rings])
        self._check_place(corners.min(0), corners.max(0), name, whole=True)
        patches = [filled(rings, self._shape) for rings in kept]
        self._paint(united([patch for patch in patches if patch is not None]))

    def ellipse(self, centre: tuple[float, float], radii: tuple[float, float], name: str) -> None:
        """Paint a bead as an ellipse; centre and radii along y and x, px, and the bead's name for errors."""
        place, reach = np.array(centre), np.array(radii)
        self._check_place(place - reach, place + reach, name, whole=True)
        self._paint(ellipse(centre, radii, self._shape))

    def pixels(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> None:
        """Paint a bead from the row and column indices of its pixels, all of them in the image."""
        self._paint(gathered(rows, columns))

    def discs(self, centres: NDArray[np.float64], diameter_px: float) -> None:
        """Paint beads of one diameter at `centres`, y and x, px, shape (N, 2).

        Where discs overlap, each pixel belongs to the nearest centre; at equal distance to the earlier one.
        A disc without the centre of a pixel gets the pixel that its own centre is in.
        """
        radius = diameter_px / 2
        owner = np.zeros(self._shape, np.uint32)
        nearest = np.full(self._shape, np.inf, np.float64)
        windows: list[tuple[slice, slice] | None] = []
        for number, (y, x) in enumerate(centres.tolist(), start=1):
            place = np.array((y, x))
            self._check_place(place - radius, place + radius, f"the bead at y = {y:g}, x = {x:g}")
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
                self.count("centres that lie on others, left out")
            else:
                self._paint(None)

    def count(self, words: str) -> None:
        """Count a bead that is changed or left out; `words` precede the number in the remark."""
        self._tally[words, True] += 1

    def note(self, words: str) -> None:
        """Add a remark on an assumption, once."""
        self._tally[words, False] = 0

    def finish(self) -> Labelled:
        """Return the label image with its remarks."""
        hidden = sum(1 for visible in self._visible[1:] if not visible)
        if hidden:
            self._tally[HIDDEN, True] = hidden
        remarks = (Remark(words, count, doubtful) for (words, doubtful), count in self._tally.items())
        return Labelled(self._labels, tuple(remarks))

    def _paint(self, patch: Patch | None) -> None:
        if patch is None:
            self.count("outlines without the centre of a pixel, left out")
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
        """Refuse a bead outside the image, which ends half a pixel beyond the centres of its outer pixels.

        A bead that was drawn as a `whole` and reaches beyond the image is counted.
        """
        limit = np.array(self._shape) - 0.5
        if (high < -0.5).any() or (low > limit).any():
            size = "x".join(map(str, self._shape))
            raise AnnotationError(
                f"{self._path}: {name} lies outside the image ({size} px); give the annotation of this image"
            )
        if whole and ((low < -0.5 - BEYOND_PX).any() or (high > limit + BEYOND_PX).any()):
            self.count("outlines that reach beyond the image, cut at its border")


def remark_lines(remarks: Iterable[tuple[str, Remark]]) -> list[tuple[bool, str]]:
    """Merge equal remarks, each given beside an image's name, into one line: (is a warning, line)."""
    counts: Counter[Remark] = Counter()
    images: dict[Remark, list[str]] = {}
    for image, remark in remarks:
        counts[same := replace(remark, count=0)] += remark.count
        images.setdefault(same, []).append(image)
    return [
        (same.doubtful, f"{first_names(names, 5)}: {replace(same, count=counts[same])}")
        for same, names in images.items()
    ]
