"""What a run counts of its images, and the summary at its end."""

from pathlib import PurePosixPath

from beadctl.results import ledger
from beadctl.results.ledger import ImageResult, Row
from beadctl.results.tables import HEADS, summary
from beadctl.results.tally import SHOWN, Tally


def tally_of(images, planes=1):
    tally = Tally()
    for image in range(images):
        rows = (
            Row(f"{image}.tif", plane, "", "ok", 2, quality="dense", filtered=1) for plane in range(planes)
        )
        tally.add(ImageResult(tuple(rows)))
    return tally


def test_the_summary_of_a_large_run_has_its_first_planes_and_the_sum_of_all():
    table = summary(tally_of(SHOWN, 3))
    assert len(table) == SHOWN + 2
    assert {len(row) for row in table} == {len(HEADS)}
    assert table[SHOWN][0] == f"{2 * SHOWN} more in counts.csv"
    assert (table[-1][0], table[-1][3]) == (f"{3 * SHOWN} planes", f"{6 * SHOWN}")


def test_a_small_run_is_shown_whole():
    assert [row[0] for row in summary(tally_of(2))] == ["0.tif", "1.tif", "2 planes"]
    assert len(summary(tally_of(1))) == 1


def test_a_tally_knows_what_became_of_each_image():
    tally = tally_of(2)
    tally.add(ledger.skipped(ImageResult((Row("done.tif", 0, "", "ok", 5),))))
    assert not tally.failed
    failed = ledger.failed(PurePosixPath("bad.tif"), "is no image")
    tally.add(failed)
    assert tally.failed
    assert tally.images == ["ok", "ok", "skipped", failed]
    assert (tally.planes, tally.counted, tally.flagged, tally.beads, tally.filtered) == (4, 3, 2, 9, 2)
