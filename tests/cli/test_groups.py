"""``count`` with groups, sample sheets, depths, dilutions and dilution series."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from helpers.images import discs
from helpers.results_folder import table
from PIL import Image

SVG = "{http://www.w3.org/2000/svg}"


def drawn_words(path):
    """Return the texts of an SVG picture, which is well-formed XML."""
    return {"".join(text.itertext()).strip() for text in ET.parse(path).iter(f"{SVG}text")}


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
        (("--group-by", "Z"), "matches none of the images"),
        (("--group-by", "("), "not a regular expression"),
        (("--sample-sheet", "none.csv"), "none.csv: cannot be read"),
        (("--sample-sheet", "short.csv"), "short.csv: has no line for A_10x_2.png"),
        (
            ("--sample-sheet", "half.csv", "--depth-um", "100"),
            "--sample-sheet: states no dilution for A_1x_1.png, A_1x_2.png, but for others; state 1 for",
        ),
        (("--dilution", "10"), "give --depth-um"),
        (("--depth-um", "deep"), "write 100 or 100+-2"),
        (("--depth-um", "0"), "write 100 or 100+-2"),
        (("--depth-um", "1e400"), "write 100 or 100+-2"),
        (("--depth-um", "5+-9"), "standard deviation is not below the value"),
        (("--depth-um", "100", "--dilution", "0.1"), "--dilution: 0.1 is no dilution factor"),
    ],
)
def test_bad_input_is_one_line_before_any_work(count, series, flags, words):
    names = ["A_10x_1.png", "A_1x_1.png", "A_1x_2.png"]
    Path("short.csv").write_text("file,sample\n" + "".join(f"{name},S\n" for name in names))
    diluted = [f"{name},S,{10 * ('10x' in name) or ''}\n" for name in [*names, "A_10x_2.png"]]
    Path("half.csv").write_text("file,sample,dilution\n" + "".join(diluted))
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


@pytest.fixture
def dilutions(tmp_path):
    """Counts that follow the dilution, two fields each."""
    folder = tmp_path / "dilutions"
    folder.mkdir()
    for factor, counts in ((1, (10, 9)), (2, (5, 5)), (4, (2, 3)), (16, (1, 0))):
        for field, count in enumerate(counts):
            Image.fromarray(discs(count, 64, 128)[0]).save(folder / f"{factor}x_{field}.png")
    return folder


DILUTION = ("--group-by", r"(?P<dilution>\d+)x", "--dilution-series")


def test_a_dilution_series(count, dilutions):
    said = count(dilutions, "-o", "out", *DILUTION)
    assert said.code == 0
    assert "Dilution series" in said.err
    (row,) = table("out/dilution_series.csv")
    assert (row["levels"], row["fields"], row["beads"], row["outside"]) == ("4", "8", "35", "")
    assert (row["linear_from"], row["linear_to"]) == ("1", "16")
    assert float(row["slope_low"]) < -1 < float(row["slope_high"])
    levels = table("out/dilution_levels.csv")
    assert [(level["dilution"], level["mean_count"]) for level in levels] == [
        ("1", "9.5"),
        ("2", "5"),
        ("4", "2.5"),
        ("16", "0.5"),
    ]
    with Image.open("out/dilution.png") as picture:
        assert picture.width == 1100
    assert len(table("out/groups.csv")) == 4
    words = drawn_words("out/dilution.svg")
    assert {"dilution factor", "beads a field", "mean, in the linear range"} <= words
    assert any(text.startswith("slope -") for text in words)
    # Without a folder the report is on standard error alone.
    assert "Dilution series" in count(dilutions, *DILUTION).err


def test_a_dilution_series_says_by_what_its_intervals_are(count, dilutions):
    said = count(
        dilutions, "-o", "out", "--group-by", r"(?P<dilution>\d+)x_(?P<replicate>\d)", "--dilution-series"
    )
    assert said.code == 0
    (row,) = table("out/dilution_series.csv")
    assert (row["fields"], row["replicates"], row["interval_by"]) == ("8", "8", "replicates")
    assert "replicates" in said.err.partition("Dilution series")[2]
    assert count(dilutions, "-o", "out", *DILUTION).code == 0
    (row,) = table("out/dilution_series.csv")
    assert (row["fields"], row["replicates"], row["interval_by"]) == ("8", "0", "fields")


def test_a_sample_without_beads_has_no_fit(count, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    for factor in (1, 2, 4):
        Image.fromarray(discs(0, 64, 128)[0]).save(folder / f"{factor}x.png")
    said = count(folder, "-o", "out", *DILUTION)
    assert said.code == 1
    assert "no fit: 3 dilutions, 0 of them with beads" in said.error
    assert not Path("out/dilution.png").exists()
    assert table("out/dilution_series.csv")[0]["reason"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--group-by", r"(?P<dilution>\d+)x_0", "--include", "1x*,2x*"), "too few dilutions (1x, 2x)"),
        (("--group-by", "x"), "sample x has too few dilutions (none)"),
        ((), "sample all has too few dilutions (none)"),
    ],
)
def test_what_is_no_series_is_one_line(count, dilutions, flags, words):
    said = count(dilutions, "-o", "out", *flags, "--dilution-series")
    assert said.code == 2
    assert words in said.error
    assert not Path("out").exists()


def test_without_statsmodels_the_extra_is_named(count, dilutions, monkeypatch):
    monkeypatch.setattr("beadctl.errors.find_spec", lambda name: None)
    said = count(dilutions, *DILUTION)
    assert said.code == 3
    assert said.error == 'error: statsmodels is not installed; pip install "beadctl[stats]"'


def test_agreement_with_manual_counts(count, dilutions):
    """Of beads that are all found, with one field that a person counted twice too high."""
    counts = {"1x_0": 10, "1x_1": 9, "2x_0": 5, "2x_1": 5, "4x_0": 2, "4x_1": 6}
    lines = ["image,count", "16x_0.png,", *(f"{name}.png,{number}" for name, number in counts.items())]
    Path("manual.csv").write_text("\n".join(lines) + "\n")
    said = count(dilutions, "-o", "out", "--manual", "manual.csv")
    assert said.code == 0
    assert "Agreement with manual counts" in said.err
    whole, few, more = table("out/agreement.csv")
    assert [row["band"] for row in (whole, few, more)] == ["all", "0-9", "10-99"]
    assert [row["planes"] for row in (whole, few, more)] == ["6", "5", "1"]
    assert (whole["bias"], whole["mape"]) == ("-0.5", "0.0833333")
    assert (more["bias"], more["bias_low"], more["concordance"]) == ("0", "", "")
    with Image.open("out/agreement.png") as picture:
        assert picture.width == 1100
    assert {"manual count", "count minus manual count"} <= drawn_words("out/agreement.svg")


def test_a_manual_count_of_a_plane_that_is_not_there_is_an_error(count, dilutions):
    Path("manual.csv").write_text("file,count,plane\n1x_0.png,10,0\n1x_1.png,9,1\n")
    said = count(dilutions, "-o", "out", "--manual", "manual.csv")
    assert said.code == 1
    assert said.error.endswith(
        "--manual: 1x_1.png plane 1: no planes of this run; write planes as in counts.csv"
    )
    assert table("out/agreement.csv")[0]["planes"] == "1"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,count\nother.png,3\n", "manual.csv: other.png: no images of this run"),
        ("file,beads\n1x_0.png,3\n", "manual.csv: has no column count"),
        ("file,count\n1x_0.png,many\n", "line 2: many is no count"),
        ("file,count\n1x_0.png,-1\n", "line 2: -1 is no count"),
        ("file,count\n1x_0.png,2.5\n", "line 2: 2.5 is no count"),
        ("file,count,plane\n1x_0.png,2,first\n", "line 2: first is no plane"),
        ("file,count\n1x_0.png,nan\n", "line 2: nan is no count"),
        ("file,count\n1x_0.png,1e300\n", "line 2: 1e300 is no count"),
        ("file,count\n1x_0.png,1,000\n", "line 2: has more cells than the first line"),
        ("file,count,Count\n1x_0.png,1,2\n", "manual.csv: has the column count twice"),
        ("file,count\n1x_0.png,2\n1x_0.png,3\n", "line 3: 1x_0.png is already counted above"),
        ("file,count\n1x_0.png,\n", "manual.csv: has no count"),
        (None, "manual.csv: cannot be read"),
    ],
)
def test_manual_counts_that_are_refused(count, dilutions, text, words):
    if text is not None:
        Path("manual.csv").write_text(text)
    said = count(dilutions, "-o", "out", "--manual", "manual.csv")
    assert said.code == 2
    assert words in said.error
    assert not Path("out").exists()
