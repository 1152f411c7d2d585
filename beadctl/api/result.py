"""`Result`: the beads of a plane. `Table`: columns by their names."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from beadctl.images import Plane
from beadctl.results import ledger
from beadctl.results.ledger import Row
from beadctl.results.plane_row import row_of
from beadctl.results.sources import FoundPlane
from beadctl.segmentation.bead_table import COLUMNS

Table: TypeAlias = dict[str, NDArray[Any]]
"""Columns of one length by their names, as `pandas.DataFrame` takes them; nan where there is no value."""


@dataclass(frozen=True, eq=False)
class Result:
    """The beads of a plane.

    Attributes
    ----------
    labels : ndarray of uint32, shape (H, W)
        Label image: 0 is background, a number a bead.
    beads : dict of str to ndarray, shape (count,)
        Columns of ``beads.csv``, without those that name the image; `labels` has the numbers of ``label``.
        Lengths are in px and, where the pixel size is known, in um.
    count : int
        Number of beads.
    quality : tuple of str
        Why the count should be looked at, such as ``doubtful`` and ``dense``; empty if nothing is known.
    row : Row
        Row of the plane in ``counts.csv``: sizes, density, intervals of the count.
    """

    labels: NDArray[np.uint32] = field(repr=False)
    beads: Table = field(repr=False)
    count: int
    quality: tuple[str, ...]
    row: Row = field(repr=False)

    @classmethod
    def of(cls, plane: Plane, found: FoundPlane, image: str) -> "Result":
        """Return the result of a plane of an image of this name."""
        segmented = found.segmented
        row = replace(row_of(plane, found.shrink, segmented, found.bands), image=image)
        columns = {name: np.asarray(getattr(segmented.table, name)) for name in COLUMNS}
        columns["flags"] = columns["flags"].astype(np.str_)
        return cls(segmented.labels, columns, len(segmented.table), tuple(map(str, segmented.quality)), row)


def counts_table(rows: Sequence[Row]) -> Table:
    """Return the columns of ``counts.csv``."""
    cells = [row.cells() for row in rows]
    return {name: _column([row[name] for row in cells], ledger.TYPES[name]) for name in ledger.COLUMNS}


def _column(values: list[Any], kind: type) -> NDArray[Any]:
    """Return values as numbers, whole ones where all are known, or as text."""
    if kind is str:
        return np.array(values, np.str_)
    if kind is float or None in values:
        return np.array([np.nan if value is None else value for value in values], np.float64)
    return np.array(values, np.int64)
