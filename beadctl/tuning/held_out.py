"""The annotated images of a split, whole, on which a model is calibrated or compared."""

from collections.abc import Sequence
from dataclasses import dataclass

from beadctl.annotations.sample import Sample
from beadctl.dataset import manifest
from beadctl.dataset.manifest import TileRow
from beadctl.images import ReadOptions
from beadctl.words import number_of


@dataclass(frozen=True)
class HeldOut:
    """Images of a split.

    Attributes
    ----------
    samples : tuple of Sample
        The whole images; their tiles where an image is divided among splits.
    read : ReadOptions
        How they are read.
    split : str
        ``val`` or ``test``.
    are_tiles : bool
        Whether they are tiles.
    """

    samples: tuple[Sample, ...]
    read: ReadOptions
    split: str
    are_tiles: bool

    @classmethod
    def of(
        cls, samples: Sequence[Sample], rows: Sequence[TileRow], split: str, read: ReadOptions
    ) -> "HeldOut":
        """Return the images of a split, by the manifest of the tiles that were cut from them.

        Parameters
        ----------
        samples, read : sequence of Sample and ReadOptions
            All annotated images, and how they are read.
        rows : sequence of TileRow
            The manifest.
        split : str
            ``val`` or ``test``.
        """
        wanted = {row.source for row in rows if row.split == split}
        if wanted & {row.source for row in rows if row.split != split}:
            tiles = manifest.samples(row for row in rows if row.split == split)
            return cls(tuple(tiles), ReadOptions(), split, are_tiles=True)
        whole = tuple(sample for sample in samples if sample.name in wanted)
        return cls(whole, read, split, are_tiles=False)

    def __str__(self) -> str:
        """Return how many they are, as words."""
        split = "test" if self.split == "test" else "validation"
        return number_of(len(self.samples), f"{split} {'tile' if self.are_tiles else 'image'}")


def compared_split(rows: Sequence[TileRow]) -> str:
    """Return on which split to compare: ``test`` where it has beads, else ``val``."""
    return "test" if any(row.split == "test" and row.beads for row in rows) else "val"
