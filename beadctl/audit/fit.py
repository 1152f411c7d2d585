"""How well outlines lie on edges, where they would lie better, and how that changes over the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from beadctl.audit.edges import Edges, Outlines

Floats = NDArray[np.float64]
# Share of the best agreement at which the maximum next to no shift at all is taken for the true one.
NEARLY = 0.8


@dataclass(frozen=True, slots=True)
class MaskFit:
    """A mask on an image.

    Attributes
    ----------
    coherence : float
        Mean of the edges along the outlines' normals at the best shift, 0..1, without its sign.
    here : float
        The same without any shift.
    standing : float
        How far the best shift stands above all others, in their robust standard deviations.
    bright : bool
        Whether beads are brighter than what surrounds them.
    dy, dx : float
        Best shift, px, to a fraction: what to move the mask by.
    """

    coherence: float
    here: float
    standing: float
    bright: bool
    dy: float
    dx: float

    @property
    def shift_px(self) -> float:
        """Length of the shift, px."""
        return float(np.hypot(self.dy, self.dx))


def moved(labels: NDArray[np.uint32], found: MaskFit) -> NDArray[np.uint32]:
    """Return a label image moved by the whole pixels of a shift, zeros where nothing is known."""
    dy, dx = round(found.dy), round(found.dx)
    height, width = labels.shape
    out = np.zeros_like(labels)
    out[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)] = labels[
        max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)
    ]
    return out


def agreement(outline: Outlines, edge: Edges) -> NDArray[np.float32]:
    """Return the mean of edges along normals for every shift of the outlines.

    Parameters
    ----------
    outline, edge
        Of one image, H x W px.

    Returns
    -------
    ndarray of float32, shape (H', W')
        At [dy, dx], taken modulo H' and W', the mean for outlines moved by (dy, dx). Negative where beads
        are bright. Padded, so that shifts up to an eighth of the image do not wrap.
    """
    shape = [fft.next_fast_len(length + length // 8, real=True) for length in edge.y.shape]
    total = np.zeros((shape[0], shape[1] // 2 + 1), np.complex64)
    for normal, slope in ((outline.normal_y, edge.y), (outline.normal_x, edge.x)):
        drawn = np.zeros(shape, np.float32)
        drawn[outline.y, outline.x] = normal
        total += np.conj(fft.rfft2(drawn)) * fft.rfft2(slope, shape)
    return np.asarray(fft.irfft2(total, shape) / max(len(outline.y), 1), np.float32)


def fit(outline: Outlines, edge: Edges, reach_px: int) -> MaskFit:
    """Find the shift at which outlines lie best on edges, of either sign.

    Parameters
    ----------
    outline, edge
        Of one image.
    reach_px : int
        Longest shift along an axis that is looked for, px.
    """
    if not len(outline.y):
        return MaskFit(0.0, 0.0, 0.0, True, 0.0, 0.0)
    every = agreement(outline, edge)
    span = np.arange(-reach_px, reach_px + 1)
    near = every[np.ix_(span % every.shape[0], span % every.shape[1])].astype(np.float64)
    size = np.abs(near)
    top, left = (int(at) for at in np.unravel_index(int(size.argmax()), size.shape))
    climbed = _climbed(size, reach_px)
    if size[climbed] >= NEARLY * size[top, left]:
        # A ring's inner edge, or the next row of a lattice, may fit as well as what the mask was drawn on.
        top, left = climbed
    spread = float(np.median(np.abs(every[::3, ::3]))) / 0.6745
    sign = np.sign(near[top, left]) or 1.0
    fy, fx = peak(near * sign, top, left)
    return MaskFit(
        float(size[top, left]),
        float(size[reach_px, reach_px]),
        float(size[top, left]) / max(spread, 1e-9),
        bool(sign < 0),
        span[top] + fy,
        span[left] + fx,
    )


def _climbed(surface: Floats, start: int) -> tuple[int, int]:
    """Return the maximum that is reached from (start, start) by steps upwards."""
    top = left = start
    while True:
        low, high = max(top - 1, 0), max(left - 1, 0)
        around = surface[low : top + 2, high : left + 2]
        step_y, step_x = (int(at) for at in np.unravel_index(int(around.argmax()), around.shape))
        if (low + step_y, high + step_x) == (top, left):
            return top, left
        top, left = low + step_y, high + step_x


def peak(surface: Floats, top: int, left: int) -> tuple[float, float]:
    """Return how far the maximum at (top, left) lies from that pixel, by a parabola along each axis."""

    def offset(line: Floats, at: int) -> float:
        if not 0 < at < len(line) - 1:
            return 0.0
        before, here, after = (float(v) for v in line[at - 1 : at + 2])
        bend = before - 2 * here + after
        return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0

    return offset(surface[:, left], top), offset(surface[top], left)


def at_shifts(
    outline: Outlines, edge: Edges, dy: int, dx: int, reach_px: int, group: NDArray[np.intp], groups: int
) -> Floats:
    """Return the mean of edges along normals for groups of points and shifts around (dy, dx).

    Returns
    -------
    ndarray of float64, shape (groups, 2 reach + 1, 2 reach + 1)
    """
    width = edge.y.shape[1]
    pad = reach_px + max(abs(dy), abs(dx))
    ey, ex = np.pad(edge.y, pad), np.pad(edge.x, pad)
    number = np.maximum(np.bincount(group, minlength=groups), 1)
    side = 2 * reach_px + 1
    found = np.zeros((groups, side, side))
    flat = (outline.y + pad) * (width + 2 * pad) + outline.x + pad
    ey, ex = ey.ravel(), ex.ravel()
    for i in range(side):
        for j in range(side):
            move = (dy + i - reach_px) * (width + 2 * pad) + dx + j - reach_px
            along = outline.normal_y * ey[flat + move] + outline.normal_x * ex[flat + move]
            found[:, i, j] = np.bincount(group, along, groups) / number
    return found
