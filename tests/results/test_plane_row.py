"""The row of a plane: figures of its beads, and None where there is nothing to tell."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from beadctl.counting.detection import Band, combined_interval, detection_interval, field_interval
from beadctl.counting.interval import Interval, poisson_interval
from beadctl.results.plane_row import row_of
from beadctl.segmentation.measure import measure
from beadctl.segmentation.plane import Segmented


def plane(shape, um):
    return SimpleNamespace(index=2, position="Z=2", height=shape[0], width=shape[1], pixel_size_um=um)


def squares():
    """One alone, two that touch, three in a chain: edges of 2 to 7 px."""
    labels = np.zeros((40, 60), np.uint32)
    places = ((2, 2, 2), (10, 2, 3), (10, 5, 4), (20, 10, 5), (25, 15, 6), (31, 21, 7))
    for label, (y, x, edge) in enumerate(places, 1):
        labels[y : y + edge, x : x + edge] = label
    return labels


def test_the_figures_of_a_plane():
    labels = squares()
    row = row_of(plane(labels.shape, 0.5), 1, Segmented(labels, measure(labels, pixel_size_um=0.5)))
    diameters = np.sqrt(4 * np.arange(2, 8) ** 2 / np.pi)
    assert (row.count, row.singlets, row.doublets, row.clusters) == (6, 1, 1, 1)
    assert (row.mean_diameter_px, row.sd_diameter_px) == pytest.approx(
        (diameters.mean(), diameters.std(ddof=1))
    )
    px = row.p10_diameter_px, row.p50_diameter_px, row.p90_diameter_px
    assert px == pytest.approx(np.quantile(diameters, [0.1, 0.5, 0.9]))
    um = row.p10_diameter_um, row.p50_diameter_um, row.p90_diameter_um
    assert um == pytest.approx([value / 2 for value in px])
    assert row.sd_diameter_um == pytest.approx(row.sd_diameter_px / 2)
    assert row.field_area_um2 == 40 * 60 / 4
    assert row.density_per_mm2 == pytest.approx(6 / (0.020 * 0.030))
    assert row.covered_fraction == pytest.approx((4 + 9 + 16 + 25 + 36 + 49) / 2400)
    ends = poisson_interval(6)
    assert (row.count_low, row.count_high) == (ends.low, ends.high)


def test_a_region_is_the_field():
    labels = squares()
    inside = np.zeros(labels.shape, bool)
    inside[:, :30] = True
    row = row_of(plane(labels.shape, 0.5), 1, Segmented(labels, measure(labels), inside=inside))
    assert row.density_per_mm2 == pytest.approx(6 / (0.020 * 0.015))


def test_without_beads_there_are_zeros_and_no_sizes():
    labels = np.zeros((40, 60), np.uint32)
    row = row_of(plane(labels.shape, 0.5), 1, Segmented(labels, measure(labels)))
    assert (row.count, row.singlets, row.doublets, row.clusters, row.density_per_mm2) == (0, 0, 0, 0, 0)
    assert (row.count_low, row.count_high) == (0, pytest.approx(3.6889, abs=1e-4))
    assert {value for name, value in row.cells().items() if "diameter" in name} == {None}


def test_errors_of_the_model_are_columns():
    labels = squares()
    band = Band(False, 1.0, 40, true=900, found=950, matched=860, widening=2.0)
    flagged = dataclasses.replace(band, flagged=True, matched=400)
    segmented = Segmented(labels, measure(labels), thresholds=(5, 8))
    row = row_of(plane(labels.shape, 0.5), 1, segmented, (band, flagged))
    detection = detection_interval(6, band)
    field = field_interval(6, detection, Interval(5, 8), 2.0)
    combined = combined_interval(6, field)
    assert (row.threshold_low, row.threshold_high) == (5, 8)
    assert (row.detection_low, row.detection_high) == (detection.low, detection.high)
    assert (row.field_low, row.field_high) == (field.low, field.high)
    assert (row.combined_low, row.combined_high) == (combined.low, combined.high)
    doubtful = dataclasses.replace(segmented, quality=("doubtful", "dense"))
    assert row_of(plane(labels.shape, 0.5), 1, doubtful, (band, flagged)).field_low < row.field_low
    sure = dataclasses.replace(band, doubt_below=0.2, widening=1.0)
    for doubt, own in ((0.1, sure), (0.3, band)):
        row = row_of(plane(labels.shape, 0.5), 1, dataclasses.replace(segmented, doubt=doubt), (sure, band))
        assert row.field_high == field_interval(6, detection, Interval(5, 8), own.widening).high
    # A flag of another kind says nothing about how sure the beads are.
    other = dataclasses.replace(segmented, quality=("narrow-guard",))
    assert row_of(plane(labels.shape, 0.5), 1, other, (band, flagged)).field_low == row.field_low


def test_an_empty_plane_may_hold_missed_beads():
    labels = np.zeros((40, 60), np.uint32)
    band = Band(False, 1.0, 40, true=900, found=900, matched=890, widening=1.0)
    row = row_of(plane(labels.shape, 0.5), 1, Segmented(labels, measure(labels), thresholds=(0, 0)), (band,))
    assert (row.count, row.detection_low, row.field_low, row.combined_low) == (0, 0, 0, 0)
    assert 0.5 < row.detection_high < 1
    assert row.field_high == pytest.approx(row.detection_high)
    assert row.combined_high > row.count_high / band.recall


def test_a_model_without_figures_has_the_range_over_thresholds_alone():
    labels = squares()
    row = row_of(plane(labels.shape, 0.5), 1, Segmented(labels, measure(labels), thresholds=(5, 8)))
    assert (row.threshold_low, row.threshold_high, row.detection_low, row.combined_high) == (5, 8, None, None)


def test_one_bead_has_no_standard_deviation():
    labels = np.zeros((9, 9), np.uint32)
    labels[2:5, 2:5] = 1
    row = row_of(plane(labels.shape, 2.0), 1, Segmented(labels, measure(labels)))
    assert (row.sd_diameter_px, row.sd_diameter_um) == (None, None)
    assert row.p10_diameter_um == row.p90_diameter_um == pytest.approx(2 * row.mean_diameter_px)


def test_without_a_pixel_size_there_is_nothing_in_um():
    labels = squares()
    row = row_of(plane(labels.shape, None), 1, Segmented(labels, measure(labels)))
    named = [field.name for field in dataclasses.fields(row) if "_um" in field.name or "mm2" in field.name]
    assert len(named) == 8
    assert {getattr(row, name) for name in named} == {None}
