"""What a run has done so far, without the rows of all its images, which are in the ledger."""

from collections import deque
from dataclasses import dataclass, field

from beadctl.results.ledger import ImageResult, Row, Status
from beadctl.segmentation.count_rule import NARROW_GUARD

# Planes that a summary shows; all are in counts.csv.
SHOWN = 100


@dataclass
class Tally:
    """What a run has done so far.

    Attributes
    ----------
    images : list or deque of ImageResult, Status or None
        What became of the images so far, in the order of the run: the result where a plane failed, else
        ``ok`` or ``skipped``; None for one that a run which was given up did not reach. A deque of no length
        keeps none.
    failed : bool
        Whether any plane failed.
    shown : int
        Planes of which the rows are kept.
    first : list of Row
        These.
    planes, counted, flagged : int
        Planes, those with a count, and those whose count has a quality flag.
    beads, cut, filtered : int
        Beads, those that the border cuts where there is no counting frame, and those that the filters left
        out.
    """

    images: list[ImageResult | Status | None] | deque[ImageResult | Status | None] = field(
        default_factory=list
    )
    failed: bool = False
    shown: int = SHOWN
    first: list[Row] = field(default_factory=list)
    planes: int = 0
    counted: int = 0
    flagged: int = 0
    beads: int = 0
    cut: int = 0
    filtered: int = 0

    def miss(self) -> None:
        """Count the next image as one that was not reached."""
        self.images.append(None)

    def add(self, result: ImageResult) -> None:
        """Count the result of the next image."""
        rows = result.rows
        self.images.append(ImageResult(rows) if result.failed else rows[0].status)
        self.failed |= result.failed
        self.first += rows[: max(0, self.shown - len(self.first))]
        self.planes += len(rows)
        self.counted += sum(row.count is not None for row in rows)
        self.flagged += sum(row.count is not None and bool(row.quality) for row in rows)
        self.beads += sum(row.count or 0 for row in rows)
        # Those of a counting frame have this flag.
        self.cut += sum(row.border_beads or 0 for row in rows if NARROW_GUARD not in row.quality)
        self.filtered += sum(row.filtered or 0 for row in rows)
