"""The planes of a file as one field: what `--unit file` makes of the rows of a run."""

from collections.abc import Sequence

from beadctl.counting.detection import pooled_interval
from beadctl.counting.interval import Interval
from beadctl.results.ledger import Row


def file_rows(planes: Sequence[Row]) -> list[Row]:
    """Return one row for each file: counts and areas are the sums over its planes, flags those of any.

    For the ends of intervals see `pooled_errors`. A file of which a plane failed has no count, and one whose
    planes differ in pixel size neither.

    Parameters
    ----------
    planes : sequence of Row
        Of whole files, in any order.
    """
    files: dict[str, list[Row]] = {}
    for plane in planes:
        files.setdefault(plane.image, []).append(plane)
    return [_file(rows) for rows in files.values()]


def pooled_errors(rows: Sequence[Row]) -> Interval | None:
    """Return the interval of the true number of beads in all planes, or None where one has none.

    See `beadctl.counting.detection.pooled_interval`.
    """
    fields = [
        Interval(row.field_low, row.field_high)
        for row in rows
        if row.field_low is not None and row.field_high is not None
    ]
    return pooled_interval([row.count or 0 for row in rows], fields) if len(fields) == len(rows) else None


def _file(rows: Sequence[Row]) -> Row:
    first = rows[0]
    if failed := [row for row in rows if row.count is None]:
        reason = f"{len(failed)} of its {len(rows)} planes failed"
        return Row(first.image, 0, "", "failed", reason=reason)
    if len({row.pixel_size_um for row in rows}) > 1:
        return Row(first.image, 0, "", "failed", reason="its planes differ in pixel size")
    errors = pooled_errors(rows)
    return Row(
        first.image,
        0,
        "",
        first.status,
        count=sum(row.count or 0 for row in rows),
        pixel_size_um=first.pixel_size_um,
        field_area_px=sum(row.field_area_px or 0 for row in rows),
        field_area_um2=_sum([row.field_area_um2 for row in rows]),
        field_low=errors.low if errors else None,
        field_high=errors.high if errors else None,
        quality=" ".join(dict.fromkeys(flag for row in rows for flag in row.quality.split())),
    )


def _sum(values: Sequence[float | None]) -> float | None:
    """Return the sum of values, None where one is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
