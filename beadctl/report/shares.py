"""How the bytes of a page are divided among its planes, so that it opens in a browser and can be sent."""

from collections.abc import Iterable
from dataclasses import dataclass

from beadctl.results.ledger import Row

# Of pictures and beads of all planes, before they are written as text of four letters for three bytes.
PAGE_BYTES = 33_000_000
# Pictures of one plane: at least and at most.
LEAST_BYTES, MOST_BYTES = 20_000, 700_000
# A bead as a circle, and as an outline, compressed.
CIRCLE_BYTES, OUTLINE_BYTES = 9, 40
# The part of what each plane has beyond its least that goes to outlines before pictures.
OUTLINES_SHARE = 0.6


@dataclass(frozen=True)
class Shares:
    """The planes that a page shows, and how.

    Attributes
    ----------
    planes : mapping of int to Row
        Planes by their key.
    outlined : frozenset of int
        Those whose beads are shown with their outlines: planes of few beads first. Others have circles.
    a_picture : int
        Bytes of the pictures of a plane.
    """

    planes: dict[int, Row]
    outlined: frozenset[int]
    a_picture: int

    @classmethod
    def of(cls, planes: Iterable[tuple[int, Row]]) -> "Shares":
        """Divide a page among the first of these planes, as many as it can hold.

        Examples
        --------
        >>> rows = [(key, Row("a.tif", key, "", "ok", 10 if key < 10 else 1_000_000)) for key in range(20)]
        >>> shares = Shares.of(rows)
        >>> len(shares.planes), sorted(shares.outlined), shares.a_picture
        (13, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 461230)
        """
        chosen, left = dict[int, Row](), PAGE_BYTES
        for key, row in planes:
            left -= LEAST_BYTES + CIRCLE_BYTES * (row.count or 0)
            if chosen and left < 0:
                left += LEAST_BYTES + CIRCLE_BYTES * (row.count or 0)
                break
            chosen[key] = row
        room, outlined = OUTLINES_SHARE * left, set[int]()
        for key, row in sorted(chosen.items(), key=lambda item: item[1].count or 0):
            more = (OUTLINE_BYTES - CIRCLE_BYTES) * (row.count or 0)
            if more > room:
                break
            room, left = room - more, left - more
            outlined.add(key)
        a_picture = min(MOST_BYTES, LEAST_BYTES + max(0, left) // max(1, len(chosen)))
        return cls(chosen, frozenset(outlined), a_picture)
