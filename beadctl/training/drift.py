"""How far the beads of one model file lie from those of another, on the same images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from beadctl.errors import ModelError
from beadctl.evaluation.metrics import MatchCounts, instance_counts, pixel_counts
from beadctl.images import Plane
from beadctl.model.session import Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import segment_plane
from beadctl.words import number_of


@dataclass(frozen=True)
class DriftLimits:
    """Bounds of a `Drift`, above which a file is not to be used in place of the other.

    A bead that is matched in both files is matched with an annotated one by both or by neither, but for IoU
    near the threshold, so no F1 changes by much more than the share of unmatched beads. An outline that is
    off by a tenth of a pixel changes a diameter by at most a fifth of one, less than the grid of the pixels
    can tell.

    Attributes
    ----------
    counts : float
        Differences of the counts, summed over the planes without their signs, over the sum of the counts.
    unmatched : float
        One minus the F1 of the beads at IoU 0.5.
    outline_px : float
        Pixels in the masks of one file alone, over the length of all outlines: their mean distance, px.
    """

    counts: float = 0.005
    unmatched: float = 0.005
    outline_px: float = 0.1


LIMITS = DriftLimits()


@dataclass(frozen=True)
class Drift:
    """The differences of two files, summed over planes.

    Attributes
    ----------
    planes, beads, found : int
        Planes compared, and the beads of the first and of the second file on them.
    differences : int
        Differences of the counts of the planes, without their signs.
    matches : MatchCounts
        Beads of both files, matched at IoU 0.5.
    pixels : MatchCounts
        Of the masks.
    outlines_px : float
        Length of the outlines of the first file, px.
    """

    planes: int = 0
    beads: int = 0
    found: int = 0
    differences: int = 0
    matches: MatchCounts = field(default_factory=MatchCounts)
    pixels: MatchCounts = field(default_factory=MatchCounts)
    outlines_px: float = 0.0

    @property
    def figures(self) -> DriftLimits:
        """The drift in the measures of its limits; it needs a bead of the first file."""
        return DriftLimits(
            self.differences / self.beads,
            1 - self.matches.f1,
            (self.pixels.fp + self.pixels.fn) / max(self.outlines_px, 1.0),
        )

    def __str__(self) -> str:
        """Return the drift as words."""
        figures = self.figures
        return (
            f"{number_of(self.beads, 'bead')} in {number_of(self.planes, 'plane')} became {self.found}; "
            "counts differ by "
            f"{figures.counts:.2%}, {figures.unmatched:.2%} of the beads have no match, outlines differ by "
            f"{figures.outline_px:.3f} px"
        )

    def require(self, limits: DriftLimits, out: Path, what: str) -> None:
        """Raise a `ModelError` if the first file found no bead or the drift is above a limit.

        Parameters
        ----------
        limits : DriftLimits
            The bounds.
        out, what : Path and str
            The second file, which is not to be written then, and what it is, for the message.
        """
        if not self.beads:
            raise ModelError(
                f"{out}: without a bead in the images {what} cannot be compared with its source; no file was "
                "written; give other images"
            )
        figures = self.figures
        if (
            figures.counts > limits.counts
            or figures.unmatched > limits.unmatched
            or figures.outline_px > limits.outline_px
        ):
            raise ModelError(
                f"{out}: {what} drifts too far: {self} (at most {limits.counts:.1%}, "
                f"{limits.unmatched:.1%} and {limits.outline_px:g} px); no file was written; keep to "
                "single precision"
            )


def drift_of(
    first: Model,
    second: Model,
    planes: Sequence[Plane],
    options: SegmentOptions,
    advance: Callable[[], object] = lambda: None,
) -> Drift:
    """Segment planes with two models, and compare the beads.

    Parameters
    ----------
    first, second : Model
        The opened files.
    planes : sequence of Plane
        What to compare on.
    options : SegmentOptions
        How planes become beads, for both.
    advance : callable
        Called after each plane.

    Raises
    ------
    ImageError
        If a plane cannot be read.
    """
    drift = Drift()
    for plane in planes:
        with plane.open() as pixels:
            one, other = (
                segment_plane(pixels, model, options, pixel_size_um=plane.pixel_size_um)
                for model in (first, second)
            )
        drift = Drift(
            drift.planes + 1,
            drift.beads + len(one.table),
            drift.found + len(other.table),
            drift.differences + abs(len(one.table) - len(other.table)),
            drift.matches + instance_counts(one.labels, other.labels).at(0.5),
            drift.pixels + pixel_counts(one.labels, other.labels),
            drift.outlines_px + float(one.table.perimeter_px.sum()),
        )
        advance()
    return drift
