"""Planes of a file as one field."""

import pytest

from beadctl.results.file_rows import file_rows
from beadctl.results.ledger import Row


def plane(image, number, count, um=0.5, low=None, high=None):
    area = 100 * um**2 if um else None
    sizes = {"pixel_size_um": um, "field_area_px": 100, "field_area_um2": area}
    return Row(image, number, f"T={number}", "ok", count=count, field_low=low, field_high=high, **sizes)


def test_counts_areas_and_ends_are_sums():
    rows = [plane("a", 0, 3, low=2.0, high=5.0), plane("b", 0, 1), plane("a", 1, 4, low=3.0, high=6.0)]
    first, second = file_rows(rows)
    assert (first.image, first.plane, first.position, first.count) == ("a", 0, "", 7)
    assert (first.field_area_px, first.field_area_um2) == (200, 50)
    assert (first.field_low, first.field_high) == (5, 11)
    assert (second.count, second.field_low) == (1, None)
    # Ends that are known of some planes alone are unknown.
    assert file_rows([rows[0], plane("a", 1, 4)])[0].field_low is None


def test_planes_without_beads_add_the_widest_end_once():
    empty = [plane("a", index, 0, low=0.0, high=high) for index, high in enumerate((0.9, 1.7, 0.9))]
    (row,) = file_rows(empty)
    assert (row.count, row.field_low, row.field_high) == (0, 0, 1.7)
    (row,) = file_rows([*empty, plane("a", 3, 4, low=3.0, high=6.0)])
    assert (row.field_low, row.field_high) == (3, pytest.approx(7.7))


def test_a_file_with_a_failed_plane_or_two_pixel_sizes_has_no_count():
    failed = Row("a", 1, "T=1", "failed", reason="broken")
    (row,) = file_rows([plane("a", 0, 3), failed])
    assert (row.status, row.count, row.reason) == ("failed", None, "1 of its 2 planes failed")
    (row,) = file_rows([plane("a", 0, 3), plane("a", 1, 3, um=0.7)])
    assert (row.status, row.reason) == ("failed", "its planes differ in pixel size")
    (row,) = file_rows([plane("a", 0, 3, um=None), plane("a", 1, 3, um=None)])
    assert (row.count, row.field_area_px, row.field_area_um2) == (6, 200, None)
