"""How images become tiles: size, overlap and split."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from beadctl.errors import SettingsError
from beadctl.images import ReadOptions, Window

# Wide enough that most beads are whole in a tile.
OVERLAP_PX = 64


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
                f"--overlap {self.overlap} (tile.overlap) is not smaller than a tile, --size {self.size} "
                "(data.size); give a smaller --overlap"
            )

    def windows(self, area: Window) -> Iterator[Window]:
        """Yield the tiles of an image or a region of it, row by row."""
        height, width = min(self.size, area.height), min(self.size, area.width)
        for top in origins(area.height, self.size, self.overlap):
            for left in origins(area.width, self.size, self.overlap):
                yield Window(area.top + top, area.left + left, height, width)


def overlap_px(size: int, asked: int | None) -> int:
    """Return the overlap of neighbouring tiles of `size` px: as asked for, else 64 px or half of a tile.

    Examples
    --------
    >>> overlap_px(512, None), overlap_px(64, None), overlap_px(64, 8)
    (64, 32, 8)
    """
    return min(OVERLAP_PX, size // 2) if asked is None else asked


def origins(length: int, size: int, overlap: int) -> list[int]:
    """Return where tiles of `size` px start along an axis of `length` px, so that they cover it evenly.

    Neighbours have at least `overlap` px in common; an axis shorter than a tile has one.
    """
    if length <= size:
        return [0]
    count = -(-(length - overlap) // (size - overlap))
    return [round(index * (length - size) / (count - 1)) for index in range(count)]
