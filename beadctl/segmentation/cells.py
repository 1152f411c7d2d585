"""The lattice of cells in which a plane is labelled: memory is that of one cell, whatever the plane's size.

A plane's cells do not depend on memory, tiles or threads, so neither does what is found.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from beadctl.images import Window

# Edge of a cell, and what is seen around it: a bead of twice the halo is flooded as in one piece, px.
EDGE_PX, HALO_PX = 2048, 128


@dataclass(frozen=True)
class Cell:
    """A cell of a plane.

    Attributes
    ----------
    core, window : Window
        Its own pixels, and these with the halo, as far as the plane goes.
    """

    core: Window
    window: Window

    @property
    def inner(self) -> tuple[slice, slice]:
        """Index of the core in an array of the window."""
        y, x = self.core.top - self.window.top, self.core.left - self.window.left
        return slice(y, y + self.core.height), slice(x, x + self.core.width)


def cells(height: int, width: int, *, edge_px: int = EDGE_PX, halo_px: int = HALO_PX) -> Iterator[Cell]:
    """Yield the cells of a plane in raster order.

    Examples
    --------
    >>> [cell.window for cell in cells(4, 7, edge_px=5, halo_px=1)]
    [Window(top=0, left=0, height=4, width=6), Window(top=0, left=4, height=4, width=3)]
    """
    for top in range(0, height, edge_px):
        for left in range(0, width, edge_px):
            core = Window(top, left, min(edge_px, height - top), min(edge_px, width - left))
            first_row, first_column = max(0, top - halo_px), max(0, left - halo_px)
            window = Window(
                first_row,
                first_column,
                min(height, core.bottom + halo_px) - first_row,
                min(width, core.right + halo_px) - first_column,
            )
            yield Cell(core, window)
