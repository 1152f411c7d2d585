"""Draw many beads at once: radial profiles onto an image, outlines onto a label image."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]
Labels = NDArray[np.uint32]
Shape = tuple[int, int]

# (rho, softness, focus) -> signal. rho is the distance from the centre and softness the width of the edge,
# both in units of the outline; focus is the distance from the focal plane, -1..1.
Profile = Callable[[Floats, Floats, Floats], NDArray[np.floating[Any]]]

_CHUNK_PIXELS = 1 << 17
_COLUMN = slice(None), None, None


def shape_of(size: int | tuple[int, int]) -> Shape:
    """Return the height and width, px, of an image of which the side of a square, or both, are given."""
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


@dataclass(frozen=True)
class Beads:
    """Beads of an image; arrays have shape (n,) unless stated otherwise.

    Attributes
    ----------
    y, x : ndarray of float32
        Centre, px; pixel centres are whole numbers. May lie outside the image.
    radius_px : ndarray of float32
        Radius of the disc with the area of the outline.
    aspect, angle_rad : ndarray of float32
        Ratio of the major to the minor axis, at least 1; direction of the major axis, from x towards y.
    gain : ndarray of float32
        Brightness relative to the scene's typical bead.
    softness_px : ndarray of float32
        Standard deviation of the edge, px.
    focus : ndarray of float32
        Distance from the focal plane, -1..1.
    wobble : ndarray of float32
        Cosine and sine amplitudes of the outline's third and fifth harmonic, shape (n, 4); or shape (n, 0).
    """

    y: Floats
    x: Floats
    radius_px: Floats
    aspect: Floats
    angle_rad: Floats
    gain: Floats
    softness_px: Floats
    focus: Floats
    wobble: Floats

    def __len__(self) -> int:
        return len(self.y)

    def take(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> "Beads":
        """Return the beads that an index or a mask chooses."""
        return Beads(**{name: getattr(self, name)[chosen] for name in self.__dataclass_fields__})

    def joined(self, others: "Beads") -> "Beads":
        """Return these beads, followed by others."""
        names = self.__dataclass_fields__
        return Beads(**{name: np.concatenate([getattr(self, name), getattr(others, name)]) for name in names})

    @property
    def reach_px(self) -> Floats:
        """Largest distance of the outline from the centre, px."""
        stretch = 1.0 + np.abs(self.wobble).sum(axis=1)
        return np.asarray(self.radius_px * np.sqrt(self.aspect) * stretch, np.float32)


def circles(y: object, x: object, radius_px: object) -> Beads:
    """Return round, sharp beads of equal brightness, of centres and radii, px, array-likes of shape (n,)."""
    ys, xs, radii = (np.atleast_1d(np.asarray(a, np.float32)) for a in (y, x, radius_px))
    one, zero = np.ones_like(ys), np.zeros_like(ys)
    return Beads(ys, xs, radii, one, zero, one, 0.4 * one, zero, np.zeros((len(ys), 0), np.float32))


def normalised_distance(beads: Beads, dy: Floats, dx: Floats) -> Floats:
    """Return the distance from the centre of each bead in units of its outline, shape (n, p, q).

    Parameters
    ----------
    beads : Beads
        n beads.
    dy, dx : ndarray of float32
        Offsets from the centres, px, shapes (n, p, 1) and (n, 1, q).
    """
    radius = beads.radius_px[_COLUMN]
    if not beads.wobble.size and np.all(beads.aspect < 1.005):
        return np.asarray(np.sqrt((dy / radius) ** 2 + (dx / radius) ** 2), np.float32)
    cos, sin = np.cos(beads.angle_rad)[_COLUMN], np.sin(beads.angle_rad)[_COLUMN]
    root = np.sqrt(beads.aspect)[_COLUMN]
    u = (cos * dx + sin * dy) / (radius * root)
    v = (cos * dy - sin * dx) * (root / radius)
    rho = np.sqrt(u * u + v * v)
    if beads.wobble.size:
        theta = np.arctan2(v, u)
        a, b, c, d = (beads.wobble[:, k][_COLUMN] for k in range(4))
        outline = 1.0 + a * np.cos(3 * theta) + b * np.sin(3 * theta)
        rho = rho / (outline + c * np.cos(5 * theta) + d * np.sin(5 * theta))
    return np.asarray(rho, np.float32)


def _chunks(beads: Beads, extent_px: Floats) -> Iterator[tuple[Indices, Indices, Indices, Floats]]:
    """Yield beads of similar size for one NumPy call: indices, rows, columns, normalised distance."""
    halves = np.ceil(extent_px).astype(np.intp) + 1
    order = np.argsort(-halves, kind="stable")
    start = 0
    while start < len(order):
        half = int(halves[order[start]])
        side = 2 * half + 1
        like = int(np.searchsorted(-halves[order], -0.75 * half, side="right"))
        stop = max(start + 1, min(like, start + max(1, _CHUNK_PIXELS // side**2)))
        members = order[start:stop]
        part = beads.take(members)
        row, column = np.rint(part.y).astype(np.intp), np.rint(part.x).astype(np.intp)
        span = np.arange(-half, half + 1, dtype=np.float32)
        dy = span[None, :] + (row - part.y).astype(np.float32)[:, None]
        dx = span[None, :] + (column - part.x).astype(np.float32)[:, None]
        rho = normalised_distance(part, dy[:, :, None], dx[:, None, :])
        yield members, row - half, column - half, rho
        start = stop


def accumulate(
    beads: Beads, shape: Shape, profile: Profile, reach: float, *, covering: bool = False
) -> Floats:
    """Return the sum of the signals of all beads, float32 of `shape`.

    Parameters
    ----------
    beads, shape : Beads and tuple of int
        The beads; height and width of the image, px.
    profile : callable
        Signal of a bead of gain 1.
    reach : float
        Extent of the profile, without the softness of its edge, in units of the outline.
    covering : bool
        Whether only the largest positive signal counts where beads meet, so that soft edges in contact leave
        a line between them.
    """
    height, width = shape
    if not len(beads):
        return np.zeros(shape, np.float32)
    extent = beads.reach_px * np.float32(reach) + 3 * beads.softness_px
    pad = int(np.ceil(extent.max())) + int(np.ceil(beads.reach_px.max())) + 4
    canvas = np.zeros((height + 2 * pad, width + 2 * pad), np.float32)
    flat, stride = canvas.reshape(-1), canvas.shape[1]
    for members, top, left, rho in _chunks(beads, np.asarray(extent, np.float32)):
        part = beads.take(members)
        softness = (part.softness_px / part.radius_px)[_COLUMN]
        unit = np.asarray(profile(rho, softness, part.focus[_COLUMN]), np.float32)
        signal = unit * part.gain[_COLUMN]
        corner = ((top + pad) * stride + left + pad)[_COLUMN]
        offsets = np.arange(rho.shape[1])[:, None] * stride + np.arange(rho.shape[2])[None, :]
        join = np.maximum if covering else np.add
        join.at(flat, (corner + offsets).ravel(), signal.astype(np.float32).ravel())
    return canvas[pad : pad + height, pad : pad + width].copy()


def outline_labels(beads: Beads, shape: Shape) -> Labels:
    """Return the label image of beads that may overlap, uint32 of `shape`: bead i has label i + 1.

    A pixel inside several outlines belongs to the bead whose centre is nearest in units of its outline, so
    that each bead keeps its core. Hidden beads and those outside have no pixel.
    """
    height, width = shape
    labels = np.zeros(height * width, np.uint32)
    places, distances, owners = [], [], []
    for members, top, left, rho in _chunks(beads, beads.reach_px):
        which, row, column = np.nonzero(rho <= 1.0)
        y, x = top[which] + row, left[which] + column
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        places.append((y * width + x)[inside])
        distances.append(rho[which, row, column][inside])
        owners.append(members[which][inside] + 1)
    if not places:
        return labels.reshape(shape)
    place, distance, owner = np.concatenate(places), np.concatenate(distances), np.concatenate(owners)
    labels[place] = owner
    contested = np.bincount(place, minlength=labels.size)[place] > 1
    place, distance, owner = place[contested], distance[contested], owner[contested]
    farthest_first = np.lexsort((owner, -distance))
    labels[place[farthest_first]] = owner[farthest_first]
    return labels.reshape(shape)


def consecutive(labels: Labels, keep: NDArray[np.bool_]) -> Labels:
    """Renumber a uint32 label image to 1..n; label i + 1 becomes background where `keep[i]` is false."""
    kept = keep & (np.bincount(labels.ravel(), minlength=len(keep) + 1)[1:] > 0)
    renumbered = np.zeros(len(keep) + 1, np.uint32)
    renumbered[1:][kept] = np.arange(1, int(kept.sum()) + 1)
    return np.asarray(renumbered[labels], np.uint32)
