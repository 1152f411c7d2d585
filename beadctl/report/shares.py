"""How the bytes of a page are divided among its planes, so that it opens in a browser and can be sent."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from beadctl.results.ledger import Row

# Of pictures and beads of all planes, before they are written as text of four letters for three bytes.
PAGE_BYTES = 33_000_000
# Pictures of one plane: at least and at most.
LEAST_BYTES, MOST_BYTES = 20_000, 700_000
# A bead as a circle, compressed; what an outline adds, times the root of the diameter in px.
CIRCLE_BYTES, OUTLINE_BYTES = 9, 10
# The part of what is left when each plane has its least that goes to outlines before pictures.
OUTLINES_SHARE = 0.6


@dataclass(frozen=True)
class Shares:
    """The planes that a page shows, and how.

    Attributes
    ----------
    planes : mapping of int to Row
        Planes by their key.
    outlined : mapping of int to int
        Bytes that are set aside for outlines, by the key of the plane: planes of few beads first. The beads
        of other planes are circles.
    a_picture : int
        Bytes of the pictures of a plane.
    """

    planes: Mapping[int, Row]
    outlined: Mapping[int, int]
    a_picture: int

    @classmethod
    def of(cls, planes: Iterable[tuple[int, Row]]) -> "Shares":
        """Divide a page among the first of these planes, as many as it can hold.

        Examples
        --------
        >>> counts = [10] * 9 + [10**6] * 9
        >>> rows = [Row("a.tif", 0, "", "ok", count, mean_diameter_px=16.0) for count in counts]
        >>> shares = Shares.of(enumerate(rows))
        >>> len(shares.planes), list(shares.outlined), shares.a_picture
        (12, [0, 1, 2, 3, 4, 5, 6, 7, 8], 499632)
        """
        chosen, left = dict[int, Row](), PAGE_BYTES
        for key, row in planes:
            least = LEAST_BYTES + CIRCLE_BYTES * (row.count or 0)
            if chosen and least > left:
                break
            chosen[key] = row
            left -= least
        room, outlined = OUTLINES_SHARE * left, dict[int, int]()
        for key, row in sorted(chosen.items(), key=lambda item: item[1].count or 0):
            more = math.ceil(OUTLINE_BYTES * math.sqrt(row.mean_diameter_px or 0) * (row.count or 0))
            if more > room:
                break
            outlined[key] = more
            room, left = room - more, left - more
        a_picture = min(MOST_BYTES, LEAST_BYTES + max(0, left) // max(1, len(chosen)))
        return cls(chosen, outlined, a_picture)

    def picture(self, key: int, beads: int) -> int:
        """Return the bytes of a plane's pictures if its beads took so many: a plane keeps to its share."""
        aside = self.outlined.get(key, 0) + CIRCLE_BYTES * (self.planes[key].count or 0)
        return max(1, min(MOST_BYTES, self.a_picture + aside - beads))
