"""From the rows of planes to dilution series: what is pooled, refused and left out."""

from pathlib import PurePosixPath

import pytest

from beadctl.errors import SettingsError
from beadctl.images import Found
from beadctl.results.groups import Grouping
from beadctl.results.ledger import Row
from beadctl.results.series import level_rows, series_of, series_row
from beadctl.results.summary import Statistics, Summary

COUNTS = {"A_1x": 100, "A_2x": 49, "A_4x": 26, "B_1x": 40, "B_3x": 12, "B_9x": 5}


def grouping(series=True):
    found = [Found(PurePosixPath(f"{name}.tif"), PurePosixPath(f"{name}.tif")) for name in COUNTS]
    return Grouping.of(found, r"(?P<sample>\w)_(?P<dilution>\d+)x", dilution_series=series)


def planes(um=0.5, **counts):
    return [
        Row(
            f"{name}.tif", 0, "", "ok", count, pixel_size_um=um, field_area_px=100, field_area_um2=100 * um**2
        )
        for name, count in (COUNTS | counts).items()
    ]


def test_samples_are_apart():
    series = series_of(grouping(), planes())
    assert [(one.sample, len(one.fields)) for one in series] == [("A", 3), ("B", 3)]
    first, second = map(series_row, series)
    assert (first.beads, first.levels, second.beads) == (175, 3, 57)
    assert first.stock_count == pytest.approx(175 / (1 + 0.5 + 0.25))
    levels = list(level_rows(series))
    assert [(level.sample, level.dilution, level.mean_count) for level in levels[2:4]] == [
        ("A", 4, pytest.approx(26)),
        ("B", 1, pytest.approx(40)),
    ]


def test_intervals_are_between_replicates_where_these_are_stated():
    """Two replicates of three fields at each dilution, that differ more than their fields."""
    names = [
        f"{factor}x_{replicate}{field}.tif" for factor in (1, 2, 4) for replicate in "AB" for field in "012"
    ]
    counts = [100, 98, 103, 70, 72, 69, 36, 35, 33, 50, 52, 49, 25, 24, 27, 17, 18, 17]
    rows = [
        Row(name, 0, "", "ok", count, field_area_px=100) for name, count in zip(names, counts, strict=True)
    ]
    found = [Found(PurePosixPath(name), PurePosixPath(name)) for name in names]

    def row(expression):
        (series,) = series_of(Grouping.of(found, expression, dilution_series=True), rows)
        return series_row(series)

    by_fields = row(r"(?P<dilution>\d+)x")
    by_replicates = row(r"(?P<dilution>\d+)x_(?P<replicate>[AB])")
    assert (by_fields.fields, by_fields.replicates, by_fields.interval_by) == (18, 0, "fields")
    assert (by_replicates.fields, by_replicates.replicates, by_replicates.interval_by) == (
        18,
        6,
        "replicates",
    )
    assert by_replicates.slope_high - by_replicates.slope_low > 1.5 * (
        by_fields.slope_high - by_fields.slope_low
    )
    assert by_replicates.r2 == pytest.approx(by_fields.r2, abs=0.02)


def test_a_replicate_of_one_dilution_alone_is_refused():
    """The counts of a fit would be those of fields and of replicates."""
    found = [Found(PurePosixPath(f"{name}.tif"), PurePosixPath(f"{name}.tif")) for name in COUNTS]
    with pytest.raises(SettingsError, match=r"for A_2x.tif, A_4x.tif, but for others of the sample"):
        Grouping.of(found, r"(?P<sample>A)_(?P<dilution>\d+)(?P<replicate>(?<=_1)x)?", dilution_series=True)


def test_what_is_unknown_is_an_empty_cell():
    """Counts that are all equal have no R2."""
    first, _ = map(series_row, series_of(grouping(), planes(A_1x=50, A_2x=50, A_4x=50)))
    assert (first.r2, first.r2_log) == (None, None)
    assert first.slope == pytest.approx(0, abs=1e-6)


def test_planes_without_a_count_are_left_out_and_two_levels_have_no_fit():
    rows = planes(B_9x=None)
    _, second = series_of(grouping(), rows)
    assert second.found is None
    assert "2 dilutions, 2 of them with beads" in series_row(second).reason
    assert list(level_rows([second])) == []


def test_pixel_sizes_that_differ_are_a_reason():
    first, second = series_of(grouping(), planes()[:2] + planes(um=0.65)[2:])
    assert "differ in pixel size" in first.reason
    assert second.found


def test_series_are_made_only_if_asked_for():
    assert Summary.of(Statistics(grouping(series=False)), planes(), ()).series == ()
    assert len(Summary.of(Statistics(grouping()), planes(), ()).series) == 2
    assert Summary.of(Statistics(), planes(), ()) == Summary()
