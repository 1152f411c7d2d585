"""Z stacks of which each bead is counted once: one row a stack, from the label images of its planes."""

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from beadctl.images import Plane, stacks_of, without_z
from beadctl.results.ledger import Row
from beadctl.results.plane_row import row_of
from beadctl.results.sources import FoundPlane
from beadctl.segmentation import touching
from beadctl.segmentation.bead_table import BeadTable
from beadctl.segmentation.plane import Segmented
from beadctl.segmentation.z_links import chains, overlapping

Stack = tuple[Row, BeadTable | None, Sequence[int]]
"""The row of a stack, its beads, and the number of the plane in which each was measured."""
Key = tuple[str, int, int]
"""What the planes of one stack have in common: place beside Z, height and width."""


@dataclass(frozen=True)
class Slice:
    """A plane of a stack.

    Attributes
    ----------
    plane : Plane
        The plane.
    segmented : Segmented
        Its beads; the label image is that of the whole stack's first plane alone.
    shrink : int or None
        As in `beadctl.results.sources.FoundPlane`.
    touch : ndarray, shape (N, 2)
        Places in the table of beads that touch.
    links : ndarray, shape (N, 2)
        Places of beads of the plane before and of this one that are one bead; empty for a first plane.
    """

    plane: Plane
    segmented: Segmented
    shrink: int | None
    touch: NDArray[np.int64]
    links: NDArray[np.int64]


class Linker:
    """Links the planes of a file as they come; of the label images it keeps the last one alone.

    Parameters
    ----------
    planes : sequence of Plane
        All planes of the file.

    Attributes
    ----------
    planes : tuple of Plane
        The same, stack by stack: the order in which they are to be taken.

    Raises
    ------
    ImageError
        If the file does not name the axis of its planes.
    """

    def __init__(self, planes: Sequence[Plane]) -> None:
        # Some files have all times of the first Z before the second Z.
        self.planes = tuple(itertools.chain.from_iterable(stacks_of(planes)))
        self._stacks: dict[Key, list[Slice]] = {}
        self._last: tuple[Key, NDArray[np.uint32]] | None = None

    def take(self, plane: Plane, found: FoundPlane) -> None:
        """Take the beads of the next plane."""
        key = _key(plane)
        labels, table = found.segmented.labels, found.segmented.table
        links = np.empty((0, 2), np.int64)
        if self._last and self._last[0] == key:
            before = self._stacks[key][-1].segmented.table
            pairs = overlapping(self._last[1], labels)
            links = np.stack(
                [np.searchsorted(one.label, of) for one, of in zip((before, table), pairs.T, strict=True)],
                axis=-1,
            )
        touch = np.searchsorted(table.label, touching.pairs(labels))
        kept = dataclasses.replace(found.segmented, labels=np.zeros((0, 0), np.uint32), probability=None)
        self._stacks.setdefault(key, []).append(Slice(plane, kept, found.shrink, touch, links))
        self._last = key, labels

    def rows(self, failed: Sequence[Row]) -> list[Stack]:
        """Return the row of each stack, its beads, and the plane of each, in the order of the stacks.

        Parameters
        ----------
        failed : sequence of Row
            Planes that failed: their stacks have no count.
        """
        bad = {
            (without_z(row.position), row.height_px or 0, row.width_px or 0): row for row in reversed(failed)
        }
        found = {key: _stack(slices) for key, slices in self._stacks.items() if key not in bad}
        first = {_key(plane): plane.index for plane in reversed(self.planes)}
        for key, row in bad.items():
            reason = f"its plane {row.plane}: {row.reason}" if row.position else row.reason
            found[key] = dataclasses.replace(row, plane=first[key], position=key[0], reason=reason), None, ()
        return sorted(found.values(), key=lambda one: one[0].plane)


def _key(plane: Plane) -> Key:
    return without_z(plane.position), plane.height, plane.width


def _stack(slices: Sequence[Slice]) -> Stack:
    """Return the row of a stack, and its beads, each as in the plane in which it is largest.

    There it is judged too: a bead that is too large has small sections, and may leave a region.
    """
    tables = [one.segmented.table for one in slices]
    table = _joined(tables)
    sizes = [len(one) for one in tables]
    # The bead of each section, and the largest section of each bead.
    bead = chains(sizes, [one.links for one in slices[1:]])
    order = np.lexsort((-table.area_px, bead))
    largest = np.sort(order[np.flatnonzero(np.diff(bead[order], prepend=-1))])
    segmented = [one.segmented for one in slices]
    in_field, kept = (
        np.concatenate([getattr(one.unlinked, name) for one in segmented]) for name in ("in_field", "kept")
    )
    filtered = int((in_field & ~kept)[largest].sum())
    largest = largest[kept[largest]]
    doubts = [one.doubt for one in segmented if one.doubt is not None]
    whole = Segmented(
        np.zeros((0, 0), np.uint32),
        table.some(largest),
        filtered,
        _field(segmented),
        max(doubts) if doubts else None,
        tuple(dict.fromkeys(flag for one in segmented for flag in one.quality)),
    )
    starts = np.cumsum([0, *sizes])
    touch = np.concatenate([one.touch + start for one, start in zip(slices, starts, strict=False)])
    groups = _groups(bead[largest], bead[touch])
    row = row_of(slices[0].plane, slices[0].shrink, whole, groups=groups)
    number = np.repeat([one.plane.index for one in slices], sizes)[largest].tolist()
    return dataclasses.replace(row, position=without_z(row.position)), whole.table, number


def _field(planes: Sequence[Segmented]) -> NDArray[np.bool_] | None:
    """Return where beads are counted in any of the planes, whose gaps may differ; None for all of it."""
    insides = [one.inside for one in planes if one.inside is not None]
    return np.asarray(np.logical_or.reduce(insides), bool) if len(insides) == len(planes) else None


def _joined(tables: Sequence[BeadTable]) -> BeadTable:
    columns = {
        field.name: np.concatenate([getattr(table, field.name) for table in tables])
        for field in dataclasses.fields(BeadTable)
    }
    return BeadTable(**columns)


def _groups(beads: NDArray[np.int64], touch: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of beads of each group of some beads, (n,), by the pairs that touch in any plane."""
    beads = np.sort(beads)
    one, other = np.searchsorted(beads, touch[np.isin(touch, beads).all(axis=1)]).T
    joined = coo_array((np.ones(one.size), (one, other)), shape=(beads.size, beads.size))
    return np.bincount(connected_components(joined, directed=False)[1]).astype(np.int64)
