"""What a run counts of its images, and the summary at its end."""

from pathlib import PurePosixPath

from beadctl.results import ledger
from beadctl.results.ledger import ImageResult, Row
from beadctl.results.planes_table import BAR_WIDTH, PlanesTable
from beadctl.results.tally import SHOWN, Tally


def tally_of(images, planes=1):
    tally = Tally()
    for image in range(images):
        rows = (
            Row(f"{image}.tif", plane, "", "ok", 2, quality="dense", filtered=1) for plane in range(planes)
        )
        tally.add(ImageResult(tuple(rows)))
    return tally


def test_the_table_of_a_large_run_has_its_first_planes_and_the_sum_of_all():
    table = PlanesTable.of(tally_of(SHOWN, 3))
    assert len(table.rows) == SHOWN + 1
    assert {len(row) for row in [*table.rows, table.total]} == {len(table.columns)}
    assert table.rows[SHOWN][0] == f"{2 * SHOWN} more in counts.csv"
    assert list(table.total) == [f"{3 * SHOWN} planes", "", "", f"{6 * SHOWN}", f"{3 * SHOWN} to check"]


def test_a_small_run_is_shown_whole_and_a_plane_has_no_sum():
    assert [row[0] for row in PlanesTable.of(tally_of(2)).rows] == ["0.tif", "1.tif"]
    assert PlanesTable.of(tally_of(1)).total is None


def test_only_columns_that_tell_something_are_shown():
    def heads(*rows):
        tally = Tally()
        tally.add(ImageResult(rows))
        return PlanesTable.of(tally)

    px = Row("a.tif", 0, "", "ok", 2, mean_diameter_px=9.0)
    um = Row("b.tif", 0, "", "ok", 2, mean_diameter_px=9.0, mean_diameter_um=4.5)
    always = ["image", "plane", "status", "beads"]
    assert heads(px).columns == [*always, "diameter px"]
    assert heads(um).columns == [*always, "diameter um"]
    assert heads(px, um).columns == [*always, "diameter px", "diameter um"]
    failed = heads(um, Row("c.tif", 0, "", "failed", reason="is no image"))
    assert failed.columns == [*always, "diameter um", "reason"]
    assert list(failed.total) == ["2 planes", "", "1 failed", "2", "", ""]


def test_bars_span_the_diameters_of_most_beads_on_one_scale():
    tally = Tally()
    for index, (low, middle, high) in enumerate([(2.0, 4.0, 8.0), (10.0, 12.0, 16.0)]):
        names = ("p10_diameter_px", "p50_diameter_px", "p90_diameter_px")
        found = dict(zip(names, (low, middle, high), strict=True))
        tally.add(ImageResult((Row(f"{index}.tif", 0, "", "ok", 9, **found),)))
    tally.add(ledger.failed(PurePosixPath("bad.tif"), "is no image"))
    head, cells = PlanesTable.of(tally).bars
    assert head == "sizes 0 to 16 px"
    assert cells == ["  ──┿────", " " * 10 + "──┿───", ""]
    assert max(map(len, cells)) == BAR_WIDTH
    assert PlanesTable.of(tally_of(2)).bars is None


def test_a_tally_knows_what_became_of_each_image():
    tally = tally_of(2)
    tally.add(ledger.skipped(ImageResult((Row("done.tif", 0, "", "ok", 5),))))
    assert not tally.failed
    failed = ledger.failed(PurePosixPath("bad.tif"), "is no image")
    tally.add(failed)
    assert tally.failed
    assert tally.images == ["ok", "ok", "skipped", failed]
    assert (tally.planes, tally.counted, tally.flagged, tally.beads, tally.filtered) == (4, 3, 2, 9, 2)
