"""From the beads of a plane to its row of counts.csv."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.counting.detection import Band, band_of, combined_interval, detection_interval, field_interval
from beadctl.counting.interval import Interval, poisson_interval
from beadctl.images import Plane
from beadctl.results.ledger import Row
from beadctl.segmentation.plane import Segmented
from beadctl.segmentation.quality import DOUBTFUL
from beadctl.segmentation.touching import group_sizes
from beadctl.segmentation.unresolved import unresolved_beads

UM2_PER_MM2 = 1e6


def row_of(
    plane: Plane,
    shrink: int | None,
    segmented: Segmented,
    bands: Sequence[Band] = (),
    *,
    groups: NDArray[np.int64] | None = None,
) -> Row:
    """Return the row of a segmented plane, without the name of its image.

    Parameters
    ----------
    plane : Plane
        The plane of an image.
    shrink : int or None
        Factor by which it was shrunk for the network, if one looked at it.
    segmented : Segmented
        Its beads.
    bands : sequence of Band
        Validation figures of the model, where it has some that apply.
    groups : ndarray of int64, optional
        Numbers of beads that touch, by group; by default those of the label image.
    """
    table, um = segmented.table, plane.pixel_size_um
    count = len(table)
    field_px = plane.height * plane.width if segmented.inside is None else int(segmented.inside.sum())
    field_um2 = field_px * um**2 if um else None
    mean, *percentiles = _sizes(table.diameter_px) if count else [None] * 4
    sd = float(table.diameter_px.std(ddof=1)) if count > 1 else None
    mean_um, sd_um, *percentiles_um = [_times(value, um) for value in (mean, sd, *percentiles)]
    if groups is None:
        groups = group_sizes(segmented.labels, table.label)
    interval = poisson_interval(count)
    covered = float(table.area_px.sum() / field_px)
    return Row(
        image="",
        plane=plane.index,
        position=plane.position,
        status="ok",
        count=count,
        height_px=plane.height,
        width_px=plane.width,
        pixel_size_um=um,
        field_area_px=field_px,
        field_area_um2=field_um2,
        mean_diameter_px=mean,
        sd_diameter_px=sd,
        mean_diameter_um=mean_um,
        covered_fraction=covered,
        mean_confidence=known(float(np.mean(table.confidence))) if count else None,
        shrink=shrink,
        filtered=segmented.filtered,
        doubt=segmented.doubt,
        quality=" ".join(segmented.quality),
        count_low=interval.low,
        count_high=interval.high,
        density_per_mm2=count / field_um2 * UM2_PER_MM2 if field_um2 else None,
        p10_diameter_px=percentiles[0],
        p50_diameter_px=percentiles[1],
        p90_diameter_px=percentiles[2],
        sd_diameter_um=sd_um,
        p10_diameter_um=percentiles_um[0],
        p50_diameter_um=percentiles_um[1],
        p90_diameter_um=percentiles_um[2],
        singlets=int((groups == 1).sum()),
        doublets=int((groups == 2).sum()),
        clusters=int((groups > 2).sum()),
        unresolved_beads=unresolved_beads(table),
        border_beads=int(table.border.sum()),
        **_errors(count, covered, segmented, bands),
    )


def _errors(count: int, covered: float, segmented: Segmented, bands: Sequence[Band]) -> dict[str, Any]:
    """Return the columns of what the model's errors add to the count; those that are unknown are absent."""
    if segmented.thresholds is None:
        return {}
    low, high = segmented.thresholds
    columns: dict[str, Any] = {"threshold_low": low, "threshold_high": high}
    flagged = DOUBTFUL in segmented.quality
    band = band_of(bands, flagged=flagged, covered=covered, doubt=segmented.doubt or 0.0)
    if band is None:
        return columns
    detection = detection_interval(count, band)
    field = field_interval(count, detection, Interval(low, high), band.widening)
    ends = {"detection": detection, "field": field, "combined": combined_interval(count, field)}
    for name, interval in ends.items():
        columns |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return columns


def _sizes(diameters: NDArray[np.float64]) -> list[float]:
    """Return the mean and the 10th, 50th and 90th percentile."""
    return [float(diameters.mean()), *map(float, np.percentile(diameters, [10, 50, 90]))]


def known(value: float) -> float | None:
    """Return a figure as rows have it: None where it is unknown."""
    return None if math.isnan(value) else value


def _times(value: float | None, um: float | None) -> float | None:
    return value * um if value is not None and um else None
