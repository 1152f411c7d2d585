"""The table of a page: a row for each plane, with numbers to sort by and texts to search."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from beadctl.report.finished import Finished
from beadctl.report.overview import ORDER, Overview, state_of
from beadctl.results.formats import Output, format_of
from beadctl.results.ledger import Row

# Decimals of columns; figures of others have three digits.
DECIMALS = {"confidence": 2, "covered": 1, "doubt": 0}


@dataclass(frozen=True)
class Column:
    """A column of the table of images.

    Attributes
    ----------
    key, head, unit, meaning : str
        Its name, heading, unit, and what it is, in words.
    number : bool
        Whether it holds numbers.
    """

    key: str
    head: str
    unit: str
    meaning: str
    number: bool = True


def columns_of(overview: Overview, rows: Sequence[Row]) -> list[Column]:
    """Return the columns that have a value in one of the rows."""
    interval = (
        "95 % interval of the true number of beads in the field"
        if overview.has_field_interval
        else "95 % interval of the expected count, if beads lie at random"
    )
    unit, per = ("µm", "per mm²") if overview.in_um else ("px", "per Mpx")
    found = (
        Column("count", "beads", "", "Beads that were counted"),
        Column("interval", "95 % interval", "", interval),
        Column("density", "density", per, f"Beads {per.replace('Mpx', 'megapixel')}"),
        Column("diameter", "median diameter", unit, f"Median diameter, {unit}"),
        Column("confidence", "confidence", "", "Mean confidence of the beads"),
        Column("covered", "covered", "%", "Area of the beads over that of the field"),
        Column("doubt", "doubt", "%", "Estimated probability that the count is off by more than a fifth"),
        Column("flags", "flags", "", "Quality flags of the count", number=False),
        Column("reason", "reason", "", "Why there is no count", number=False),
    )
    cells = [_values(overview, row) for row in rows]
    return [column for column in found if any(values[column.key] not in (None, "") for values in cells)]


def _values(overview: Overview, row: Row) -> dict[str, float | str | None]:
    """Return the values of a row by the key of the column: numbers to sort by, or texts."""
    low = row.field_low if overview.has_field_interval else row.count_low
    return {
        "count": row.count,
        "interval": low,
        "density": overview.density(row),
        "diameter": row.p50_diameter_um if overview.in_um else row.p50_diameter_px,
        "confidence": row.mean_confidence,
        "covered": None if row.covered_fraction is None else 100 * row.covered_fraction,
        "doubt": None if row.doubt is None else 100 * row.doubt,
        "flags": row.quality,
        "reason": row.reason if row.count is None else "",
    }


def row_of(
    finished: Finished, overview: Overview, columns: Sequence[Column], key: int, row: Row, *, pictured: bool
) -> dict[str, Any]:
    """Return what the table shows of a plane.

    Parameters
    ----------
    finished, overview : Finished and Overview
        The run, and what is said of all its planes.
    columns : sequence of Column
        From `columns_of`.
    key, row : int and Row
        The plane.
    pictured : bool
        Whether the page has a picture of it.
    """
    values = _values(overview, row)
    texts = {name: _text(name, value) for name, value in values.items()}
    high = row.field_high if overview.has_field_interval else row.count_high
    texts["interval"] = "" if high is None else f"{texts['interval']} to {_text('interval', high)}"
    state = state_of(row)
    return {
        "key": key,
        "image": row.image,
        "position": row.position,
        "state": state,
        "rank": ORDER.index(state),
        "search": " ".join((row.image, row.position, row.quality, row.reason)).lower(),
        "cells": [(column, values[column.key], texts[column.key]) for column in columns],
        "pictured": pictured,
        "overlay": "" if pictured or row.count is None else _overlay(finished, row),
    }


def _text(name: str, value: float | str | None) -> str:
    match value:
        case None | str():
            return value or ""
        case int():
            return f"{value:,}"
        case float() if name in DECIMALS:
            return f"{value:.{DECIMALS[name]}f}"
        case float():
            return f"{value:,.0f}" if value >= 100 or not value else f"{value:#.3g}"


def _overlay(finished: Finished, row: Row) -> str:
    """Return the address of a plane's overlay beside the page; empty where there is none, and in a stack."""
    name = finished.names.get(row.image)
    if name is None or row.position:
        return ""
    (path,) = format_of(Output.OVERLAYS).paths(name, 1)
    return quote(os.fsencode(path)) if finished.has(path) else ""
