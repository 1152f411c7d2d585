"""Which sample, dilution and replicate an image shows, by its name or by a sheet."""

import pytest

from beadctl.counting.specimen import Specimen, by_expression, by_sheet
from beadctl.errors import SettingsError

NAMES = ["day1/A_10x_1.tif", "day1/A_10x_2.tif", "day2/B_2.5x_1.tif"]


def test_named_groups_of_an_expression():
    expression = r"(?P<sample>[A-Z])_(?P<dilution>[\d.]+)x_(?P<replicate>\d)"
    assert list(by_expression(NAMES, expression).values()) == [
        Specimen("A", 10, "1"),
        Specimen("A", 10, "2"),
        Specimen("B", 2.5, "1"),
    ]


@pytest.mark.parametrize(
    ("expression", "samples"),
    [
        ("^[^/]+", ["day1", "day1", "day2"]),
        ("/([A-Z])", ["A", "A", "B"]),
        ("A|Z", ["A", "A"]),
        # An empty match, before others.
        ("(B)?_", ["B"]),
    ],
)
def test_other_expressions_give_the_sample(expression, samples):
    assert [one.sample for one in by_expression(NAMES, expression).values()] == samples


def test_the_name_of_a_group():
    names = [Specimen("A", 10, "1"), Specimen("A"), Specimen("", 2.5)]
    assert [one.group for one in names] == ["A 10x", "A", "2.5x"]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("(", "not a regular expression"),
        ("Q", "matches none of the images, such as day1/A_10x_1.tif"),
        ("(?P<day>day.)", "no group is called day"),
        ("(?P<dilution>day.)", "day1 is no dilution factor"),
        ("(?P<dilution>0)", "0 is no dilution factor; write 1 or more, such as 10 for 1:10"),
        ("Q?", "matches none of the images"),
        ("(?P<sample>Q)?", "matches none of the images"),
    ],
)
def test_expressions_that_are_refused(expression, words):
    with pytest.raises(SettingsError) as caught:
        by_expression(NAMES, expression)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_sheet_by_path_or_by_name(tmp_path, delimiter, encoding):
    lines = [
        "Sample,file,note,dilution",
        "A,day1/A_10x_1.tif,,10",
        '"A\r\n", A_10x_2.tif ,ok,10x,,',
        "B,B_2.5x_1.tif",
    ]
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("\r\n".join(lines).replace(",", delimiter), encoding=encoding, newline="")
    expected = [Specimen("A", 10), Specimen("A", 10), Specimen("B")]
    assert by_sheet(NAMES, sheet) == dict(zip(NAMES, expected, strict=True))


WHOLE = "file,sample,dilution,replicate\n" + "".join(f"{name},A,10,1\n" for name in NAMES)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no column file"),
        ("file,dilution\n", "has no column sample"),
        (WHOLE + "other.tif,A,10,1\n", "other.tif: no images of this run"),
        (WHOLE + f"{NAMES[0]},A,10,1\n", "line 5: day1/A_10x_1.tif is already named"),
        (WHOLE.replace("A,10", "A,ten", 1), "line 2: ten is no dilution factor"),
        (WHOLE.replace("A,10", "A,0.1", 1), "line 2: 0.1 is no dilution factor"),
        (WHOLE.replace("A,10,", "A,1e400,", 1), "line 2: 1e400 is no dilution factor"),
        (WHOLE.replace("A,10,1", "A,2,5,1", 1), "line 2: has more cells than the first line"),
        (WHOLE.replace("replicate", "File", 1), "has the column file twice"),
        (WHOLE.replace("dilution", "Dilution factor", 1), "has no column dilution, but dilution factor;"),
        (WHOLE.replace("replicate", "replicates", 1), "has no column replicate, but replicates; rename it"),
        (WHOLE.replace(",A,", ",,"), "line 2: day1/A_10x_1.tif has no sample"),
        (WHOLE + " ,A,10,1\n", "line 5: names no file; fill in its file"),
        (WHOLE.rpartition("day2")[0], "has no line for day2/B_2.5x_1.tif"),
        ("file,sample\n", "has no line for day1/A_10x_1.tif, day1/A_10x_2.tif, day2/B_2.5x_1.tif;"),
    ],
)
def test_sheets_that_are_refused(tmp_path, text, words):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(text)
    with pytest.raises(SettingsError) as caught:
        by_sheet(NAMES, sheet)
    assert str(sheet) in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_columns_are_ignored(tmp_path):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(WHOLE.replace("dilution,replicate", "operator,date"))
    assert set(by_sheet(NAMES, sheet).values()) == {Specimen("A")}
    # A column that is there may have one of a like name beside it.
    sheet.write_text(WHOLE.replace("replicate", "dilution error"))
    assert set(by_sheet(NAMES, sheet).values()) == {Specimen("A", 10)}


def test_lines_of_empty_cells_are_ignored(tmp_path):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(WHOLE.replace("\n", "\n,,,\n", 1) + ", ,,\n\n,,,\n")
    assert set(by_sheet(NAMES, sheet)) == set(NAMES)


def test_sheets_that_cannot_be_read(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(SettingsError, match="cannot be read"):
            by_sheet(NAMES, path)
    (tmp_path / "sheet.xlsx").write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(SettingsError, match="no CSV file in UTF-8"):
        by_sheet(NAMES, tmp_path / "sheet.xlsx")


def test_a_name_that_two_images_have_needs_its_path(tmp_path):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("file,sample\na.tif,A\nb/a.tif,B\n")
    with pytest.raises(SettingsError, match="names of several"):
        by_sheet(["c/a.tif", "b/a.tif"], sheet)
