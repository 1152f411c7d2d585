"""The ledger: parts come back as they were saved, and tables hold what they were given."""

import csv
import json
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl import files, lock
from beadctl.errors import OutputError
from beadctl.results import ledger
from beadctl.results.ledger import COLUMNS, Entry, ImageResult, Row
from beadctl.text import cell, csv_line

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
FIGURES = st.none() | st.floats(0, 1e6, allow_nan=False)
ROWS = st.builds(
    Row,
    image=st.just("deep/a.tif"),
    plane=st.integers(0, 500),
    position=WORDS,
    status=st.sampled_from(["ok", "failed", "skipped"]),
    count=st.none() | st.integers(0, 10**6),
    mean_diameter_px=FIGURES,
    covered_fraction=FIGURES,
    reason=WORDS,
)
BEADS = st.lists(
    st.fixed_dictionaries(
        {name: st.integers(0, 9) if name == "plane" else WORDS for name in ledger.BEAD_COLUMNS}
    ),
    max_size=4,
)


@given(st.builds(ImageResult, st.lists(ROWS, min_size=1, max_size=4).map(tuple)), BEADS)
def test_a_part_comes_back_as_it_was_saved(tmp_path_factory, part, beads):
    out = tmp_path_factory.mktemp("out")
    name = PurePosixPath("deep/a.tif")
    assert ledger.read(out, name) is None
    ledger.save(out, name, Entry("key", "/in/deep/a.tif", part), map(ledger.bead_line, beads))
    assert list(ledger.beads(out, name)) == beads
    assert ledger.read(out, name) == Entry("key", "/in/deep/a.tif", part)
    assert ledger.images(out) == ["deep/a.tif"]
    assert ledger.read(out, PurePosixPath("deep/a.tif")) == Entry("key", "/in/deep/a.tif", part)
    assert part.failed == any(row.status == "failed" for row in part.rows)


def test_files_that_a_killed_process_left_are_no_parts(tmp_path):
    name = PurePosixPath("a.tif")
    ledger.save(tmp_path, name, Entry("key", "/in/a.tif", ImageResult((Row("a.tif", 0, "", "ok"),))))
    part = ledger.path_of(tmp_path, name)
    begun = [part.with_name(f"{files.TEMPORARY}a.tif.{end}.json") for end in ("whole", "empty")]
    for path in begun:
        path.write_text(part.read_text() if path is begun[0] else "")
    assert ledger.images(tmp_path) == ["a.tif"]
    lock.remove_stale(tmp_path)
    assert list(part.parent.iterdir()) == [part]


def test_an_earlier_part_is_told_as_skipped_with_its_figures():
    part = ImageResult((Row("a.tif", 0, "", "ok", count=3, covered_fraction=0.5),))
    told = ledger.skipped(part)
    assert (told.rows[0].status, told.rows[0].count) == ("skipped", 3)


def test_an_unreadable_image_is_a_row_without_a_count():
    (row,) = ledger.failed(PurePosixPath("deep/a.tif"), "truncated").rows
    assert (row.image, row.status, row.count, row.reason) == ("deep/a.tif", "failed", None, "truncated")


def test_keys_differ_when_anything_differs():
    keys = [files.fingerprint("model", {"a": 1, "b": value}) for value in (1, 2, None, "1")]
    assert len(set(keys)) == 4
    assert files.fingerprint({"a": 1, "b": 2}) == files.fingerprint({"b": 2, "a": 1})


def part(written=None, **changes):
    """The record of an image, with other values in its row."""
    row = {"image": "a.tif", "plane": 0, "position": "", "status": "ok", **changes}
    return json.dumps({"key": "k", "rows": [row], "written": written or {}})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        pytest.param(10**5 * "[", id="nested"),
        '{"key": 1}',
        '{"key": "k", "rows": [{"x": 1}], "beads": []}',
        '{"key": "k", "rows": []}',
        *(part(**{name: value}) for name, value in (("count", "5"), ("count", 1.5), ("plane", None))),
        *(part(**{name: value}) for name, value in (("status", "done"), ("doubt", True), ("reason", 1))),
        part(written={"../mine": {"size": 0, "sha256": ""}}),
        part(written={"/mine": {"size": 0, "sha256": ""}}),
        *(
            json.dumps(json.loads(part()) | {"source": source})
            for source in ("s3://", "zip://x", "https://a@b/c")
        ),
    ],
)
def test_a_broken_part_is_one_line(tmp_path, text):
    name = PurePosixPath("a.tif")
    ledger.save(tmp_path, name, Entry("key", "/in/a.tif", ImageResult((Row("a.tif", 0, "", "ok"),))))
    ledger.path_of(tmp_path, name).write_text(text)
    with pytest.raises(OutputError, match="--overwrite") as caught:
        ledger.read(tmp_path, name)
    assert "\n" not in str(caught.value)


def test_whole_numbers_and_none_are_values_of_real_columns(tmp_path):
    name = PurePosixPath("a.tif")
    ledger.save(tmp_path, name, Entry("key", "", ImageResult((Row("a.tif", 0, "", "ok"),))))
    ledger.path_of(tmp_path, name).write_text(part(doubt=0, count=2, field_low=None))
    (row,) = ledger.read(tmp_path, name).result.rows
    assert (row.doubt, row.count, row.field_low) == (0, 2, None)


@pytest.mark.parametrize("line", [b"a.tif", b"a.tif,x\n", b"a.tif,0,\xff\n"])
def test_a_broken_line_of_a_bead_is_one_line(tmp_path, line):
    name = PurePosixPath("a.tif")
    ledger.save(tmp_path, name, Entry("key", "", ImageResult((Row("a.tif", 0, "", "ok"),))))
    with ledger.path_of(tmp_path, name).open("ab") as file:
        file.write(line)
    with pytest.raises(OutputError, match=r"a\.tif\.json: cannot be read"):
        list(ledger.beads(tmp_path, name))


@given(st.lists(ROWS, max_size=5))
def test_a_table_is_read_back_by_csv(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "counts.csv"
    files.write_csv(path, COLUMNS, (row.cells() for row in rows), rounded=True)
    with path.open(newline="", encoding="utf-8") as file:
        header, *read = csv.reader(file)
    assert tuple(header) == COLUMNS
    assert len(read) == len(rows)
    for row, cells in zip(rows, read, strict=True):
        found = dict(zip(header, cells, strict=True))
        assert (found["image"], found["position"], found["reason"]) == (row.image, row.position, row.reason)
        assert found["count"] == ("" if row.count is None else str(row.count))
        if row.mean_diameter_px is None:
            assert found["mean_diameter_px"] == ""
        else:
            assert float(found["mean_diameter_px"]) == pytest.approx(row.mean_diameter_px, rel=1e-5)
        assert list(csv.reader([csv_line(map(cell, row.cells().values()))])) == [cells]
