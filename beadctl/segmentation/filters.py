"""Filters on the size and shape of finished beads, as those of ImageJ's "Analyze Particles"."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.errors import ImageError, SettingsError
from beadctl.segmentation.bead_table import BeadTable
from beadctl.segmentation.sizes import Area, Diameter
from beadctl.words import number_of

# Limits include a bead of just that size, whatever the rounding of um.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Filters:
    """Which of the finished beads are kept; a limit of None keeps all, and a limit itself is kept.

    Attributes
    ----------
    min_area, max_area : Area or None
        Of the bead's pixels, its filled holes included.
    min_diameter, max_diameter : Diameter or None
        Of the disc of equal area.
    min_circularity : float or None
        Least ``4 pi A / P**2``, 0 to 1. A bead whose circularity is unknown, such as one of two pixels or a
        short line, is not kept.
    """

    min_area: Area | None = None
    max_area: Area | None = None
    min_diameter: Diameter | None = None
    max_diameter: Diameter | None = None
    min_circularity: float | None = None

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> "Filters":
        """Read the filters among settings: names as the attributes, sizes as text or as numbers of px.

        Raises
        ------
        SettingsError
            If a size is none, or a least size is above the largest one in the same unit.
        """
        kinds: dict[str, type[Area] | type[Diameter]] = {"area": Area, "diameter": Diameter}
        limits: dict[str, Any] = {
            name: kind.parse(str(asked[name]), f"--{name.replace('_', '-')}")
            for what, kind in kinds.items()
            for name in (f"min_{what}", f"max_{what}")
            if asked.get(name)
        }
        filters = cls(**limits, min_circularity=asked.get("min_circularity") or None)
        if crossed := filters._crossed():
            raise SettingsError(f"{crossed}; no bead would be left: exchange them, or leave one out")
        return filters

    @property
    def names(self) -> tuple[str, ...]:
        """The flags of the limits that are set."""
        return tuple(f"--{name.replace('_', '-')}" for name, limit in vars(self).items() if limit)

    def in_px(self, pixel_size_um: float | None) -> "Filters":
        """Return the same filters with sizes in px.

        Raises
        ------
        ImageError
            If a size is in um and the pixel size is unknown, or a least size is above the largest one.
        """
        sizes: dict[str, Any] = {}
        for name, limit in vars(self).items():
            if isinstance(limit, Area | Diameter):
                px = limit.in_px(pixel_size_um)
                if px is None:
                    flag = f"--{name.replace('_', '-')}"
                    raise ImageError(f"its pixel size is unknown; give --pixel-size, or {flag} in px")
                sizes[name] = type(limit)(px, "px")
        filters = Filters(**sizes, min_circularity=self.min_circularity)
        if crossed := filters._crossed():
            raise ImageError(f"in its pixels {crossed}; no bead would be left: change one")
        return filters

    def _crossed(self) -> str:
        """Return which least size is above the largest one in the same unit; empty if none is.

        An area is compared with a diameter as that of a disc.
        """
        leasts = ("--min-area", self.min_area), ("--min-diameter", self.min_diameter)
        mosts = ("--max-area", self.max_area), ("--max-diameter", self.max_diameter)
        for (lower, least), (upper, most) in product(leasts, mosts):
            if least and most and least.unit == most.unit and least.across > most.across * (1 + _ROUNDING):
                return f"{lower} {least.value:g} is above {upper} {most.value:g}"
        return ""

    def kept(self, table: BeadTable) -> NDArray[np.bool_]:
        """Return which beads are kept, bool (N,); sizes have to be in px."""
        kept = np.ones(len(table), bool)
        for least, most, column in (
            (self.min_area, self.max_area, table.area_px),
            (self.min_diameter, self.max_diameter, table.diameter_px),
        ):
            if least:
                kept &= column >= least.value * (1 - _ROUNDING)
            if most:
                kept &= column <= most.value * (1 + _ROUNDING)
        if self.min_circularity:
            kept &= table.circularity >= self.min_circularity * (1 - _ROUNDING)
        return kept

    def note(self, left_out: int, kept: int) -> str:
        """Return what a run says of the beads that the filters left out."""
        return f"{left_out} of {number_of(left_out + kept, 'bead')} left out by {', '.join(self.names)}"
