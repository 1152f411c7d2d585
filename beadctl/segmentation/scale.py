"""At what scale the network looks at a plane: as it is, or shrunk until its beads are of a size it knows.

The network parts beads of about 4 to 100 px. A plane whose beads are larger is shrunk by a whole factor and
the maps are enlarged again, so that label images, areas and diameters stay in the pixels of the file. The
factor follows from the bead's diameter where somebody states it, else from the plane by `chosen`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from beadctl.errors import SettingsError
from beadctl.images import Window
from beadctl.segmentation.measure import BeadTable

FACTORS = (1, 2, 4, 8, 16)

# A stated bead larger than this is shrunk. The network was trained on beads almost twice as large, and it
# still parts those of a third of this.
LARGEST_PX = 64.0

# A bead looks like one where the network is sure of it and its outline is near its ellipse's. Pieces of
# something larger, and the texture on it, are neither.
CONFIDENCE, FILLING, ASPECT = 0.5, 0.88, 2.0

# Where so much of the area found looks like beads, the network has understood the plane.
ENOUGH = 0.7

# A coarser scale that is not sound enough either must at least be so many times as sound as the finest.
CLEARLY = 1.5

# What speaks for a coarser scale is beads too large for the finer one. Where most of the area found there
# lies in smaller ones than this, in the shrunk plane's pixels, they are clumps of small beads.
LEAST_TYPICAL_PX = 16.0

# A plane is not shrunk below this edge: nothing would be left to look at.
LEAST_EDGE_PX = 48

_DIAMETER = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(px|um|µm|μm|)\s*")


@dataclass(frozen=True)
class Diameter:
    """The diameter of a typical bead, as somebody stated it.

    Attributes
    ----------
    value : float
        Above 0.
    unit : str
        ``px`` or ``um``.
    """

    value: float
    unit: str

    @classmethod
    def parse(cls, text: str) -> "Diameter":
        """Read ``12``, ``12px`` or ``5um``.

        Raises
        ------
        SettingsError
            If the text is none of these, or not above 0.
        """
        match = _DIAMETER.fullmatch(text)
        if not match or float(match[1]) <= 0:
            raise SettingsError(f"--diameter {text}: not a diameter; give it as 12px or 5um")
        return cls(float(match[1]), "um" if match[2].endswith("m") else "px")

    def in_px(self, pixel_size_um: float | None) -> float | None:
        """Return the diameter in pixels; None where the pixel size that this takes is unknown."""
        if self.unit == "px":
            return self.value
        return self.value / pixel_size_um if pixel_size_um else None


def factor_for(diameter_px: float) -> int:
    """Return the smallest factor that brings a bead down to `LARGEST_PX`, or the largest there is."""
    return next((factor for factor in FACTORS if diameter_px / factor <= LARGEST_PX), FACTORS[-1])


def soundness(tables: Sequence[BeadTable]) -> float:
    """Return the share of the area found that lies in beads that look like beads, 0..1; 0 if there are none.

    A bead does where its confidence is at least 0.5, its area at least 0.88 of that of the ellipse
    with its second moments (1 for an ellipse, less for what is ragged or bent), and that ellipse at most
    twice as long as wide.
    """
    found = sound = 0
    for table in tables:
        ellipse = np.pi / 4 * table.major_axis_px * table.minor_axis_px
        whole = (
            (table.confidence >= CONFIDENCE)
            & (table.area_px >= FILLING * ellipse)
            & (table.major_axis_px <= ASPECT * table.minor_axis_px)
        )
        found, sound = found + int(table.area_px.sum()), sound + int(table.area_px[whole].sum())
    return sound / found if found else 0.0


def typical_px(tables: Sequence[BeadTable]) -> float:
    """Return the mean diameter of the beads found, each weighed by its area, px; 0 if there are none."""
    area = np.concatenate([table.area_px for table in tables])
    diameter = np.concatenate([table.diameter_px for table in tables])
    return float(area @ diameter / area.sum()) if len(area) else 0.0


def chosen(height: int, width: int, look: Callable[[int], Sequence[BeadTable]]) -> int:
    """Return the factor at which the network makes most sense of a plane.

    The finest scale is taken whose beads are sound, by `soundness` of at least `ENOUGH`: where beads are
    seen as they are, no coarser scale is tried, and small beads are never merged into a large one. Where
    no scale is that good the soundest is taken if it is clearly sounder than the plane as it is. A coarser
    scale only counts where most of what it finds is larger than `LEAST_TYPICAL_PX`.

    Parameters
    ----------
    height, width : int
        Size of the plane, px.
    look : callable
        ``look(factor)`` gives the beads that the network finds on the shrunk plane or parts of it; called
        for as few factors as it takes, finest first.
    """
    best, most, least = 1, 0.0, 0.0
    for factor in FACTORS:
        if factor > 1 and min(height, width) / factor < LEAST_EDGE_PX:
            break
        tables = look(factor)
        found = soundness(tables)
        if factor > 1 and typical_px(tables) < LEAST_TYPICAL_PX:
            continue
        if found >= ENOUGH:
            return factor
        least = found * CLEARLY if factor == 1 else least
        if found > max(most, least):
            best, most = factor, found
    return best


def sample_windows(height: int, width: int, edge: int = 1024, most: int = 4096) -> list[Window]:
    """Return the parts of a plane by which its scale is chosen: all of it, or of a large one two or four squares.

    The squares are cells of a grid over the plane, so that what the network gives for them serves for the
    plane too. The choice follows from the plane's size alone.

    Parameters
    ----------
    height, width : int
        Size of the plane, px.
    edge : int
        Of the squares, px.
    most : int
        A plane up to this height and width is looked at as a whole, px.
    """
    if max(height, width) <= most:
        return [Window(0, 0, height, width)]

    def starts(length: int) -> list[int]:
        cells = length // edge
        return [0] if cells < 2 else [edge * (cells // 4), edge * (3 * cells // 4)]

    return [
        Window(top, left, min(edge, height - top), min(edge, width - left))
        for top in starts(height)
        for left in starts(width)
    ]
