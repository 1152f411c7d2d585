"""The tiles of one image, recorded beside them so that another run need not cut them again."""

import json
from dataclasses import dataclass
from pathlib import Path

from beadctl.dataset.manifest import TileRow
from beadctl.files import write_text

FOLDER = ".beadctl"


@dataclass(frozen=True)
class TileRecord:
    """The tiles of one image.

    Attributes
    ----------
    key : str
        Fingerprint of the files and settings that the tiles were cut from.
    source : str
        Name of the image.
    density : float
        Beads per pixel of the image.
    rows : tuple of TileRow
        The tiles, without a split.
    """

    key: str
    source: str
    density: float
    rows: tuple[TileRow, ...]

    def write(self, out_dir: Path, stem: str) -> None:
        """Write the record of the tiles below `out_dir` whose names begin with `stem`."""
        rows = [row.cells(out_dir) for row in self.rows]
        # Not durable: after a power cut, tiles without a readable record are cut again.
        write_text(_path(out_dir, stem), json.dumps({**vars(self), "rows": rows}), durable=False)

    def remove(self, out_dir: Path, stem: str) -> None:
        """Delete the tiles, and last the record, so that a killed run leaves it to the next one."""
        for row in self.rows:
            row.image.unlink(missing_ok=True)
            row.mask.unlink(missing_ok=True)
        _path(out_dir, stem).unlink(missing_ok=True)

    @classmethod
    def read(cls, out_dir: Path, stem: str) -> "TileRecord | None":
        """Return the record that `write` wrote; None if there is none or it is damaged."""
        try:
            found = json.loads(_path(out_dir, stem).read_text(encoding="utf-8"))
            rows = tuple(TileRow.of(out_dir, row) for row in found.pop("rows"))
            return cls(**found, rows=rows)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None


def stems(out_dir: Path) -> list[str]:
    """Return what the names of the tiles begin with, of each image that has a record."""
    return sorted(path.stem for path in (out_dir / FOLDER).glob("*.json"))


def _path(out_dir: Path, stem: str) -> Path:
    return out_dir / FOLDER / f"{stem}.json"
