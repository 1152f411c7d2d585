"""How the place where a mask would lie better changes over the image: by edges, and by beads that were found.

A drift is a plane of shifts: of the parts of an image for edges, of single beads for a finder. Edges need no
finder, but a part needs beads; each bead that a finder sees under a mark tells a shift by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl.audit.detections import mates
from beadctl.audit.edges import Edges, Outlines
from beadctl.audit.fit import MaskFit, at_shifts, peak

Floats = NDArray[np.float64]
Labels = NDArray[np.uint32]
# Parts along each axis whose edges are looked at, and the farthest that each is looked for, px.
PARTS, REACH_PX = 4, 8
# A mark and the bead under it are of one size to this factor; a bead half hidden has its centre elsewhere.
ALIKE = 1.6
# Fewer shifts than these say nothing of a plane: parts of an image, and beads.
FEWEST_PARTS, FEWEST_BEADS = 4, 6
# How far off the plane, px, a part and a bead may lie, if most lie closer.
OFF_PARTS_PX, OFF_BEADS_PX = 1.0, 0.5


@dataclass(frozen=True)
class Drift:
    """How the best shift changes over the image.

    Attributes
    ----------
    spread_px : float
        Root mean square of the shifts about their mean, px, as far as a plane explains them.
    doubt_px : float
        Standard error of `spread_px`, from how far they lie off the plane.
    move : ndarray of float64, shape (2, 3)
        Shift in y and in x, px: in the middle of the image, and its change a pixel along y and along x.
    told_by : int
        How many parts or beads lie near that plane.
    """

    spread_px: float
    doubt_px: float
    move: Floats
    told_by: int

    @property
    def shift_px(self) -> float:
        """Length of the shift in the middle of the image, px."""
        return float(np.hypot(*self.move[:, 0]))

    @property
    def scale(self) -> float:
        """By how much the mask is too small (above 0) or too large: 0.03 is 3 %."""
        return float((self.move[0, 1] + self.move[1, 2]) / 2)

    @property
    def turn_deg(self) -> float:
        """By how much it is turned, degrees, clockwise as seen."""
        return float(np.degrees((self.move[0, 2] - self.move[1, 1]) / 2))


def by_edges(outline: Outlines, edge: Edges, found: MaskFit) -> Drift | None:
    """MaskFit a plane through the best shifts of the parts of an image; None where too few parts fit.

    Parameters
    ----------
    outline, edge : Outlines, Edges
        Of one image.
    found : MaskFit
        How the mask lies as a whole.
    """
    height, width = edge.y.shape
    of = (outline.centre_y * PARTS / height).astype(np.intp).clip(0, PARTS - 1) * PARTS
    of = of + (outline.centre_x * PARTS / width).astype(np.intp).clip(0, PARTS - 1)
    group = of[outline.owner]
    dy, dx = round(found.dy), round(found.dx)
    means = at_shifts(outline, edge, dy, dx, REACH_PX, group, PARTS * PARTS) * (-1 if found.bright else 1)
    number = np.bincount(group, minlength=PARTS * PARTS)
    rows: list[tuple[float, ...]] = []
    for part, surface in enumerate(means):
        top, left = (int(at) for at in np.unravel_index(int(surface.argmax()), surface.shape))
        at_rim = {top, left} & {0, 2 * REACH_PX}
        if number[part] < 16 or at_rim or surface[top, left] < 0.5 * found.coherence:
            continue
        fy, fx = peak(surface, top, left)
        at = float(outline.centre_y[of == part].mean()), float(outline.centre_x[of == part].mean())
        weight = float(np.sqrt(number[part]) * surface[top, left])
        rows.append((*at, top - REACH_PX + fy + dy, left - REACH_PX + fx + dx, weight))
    if len(rows) < FEWEST_PARTS:
        return None
    at_y, at_x, moved_y, moved_x, weight = np.array(rows).T
    return _through(
        np.array([at_y - height / 2, at_x - width / 2]), np.array([moved_y, moved_x]), weight, OFF_PARTS_PX
    )


def by_beads(labels: Labels, there: Labels) -> Drift | None:
    """MaskFit a plane through the ways from marks to the beads found under them; None of fewer than six.

    Beads that the border cuts do not count: of what is cut off there the two may not agree.

    Parameters
    ----------
    labels, there : ndarray of uint32, shape (H, W)
        Label images of the marks and of the found beads.
    """
    marked, found = mates(labels, there, ALIKE)
    whole = ~(np.isin(marked, _at_border(labels)) | np.isin(found, _at_border(there)))
    marked, found = marked[whole], found[whole]
    if len(marked) < FEWEST_BEADS:
        return None
    here, mate = (
        np.array(ndimage.center_of_mass(one > 0, one, numbers)).T
        for one, numbers in ((labels, marked), (there, found))
    )
    middle = np.array(labels.shape)[:, None] / 2
    return _through(here - middle, mate - here, np.ones(len(marked)), OFF_BEADS_PX)


def _at_border(labels: Labels) -> Labels:
    return np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))


def _through(places: Floats, moves: Floats, weight: Floats, off_px: float) -> Drift:
    """MaskFit a plane of moves, shape (2, n), at places about the middle of the image, shape (2, n)."""
    design = np.column_stack([np.ones(len(weight)), *places])
    move = np.zeros((2, 3))
    off = np.zeros(len(weight))
    keep = np.ones(len(weight), bool)
    for _ in range(4):
        # Without what lies far off it: a part may fit a neighbour's edges, a mark the bead beside its own.
        w = weight[keep, None]
        move = np.asarray(np.linalg.lstsq(design[keep] * w, moves[:, keep].T * w, rcond=1e-6)[0]).T
        off = np.hypot(*(moves - move @ design.T))
        keep = off <= max(off_px, 2.5 * float(np.median(off)))
    moments = np.cov(places[:, keep])
    spread = float(sum(slope @ moments @ slope for slope in move[:, 1:]))
    doubt = np.sqrt(np.mean(np.minimum(off, REACH_PX) ** 2) * 2 / len(off))
    return Drift(max(spread, 0.0) ** 0.5, float(doubt), move, int(keep.sum()))
