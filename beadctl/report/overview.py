"""What a run counted in all, and which figures its planes have."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from beadctl.report.distribution import Distribution
from beadctl.results.ledger import Row
from beadctl.words import form

PX_PER_MPX = 1e6
FAILED, FLAGGED, SOUND = "failed", "flagged", "ok"
ORDER = (FAILED, FLAGGED, SOUND)
"""States of a plane, in the order in which people look at them."""


def state_of(row: Row) -> str:
    """Return whether a plane failed, its count has a quality flag, or neither."""
    return FAILED if row.count is None else FLAGGED if row.quality else SOUND


@dataclass
class Overview:
    """Sums over the planes of a run.

    Attributes
    ----------
    states, flags : Counter of str
        Planes by their state, and by their quality flags.
    beads : int
        Beads of all planes.
    images : int
        Image files.
    in_um : bool
        Whether the pixel size of every counted plane is known, so that lengths can be told in um.
    has_field_interval : bool
        Whether the errors of the model are part of the interval of some count.
    """

    states: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    beads: int = 0
    images: int = 0
    in_um: bool = True
    has_field_interval: bool = False

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "Overview":
        """Sum up the planes."""
        found, before = cls(), None
        for row in rows:
            found.states[state_of(row)] += 1
            found.flags.update(row.quality.split())
            found.beads += row.count or 0
            # The planes of an image follow one another.
            found.images += row.image != before
            before = row.image
            if row.count is not None:
                found.in_um &= row.pixel_size_um is not None
                found.has_field_interval |= row.field_low is not None
        return found

    @property
    def planes(self) -> int:
        """Number of planes."""
        return self.states.total()

    @property
    def sentence(self) -> str:
        """What was counted, and what to look at."""
        images = f"{self.images:,} {form(self.images, 'image')}"
        planes = f", {self.planes:,} {form(self.planes, 'plane')}" if self.planes != self.images else ""
        words = [f"{self.beads:,} {form(self.beads, 'bead')} in {images}{planes}"]
        if self.states[FAILED]:
            words.append(f"{self.states[FAILED]:,} failed")
        if self.states[FLAGGED]:
            words.append(f"{self.states[FLAGGED]:,} to check: a quality flag doubts the count")
        return "; ".join(words) + "."

    def density(self, row: Row) -> float | None:
        """Return the beads of a plane per mm2, or per megapixel where pixel sizes are unknown."""
        if self.in_um or row.count is None or not row.field_area_px:
            return row.density_per_mm2
        return row.count / row.field_area_px * PX_PER_MPX


def distributions(
    overview: Overview, rows: Iterable[Row], beads: Iterable[Mapping[str, Any]]
) -> Sequence[Distribution]:
    """Return how diameters, densities and confidences are distributed, those that are known.

    Diameters leave out beads at the border of their plane, which may be cut off.

    Parameters
    ----------
    overview, rows : Overview and iterable of Row
        The planes, and what is said of all of them.
    beads : iterable of mapping
        As `beadctl.report.finished.Finished.beads` yields them.
    """
    unit = "µm" if overview.in_um else "px"
    per = "beads per mm²" if overview.in_um else "beads per megapixel"
    sizes = Distribution("Diameter", f"diameter, {unit}", "beads", "Beads at the border are left out.")
    densities = Distribution("Density", per, "planes")
    confidences = Distribution("Confidence", "confidence", "beads", "About the chance that a bead is one.")
    for row in rows:
        densities.add(overview.density(row))
    column = "diameter_um" if overview.in_um else "diameter_px"
    for bead in beads:
        confidences.add(bead["confidence"])
        if "border" not in bead["flags"].split():
            sizes.add(bead[column])
    return [one for one in (sizes, densities, confidences) if one.total]
