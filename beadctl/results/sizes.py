"""The diameters of a run's beads: one row of statistics a group, and one for each bar of its histogram."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.console import Messages, bars, fail
from beadctl.counting.sizes import Histogram, Nominal, share_inside, size_histogram, size_statistics
from beadctl.counting.specimen import Specimen
from beadctl.errors import SettingsError
from beadctl.files import write_csv
from beadctl.results.groups import Grouping
from beadctl.results.ledger import ImageResult
from beadctl.results.plane_row import known
from beadctl.results.statistics_table import tell_rows
from beadctl.text import cell

FILE, HISTOGRAM_FILE = "sizes.csv", "size_histogram.csv"
TOLERANCE = "5%"
ALL = Specimen("all")


@dataclass(frozen=True)
class PlaneSizes:
    """The diameters of a plane's beads, px, without those that its border cuts; um a pixel, if known."""

    image: str
    diameters_px: NDArray[np.float64]
    cut: int
    pixel_size_um: float | None


@dataclass(frozen=True)
class SizeRow:
    """The beads of one group; see `beadctl.counting.sizes.SizeStatistics`.

    Attributes
    ----------
    sample, dilution : str and float or None
        What its images show; the sample ``all`` without groups.
    unit : str
        Of all lengths of the row: ``um``, or ``px`` where the pixel size is unknown.
    beads, cut : int
        Beads, and those that the border of an image cuts, which are left out.
    mean, sd, cv, d10, d50, d90, modes
        As there; modes are separated by spaces.
    nominal_um, tolerance_um : float or None
        Nominal diameter, and how far a bead may differ from it.
    inside, inside_share, inside_share_low, inside_share_high
        Beads within the tolerance, and their share with its 95 % interval; None without a nominal diameter.
    reason : str
        Why figures are missing.
    """

    sample: str
    dilution: float | None
    unit: str = ""
    beads: int = 0
    cut: int = 0
    mean: float | None = None
    sd: float | None = None
    cv: float | None = None
    d10: float | None = None
    d50: float | None = None
    d90: float | None = None
    modes: str = ""
    nominal_um: float | None = None
    tolerance_um: float | None = None
    inside: int | None = None
    inside_share: float | None = None
    inside_share_low: float | None = None
    inside_share_high: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class BarRow:
    """One bar of the histogram of a group; see `beadctl.counting.sizes.Histogram`.

    Attributes
    ----------
    sample, dilution, unit
        As in `SizeRow`.
    low, high : float
        Its ends.
    beads : int
        Beads from `low` to below `high`; of the last bar also those of just `high`.
    density : float
        Share of the beads over the width of the bar.
    """

    sample: str
    dilution: float | None
    unit: str
    low: float
    high: float
    beads: int
    density: float


COLUMNS = tuple(field.name for field in dataclasses.fields(SizeRow))
BAR_COLUMNS = tuple(field.name for field in dataclasses.fields(BarRow))
# Column -> its head in a table for people; columns without a value are left out.
HEADS = {
    "sample": "sample",
    "dilution": "dilution",
    "unit": "unit",
    "beads": "beads",
    "mean": "mean",
    "cv": "CV",
    "d10": "D10",
    "d50": "D50",
    "d90": "D90",
    "modes": "modes",
    "inside_share": "inside",
    "inside_share_low": "low",
    "inside_share_high": "high",
    "reason": "reason",
}


# Characters of a histogram in a table for people.
MOST_LEVELS = 24


@dataclass(frozen=True)
class GroupSizes:
    """A group: its row, its histogram if it has beads, and what they were compared with."""

    row: SizeRow
    histogram: Histogram | None = None
    nominal: Nominal | None = None


@dataclass(frozen=True)
class SizeReport:
    """That diameters are reported, and the nominal diameter that they are compared with, if any."""

    nominal: Nominal | None = None

    @classmethod
    def of(
        cls, *, sizes: bool = False, nominal_um: float | None = None, tolerance: str | None = None
    ) -> "SizeReport | None":
        """Return what is reported of diameters; None where nothing is asked.

        Parameters
        ----------
        sizes : bool
            Whether they are asked for; a nominal diameter asks for them too.
        nominal_um, tolerance : float and str, optional
            Nominal diameter, um, and how far a bead may differ from it, as `Nominal.parse` reads it.

        Raises
        ------
        SettingsError
            If the tolerance is none, or there is no diameter that it belongs to.
        """
        if tolerance and not nominal_um:
            raise SettingsError(f"--tolerance {tolerance}: of which diameter? give --nominal-um")
        if nominal_um:
            return cls(Nominal.parse(nominal_um, tolerance or TOLERANCE))
        return cls() if sizes else None

    def groups(self, planes: Sequence[PlaneSizes], grouping: Grouping | None) -> list[GroupSizes]:
        """Return the groups in the order of their first images; without a grouping all planes are one."""
        specimens: Mapping[str, Specimen] = grouping.specimens if grouping else {}
        groups: dict[Specimen, list[PlaneSizes]] = {}
        for plane in planes:
            if found := specimens.get(plane.image, None if grouping else ALL):
                groups.setdefault(dataclasses.replace(found, replicate=""), []).append(plane)
        return [self._group(specimen, members) for specimen, members in groups.items()]

    def _group(self, specimen: Specimen, planes: Sequence[PlaneSizes]) -> GroupSizes:
        row = SizeRow(specimen.sample, specimen.dilution, cut=sum(plane.cut for plane in planes))
        scales = [plane.pixel_size_um for plane in planes]
        remedy = "give --pixel-size"
        if None in scales and any(scales):
            reason = (
                f"the pixel size of {scales.count(None)} of its {len(scales)} planes is unknown; {remedy}"
            )
            return GroupSizes(dataclasses.replace(row, reason=reason))
        row = dataclasses.replace(row, unit="um" if any(scales) else "px")
        sizes = [plane.diameters_px * (plane.pixel_size_um or 1.0) for plane in planes]
        diameters = np.concatenate(sizes) if sizes else np.empty(0)
        if not diameters.size:
            return GroupSizes(row)
        row = dataclasses.replace(row, **_of_diameters(diameters))
        nominal = self.nominal
        if nominal and row.unit == "px":
            reason = f"the pixel size is unknown, which --nominal-um needs; {remedy}"
            row, nominal = dataclasses.replace(row, reason=reason), None
        if nominal:
            row = dataclasses.replace(row, **_of_nominal(diameters, nominal))
        return GroupSizes(row, size_histogram(diameters), nominal)


def _of_diameters(diameters: NDArray[np.float64]) -> dict[str, Any]:
    found = size_statistics(diameters)
    figures = {name: known(value) for name, value in vars(found).items() if name != "modes"}
    return {**figures, "modes": " ".join(map(cell, found.modes))}


def _of_nominal(diameters_um: NDArray[np.float64], nominal: Nominal) -> dict[str, Any]:
    share = share_inside(diameters_um, nominal)
    return {
        "nominal_um": nominal.diameter_um,
        "tolerance_um": nominal.tolerance_um,
        "inside": share.beads,
        "inside_share": share.share,
        "inside_share_low": share.interval.low,
        "inside_share_high": share.interval.high,
    }


def sizes_of(result: ImageResult) -> Iterator[PlaneSizes]:
    """Yield the diameters of each counted plane of an image."""
    whole: dict[int, list[float]] = defaultdict(list)
    cut = Counter[int]()
    for bead in result.beads():
        if "border" in bead["flags"].split():
            cut[bead["plane"]] += 1
        else:
            # As beads.csv has it, from which the beads of an earlier run are taken.
            whole[bead["plane"]].append(float(cell(bead["diameter_px"])))
    for row in result.rows:
        if row.count is not None:
            yield PlaneSizes(row.image, np.array(whole[row.plane], float), cut[row.plane], row.pixel_size_um)


def bar_rows(groups: Sequence[GroupSizes]) -> Iterator[BarRow]:
    """Yield the rows of size_histogram.csv."""
    for group in groups:
        if group.histogram:
            name = group.row.sample, group.row.dilution, group.row.unit
            edges = group.histogram.edges.tolist()
            counted = zip(edges, edges[1:], group.histogram.beads, group.histogram.density, strict=False)
            for low, high, beads, density in counted:
                yield BarRow(*name, low, high, int(beads), float(density))


def write_sizes(folder: Path, groups: Sequence[GroupSizes]) -> None:
    """Write sizes.csv, size_histogram.csv and, where matplotlib is installed, sizes.png and sizes.svg."""
    write_csv(folder / FILE, COLUMNS, (vars(group.row) for group in groups), rounded=True)
    write_csv(folder / HISTOGRAM_FILE, BAR_COLUMNS, map(vars, bar_rows(groups)), rounded=True)
    if find_spec("matplotlib"):
        from beadctl.results.sizes_plot import draw

        draw(folder, groups)


def tell_sizes(groups: Sequence[GroupSizes], messages: Messages) -> bool:
    """Print the sizes for people and a line for each group that lacks some; return whether there is one."""
    rows = [group.row for group in groups]
    drawn = [_levels(group.histogram.beads) if group.histogram else "" for group in groups]
    tell_rows("Diameters", HEADS, rows, messages, bars=("histogram", drawn))
    for row in rows:
        if row.reason:
            fail(f"diameters of {Specimen(row.sample, row.dilution).group}: {row.reason}")
    return any(row.reason for row in rows)


def _levels(beads: NDArray[np.int64]) -> str:
    """Return a histogram as bars in a line; where there are more than fit, so many neighbours are one."""
    neighbours = -(-beads.size // MOST_LEVELS)
    return bars.levels(np.add.reduceat(beads, np.arange(0, beads.size, neighbours)).tolist())
