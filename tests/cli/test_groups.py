"""``count --group-by``, ``--sample-sheet``, ``--depth-um`` and ``--dilution``."""

import csv
from pathlib import Path

import pytest
from helpers.images import discs
from PIL import Image


def table(path):
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def series(tmp_path):
    """Two dilutions: 8 and 7 beads, 2 and 0."""
    folder = tmp_path / "series"
    folder.mkdir()
    for name, count in (("A_1x_1", 8), ("A_1x_2", 7), ("A_10x_1", 2), ("A_10x_2", 0)):
        Image.fromarray(discs(count, 64, 128)[0]).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def count(run, model_path):
    return lambda *arguments: run("count", *arguments, "-m", model_path)


def test_groups_are_printed_for_people_and_written_for_programs(count, series):
    said = count(
        *(series, "-o", "out", "--format", "csv", "--pixel-size", "0.5"),
        *("--group-by", r"(?P<sample>A)_(?P<dilution>\d+)x", "--depth-um", "100+-2"),
    )
    assert said.code == 0
    # Standard output has one table, that of the planes.
    assert len(said.out.splitlines()) == 5
    assert "Groups" in said.err
    stock, tenth = table("out/groups.csv")
    assert (tenth["sample"], tenth["dilution"], tenth["beads"], tenth["mean_count"]) == ("A", "10", "2", "1")
    assert (stock["dilution"], stock["beads"], stock["mean_count"]) == ("1", "15", "7.5")
    # 64 px x 128 px x 100 um
    volume_ml = 64 * 128 * 0.25 * 100 / 1e12
    assert float(stock["beads_per_ml"]) == pytest.approx(7.5 / volume_ml, rel=1e-5)
    assert float(tenth["beads_per_ml"]) == pytest.approx(10 / volume_ml, rel=1e-5)
    # A rerun, which skips the images, gives the same groups; other groups need no images again.
    before = Path("out/groups.csv").read_bytes()
    again = count(
        *(series, "-o", "out", "--pixel-size", "0.5"),
        *("--group-by", r"(?P<sample>A)_(?P<dilution>\d+)x", "--depth-um", "100+-2"),
    )
    assert (again.code, Path("out/groups.csv").read_bytes()) == (0, before)
    assert count(series, "-o", "out", "--pixel-size", "0.5", "--group-by", "A").code == 0
    assert {row["status"] for row in table("out/counts.csv")} == {"skipped"}
    assert len(table("out/groups.csv")) == 1


def test_a_sample_sheet(count, series):
    names = sorted(path.name for path in series.iterdir())
    lines = ["file,sample,dilution,replicate", *(f"{name},S,,{name[-5]}" for name in names)]
    Path("sheet.csv").write_text("\n".join(lines) + "\n")
    assert count(series, "-o", "out", "--sample-sheet", "sheet.csv").code == 0
    (row,) = table("out/groups.csv")
    assert (row["fields"], row["replicates"], row["interval_by"]) == ("4", "2", "replicates")
    # Means of replicates 1 and 2: (8 + 2) / 2 and (7 + 0) / 2.
    assert (row["mean_count"], row["density_per_mm2"]) == ("4.25", "")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--group-by", "Z"), "matches none of the 4 images"),
        (("--group-by", "("), "not a regular expression"),
        (("--sample-sheet", "none.csv"), "none.csv: cannot be read"),
        (("--sample-sheet", "short.csv"), "short.csv: has no line for A_10x_2.png"),
        (("--dilution", "10"), "give --depth-um"),
        (("--depth-um", "deep"), "write 100 or 100+-2"),
        (("--depth-um", "0"), "write 100 or 100+-2"),
    ],
)
def test_bad_input_is_one_line_before_any_work(count, series, flags, words):
    names = ["A_10x_1.png", "A_1x_1.png", "A_1x_2.png"]
    Path("short.csv").write_text("file,sample\n" + "".join(f"{name},S\n" for name in names))
    said = count(series, "-o", "out", *flags)
    assert said.code == 2
    assert len(said.errors) == 1
    assert words in said.errors[0]
    assert not Path("out").exists()


def test_a_depth_without_a_pixel_size_is_one_line_and_the_counts_are_kept(count, series):
    said = count(series, "-o", "out", "--depth-um", "100")
    assert said.code == 1
    assert said.errors == [line for line in said.errors if "give --pixel-size" in line]
    assert len(said.errors) == 1
    assert sum(int(row["count"]) for row in table("out/counts.csv")) == 17


def test_a_table_that_is_not_ours_is_kept(count, series):
    Path("out").mkdir()
    Path("out/groups.csv").write_text("mine")
    assert count(series, "-o", "out", "--group-by", "A").code == 3
    assert Path("out/groups.csv").read_text() == "mine"
