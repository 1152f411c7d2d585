"""The planes of a file as one field: what `--unit file` makes of the rows of a run."""

import dataclasses
from collections.abc import Sequence

from beadctl.results.ledger import Row


def file_rows(planes: Sequence[Row]) -> list[Row]:
    """Return one row for each file: counts and areas are the sums over its planes.

    A file of which a plane failed has no count, and one whose planes differ in pixel size neither.

    Parameters
    ----------
    planes : sequence of Row
        Of whole files, in any order.
    """
    files: dict[str, list[Row]] = {}
    for plane in planes:
        files.setdefault(plane.image, []).append(plane)
    return [_file(rows) for rows in files.values()]


def _file(rows: Sequence[Row]) -> Row:
    first = dataclasses.replace(rows[0], plane=0, position="")
    if failed := [row for row in rows if row.count is None]:
        reason = f"{len(failed)} of its {len(rows)} planes failed"
        return dataclasses.replace(first, status="failed", count=None, reason=reason)
    if len({row.pixel_size_um for row in rows}) > 1:
        reason = "its planes differ in pixel size"
        return dataclasses.replace(first, status="failed", count=None, reason=reason)
    areas_um2 = [row.field_area_um2 for row in rows if row.field_area_um2 is not None]
    return dataclasses.replace(
        first,
        count=sum(row.count or 0 for row in rows),
        field_area_px=sum(row.field_area_px or 0 for row in rows),
        field_area_um2=sum(areas_um2) if areas_um2 else None,
    )
