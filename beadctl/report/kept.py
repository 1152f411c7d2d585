"""What one page showed of planes, for the next page of a run that goes on: its images are not read again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beadctl.report.shares import Shares
from beadctl.results.ledger import Entry, Row


@dataclass(frozen=True)
class Drawn:
    """A plane as a page shows it.

    Attributes
    ----------
    made_of : object
        Of what it was drawn; it is drawn anew once that is another.
    packed, pictures : int
        Bytes of its beads, and of its pictures.
    content : mapping
        As `beadctl.report.planes.shown` yields it.
    """

    made_of: object
    packed: int
    pictures: int
    content: Mapping[str, Any]


@dataclass
class Kept:
    """The planes of the last page and of the one that is being made, by the names of image and plane."""

    before: dict[tuple[str, int], Drawn] = field(default_factory=dict)
    now: dict[tuple[str, int], Drawn] = field(default_factory=dict)

    def turn(self) -> None:
        """Begin a page: what the last one did not show is forgotten."""
        self.before, self.now = self.now, {}

    def add(self, row: Row, drawn: Drawn) -> None:
        """Keep a plane of this page."""
        self.now[row.image, row.plane] = drawn

    def find(self, row: Row, made_of: object, shares: Shares, key: int) -> Drawn | None:
        """Return a plane of the last page, if it would be drawn of the same and keeps to its share."""
        found = self.before.get((row.image, row.plane))
        if found is None or found.made_of != made_of:
            return None
        return found if found.pictures <= shares.picture(key, found.packed) else None


def source_of(entry: Entry, row: Row, *, outlined: bool) -> object:
    """Return of what a plane is drawn: its result, its image file as it is now, and how its beads are."""
    try:
        state = Path(entry.source).stat()
    except (OSError, ValueError):
        return object()
    return entry.key, row, outlined, state.st_mtime_ns, state.st_size
