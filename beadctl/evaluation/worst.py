"""Pictures of the places that a model gets most wrong: the annotated outlines and those that are found."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.evaluation.comparison import Answered
from beadctl.evaluation.metrics import matched_labels
from beadctl.files import atomic
from beadctl.results.caption import Entry, captioned
from beadctl.results.formats.overlays import WHITE, coloured, paint
from beadctl.results.html import Picture
from beadctl.segmentation.measure import measure
from beadctl.words import number_of

# Places that are kept, and at most of one image.
MOST, MOST_OF_IMAGE = 6, 3
# Edge of a place, px; an image that is little larger is shown as a whole.
PLACE_PX, WHOLE_PX = 256, 400
# Mistakes around which a place is tried.
MOST_TRIED = 500
# Width to which small panels are enlarged, and space between panels, px.
PANEL_PX, GAP_PX = 320, 6
# Colours of `overlays.OUTLINES`: of beads that match, and of those that are missed or false.
RIGHT, WRONG = 1, 0
LEGEND = "green: annotated and found; red: missed, or found where none is annotated (IoU 0.5)"
NONE = "no mistake in any of these images"


@dataclass(frozen=True, eq=False)
class Place:
    """A part of an image in which a model makes mistakes.

    Attributes
    ----------
    caption : str
        Image and place, and what is missed and false there.
    mistakes : int
        Number of missed and false beads.
    pixels : ndarray of uint8, shape (h, w)
        The annotation, what the default model finds and what the model finds, side by side, as rows of the
        palette of `beadctl.results.formats.overlays`.
    """

    caption: str
    mistakes: int
    pixels: NDArray[np.uint8]

    def picture(self) -> Picture:
        """Return it for a page."""
        stream = io.BytesIO()
        coloured(self.pixels).save(stream, format="PNG", optimize=True)
        return Picture(self.caption, stream.getvalue())


@dataclass
class WorstPlaces:
    """Keeps the places with the most mistakes of a model, of the images that it is shown one by one.

    Attributes
    ----------
    name : str
        Of the model, for people.
    places : list of Place
        The worst so far, worst first.
    """

    name: str
    places: list[Place] = field(default_factory=list)

    def add(self, answered: Answered) -> None:
        """Look for places in an image."""
        pairs = matched_labels(answered.truth, answered.model)
        wrong = np.concatenate(
            [
                _centres(answered.truth, pairs[:, 0]),
                _centres(answered.model, pairs[:, 1]),
            ]
        )
        for _ in range(MOST_OF_IMAGE):
            if not len(wrong):
                return
            window, inside = _worst_window(wrong, answered.truth.shape)
            full = len(self.places) == MOST
            if not full or inside.sum() > self.places[-1].mistakes:
                self.places.append(_place(answered, window, int(inside.sum()), self.name))
                self.places = sorted(self.places, key=lambda place: -place.mistakes)[:MOST]
            wrong = wrong[~inside]


def write(path: Path, places: Sequence[Place]) -> None:
    """Write places below one another as a PNG file, or a line of text that there are none.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    parts = [_text(LEGEND if places else NONE)]
    for place in places:
        parts += [_text(place.caption), place.pixels]
    width = max(part.shape[1] for part in parts)
    picture = np.concatenate([_widened(part, width) for part in parts])
    with atomic(path) as temporary:
        coloured(picture).save(temporary, format="PNG", optimize=True)


def _centres(labels: NDArray[np.uint32], matched: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the centres of the beads of a label image that are not matched, y and x, px (n, 2)."""
    beads = measure(labels)
    left = ~np.isin(beads.label, matched)
    return np.column_stack((beads.y_px, beads.x_px))[left]


def _worst_window(
    centres: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Return the window around one of the centres with the most of them in it, and which these are."""
    if max(shape) <= WHOLE_PX:
        return (slice(0, shape[0]), slice(0, shape[1])), np.ones(len(centres), bool)
    size = np.minimum(shape, PLACE_PX)
    tried = centres[:: -(-len(centres) // MOST_TRIED)]
    corners = np.clip(tried.round().astype(int) - size // 2, 0, np.array(shape) - size)
    inside = ((centres >= corners[:, None]) & (centres < corners[:, None] + size)).all(axis=2)
    best = int(inside.sum(axis=1).argmax())
    top, left = corners[best].tolist()
    return (slice(top, top + int(size[0])), slice(left, left + int(size[1]))), inside[best]


def _place(answered: Answered, window: tuple[slice, slice], mistakes: int, name: str) -> Place:
    image, truth = answered.image[window], answered.truth[window]
    beads = _unmatched(truth, np.zeros(0, np.int64))
    panels, told = [], []
    for words, labels in (("default model", answered.default), (name, answered.model)):
        pairs = matched_labels(answered.truth, labels)
        missed, false = _unmatched(truth, pairs[:, 0]), _unmatched(labels[window], pairs[:, 1])
        told.append(f"{words}: {missed} missed, {false} false")
        panels.append(_panel(image, labels[window], pairs[:, 1], told[-1]))
    annotated = _panel(image, truth, pairs[:, 0], f"annotation: {number_of(beads, 'bead')}")
    where = f"{answered.name}, row {window[0].start}, column {window[1].start}"
    caption = f"{where}: {number_of(beads, 'bead')} annotated; {'; '.join(told)}"
    return Place(caption, mistakes, _beside([annotated, *panels]))


def _unmatched(labels: NDArray[np.uint32], matched: NDArray[np.int64]) -> int:
    found = np.unique(labels)
    return int(np.count_nonzero((found > 0) & ~np.isin(found, matched)))


def _panel(
    image: NDArray[Any], labels: NDArray[np.uint32], matched: NDArray[np.int64], text: str
) -> NDArray[np.uint8]:
    """Return an image with outlines coloured by whether the beads are matched, and a text below."""
    colours = np.full(int(max(labels.max(initial=0), matched.max(initial=0))) + 1, WRONG, np.uint8)
    colours[matched] = RIGHT
    factor = max(1, round(PANEL_PX / max(image.shape)))
    shown, outlined = (plane.repeat(factor, 0).repeat(factor, 1) for plane in (image, labels))
    picture = paint(shown, outlined.astype(np.uint32), None, colours)
    return captioned(_widened(picture, PANEL_PX), [Entry((), text)], None, WHITE)


def _text(text: str) -> NDArray[np.uint8]:
    """Return a line of text; what does not fit is cut."""
    blank = np.zeros((GAP_PX, 3 * PANEL_PX), np.uint8)
    lines = (captioned(blank, [Entry((), text[:end])], None, WHITE) for end in range(len(text), 0, -8))
    return next((line for line in lines if len(line) > len(blank)), blank)


def _beside(panels: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    # A text that is too wide for its panel is left out, with its line.
    height = max(map(len, panels))
    even = [np.pad(panel, ((0, height - len(panel)), (0, GAP_PX))) for panel in panels]
    return np.hstack(even)[:, :-GAP_PX]


def _widened(picture: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Return a picture that is at least so wide, black at the right."""
    return np.pad(picture, ((0, 0), (0, max(0, width - picture.shape[1]))))
