"""How images become tiles: size, overlap and split."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from beadctl.errors import SettingsError
from beadctl.images import ReadOptions, Window


@dataclass(frozen=True)
class TilingOptions:
    """How images become tiles; a `SettingsError` if the overlap is not smaller than a tile.

    Attributes
    ----------
    size, overlap : int
        Edge of a tile and overlap of neighbours, px. An image or region that is smaller gives smaller tiles.
    val_fraction, test_fraction : float
        Shares of the images, together below 1.
    seed : int
        Random seed of the split, and of the choice among empty tiles.
    group_by : str or None
        Regular expression; images whose names have the same first group (or whole match) stay in one split.
        A name that does not match is a group of its own.
    min_beads : int
        Beads below which a tile counts as empty.
    keep_empty : float
        Share of the empty tiles that are kept.
    read : ReadOptions
        How image files are read; a stack needs `plane`.
    annotated : str
        Format and diameter of the annotations as text, to tell tiles of other annotation settings apart.
    """

    size: int
    overlap: int
    val_fraction: float
    test_fraction: float
    seed: int
    group_by: str | None = None
    min_beads: int = 1
    keep_empty: float = 1.0
    read: ReadOptions = field(default_factory=ReadOptions)
    annotated: str = "auto"

    def __post_init__(self) -> None:
        if self.overlap >= self.size:
            raise SettingsError(
                f"tile.overlap = {self.overlap} must be smaller than the tile ({self.size} px); "
                "give a smaller --overlap"
            )

    def windows(self, area: Window) -> Iterator[Window]:
        """Yield the tiles of an image or a region of it, row by row."""
        height, width = min(self.size, area.height), min(self.size, area.width)
        for top in origins(area.height, self.size, self.overlap):
            for left in origins(area.width, self.size, self.overlap):
                yield Window(area.top + top, area.left + left, height, width)


def origins(length: int, size: int, overlap: int) -> list[int]:
    """Return where tiles of `size` px start along an axis of `length` px, so that they cover it evenly.

    Neighbours have at least `overlap` px in common; an axis shorter than a tile has one.
    """
    if length <= size:
        return [0]
    count = -(-(length - overlap) // (size - overlap))
    return [round(index * (length - size) / (count - 1)) for index in range(count)]
