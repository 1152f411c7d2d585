"""Tables, pictures and page of a comparison."""

import csv
import io
import itertools
import json
import math
import warnings
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from helpers.outcomes import FAILED, outcome, outcomes
from helpers.results_folder import table
from PIL import Image

from beadctl.errors import OutputError
from beadctl.results.html import Picture
from beadctl.study import history, plots, report, tables
from beadctl.study.outcome import Outcome, TileScore
from beadctl.study.statistics import differences, summarise
from beadctl.study.verdict import verdict

# ---------------------------------------------------------------- tables


NASTY = replace(FAILED, reason='the loss, at "step 3", is <nan> | & more\nsecond line')
STUDY = [*outcomes(dice=[0.5, 0.61, 0.7], combined=[0.8, 0.81, 0.83], focal=[0.4, 0.52]), NASTY]


def test_csv_tables_hold_the_figures_in_full(tmp_path):
    report.write(tmp_path, STUDY, {"epochs": 3, "tiles": Path("tiles"), "limit": math.nan})
    runs = table(tmp_path / "runs.csv")
    assert [row["loss"] for row in runs] == [run.arm.loss for run in STUDY]
    assert [float(row["jaccard"]) for row in runs[:-1]] == [run.jaccard for run in STUDY[:-1]]
    assert runs[-1]["reason"] == NASTY.reason
    rows = summarise(STUDY)
    written = table(tmp_path / "summary.csv")
    assert [(row["loss"], row["failed"]) for row in written] == [
        ("combined", "0"),
        ("dice", "0"),
        ("focal", "1"),
    ]
    assert [float(row["jaccard_mean"]) for row in written] == [row.jaccard.mean for row in rows]
    assert [row["count_mape_high"] for row in written] == [str(row.count_mape.high) for row in rows]
    pairs = [row for row in table(tmp_path / "differences.csv") if row["metric"] == "jaccard"]
    assert [float(row["p_corrected"]) for row in pairs] == [pair.p_corrected for pair in differences(STUDY)]


def test_the_json_is_strict_and_whole(tmp_path):
    run = replace(STUDY[0], tiles=(TileScore("a.tif", math.nan, 0, 1),))
    tables.write(tmp_path, [run, *STUDY[1:]], {"path": Path("a/b"), "limit": math.inf}, "Losses")
    text = (tmp_path / "comparison.json").read_text(encoding="utf-8")
    facts = json.loads(text, parse_constant=pytest.fail)
    assert facts["settings"] == {"path": str(Path("a/b")), "limit": None}
    assert facts["verdict"] == verdict(STUDY)
    assert facts["summary"][0]["arm"]["loss"] == "combined"
    assert facts["summary"][0]["jaccard"]["mean"] == summarise(STUDY)[0].jaccard.mean
    assert [one["first"] for one in facts["differences"]] == [one.first for one in differences(STUDY)]
    assert facts["runs"][0]["tiles"] == [{"image": "a.tif", "jaccard": None, "true": 0, "found": 1}]


def test_markdown_keeps_its_cells(tmp_path):
    tables.write(tmp_path, STUDY, {"out_dir": "a|b"}, "Losses")
    lines = (tmp_path / "comparison.md").read_text(encoding="utf-8").splitlines()
    for heading, rows in itertools.groupby(lines, lambda line: line.startswith("|")):
        if heading:
            assert len({line.replace("\\|", "").count("|") for line in rows}) == 1
    assert any("\\<nan> \\| & more second line" in line for line in lines)
    assert "| out\\_dir | a\\|b |" in lines
    assert verdict(STUDY) in lines


def test_the_console_table_has_a_row_an_arm():
    rows = tables.arms(STUDY).rows
    assert [len(row) for row in rows] == [len(tables.arms(STUDY).columns)] * 3
    assert rows[0][:4] == ("combined", "3", "0", "0.8133")
    assert rows[2][:3] == ("focal", "2", "1")
    assert tables.arms([FAILED]).rows[0][3:] == ("-",) * 7
    assert tables.arms([]).rows == []


# ---------------------------------------------------------------- history and pictures


def write_history(folder: Path, runs: list[Outcome], *, epochs: int = 6, terms: tuple[str, ...] = ()) -> None:
    """History of runs of unequal length with a falling first weight, and an audit every other epoch."""
    for k, run in enumerate(runs):
        (folder / run.folder).mkdir(parents=True, exist_ok=True)
        last = max(1, epochs - k % 3)
        head = ["epoch", "val_jaccard", "val_f1", "best", *(f"weight_{term}" for term in terms)]
        lines = [
            [e, e / 10, e / 20, True, *(1 / (e + j) for j in range(len(terms)))] for e in range(1, last + 1)
        ]
        with (folder / run.folder / "history.csv").open("w", newline="") as file:
            csv.writer(file).writerows([head, *lines])
        with (folder / run.folder / "gradients.csv").open("w", newline="") as file:
            shares = [[e, loss, 0.2, 0.3, 0.5] for e in range(1, last + 1, 2) for loss in ("dice", "other")]
            head = ["epoch", "loss", "share_boundary", "share_interior", "share_background"]
            csv.writer(file).writerows([head, *shares])


def test_a_curve_is_the_mean_of_the_runs_that_have_the_epoch(tmp_path):
    write_history(tmp_path, STUDY[:3])
    runs = [history.read(tmp_path / run.folder / "history.csv") for run in STUDY[:3]]
    runs[0]["val_jaccard"][0] = 0.4
    curve = history.curve(runs, "val_jaccard")
    assert curve.epochs.tolist() == [1, 2, 3, 4, 5, 6]
    assert curve.runs.tolist() == [3, 3, 3, 3, 2, 1]
    assert (curve.mean[0], curve.low[0], curve.high[0]) == pytest.approx((0.2, 0.1, 0.4))
    assert curve.mean[5] == pytest.approx(0.6)
    assert np.isnan(curve.complete).tolist() == [False] * 4 + [True] * 2
    assert history.curve(runs, "absent") is None


def test_an_audit_is_read_loss_by_loss(tmp_path):
    write_history(tmp_path, STUDY[:1])
    audit = history.gradient_shares(STUDY[:1], tmp_path)
    assert list(audit) == ["dice, its own runs", "other, all runs"]
    shares = audit["other, all runs"]
    assert [curve.mean[0] for curve in shares.values()] == [0.2, 0.3, 0.5]
    assert shares["share_boundary"].epochs.tolist() == [1, 3, 5]


@pytest.mark.parametrize(
    "content", [None, b"", b"epoch,val_jaccard\n", b"\xff\xfe", b"epoch\n1,2,3\n", b"epoch\n\n"]
)
def test_a_history_that_cannot_be_read_is_no_line(tmp_path, content):
    if content is not None:
        (tmp_path / "history.csv").write_bytes(content)
        (tmp_path / "gradients.csv").write_bytes(content)
    columns = history.read(tmp_path / "history.csv")
    assert history.curve([columns], "val_jaccard") is None
    assert history.gradient_shares([replace(outcome(), folder=".")], tmp_path) == {}


def many(arms: int, seeds: int) -> list[Outcome]:
    rng = np.random.default_rng(0)
    return [
        replace(
            outcome("focal-tversky", seed, float(rng.uniform(0.2, 0.8)), lr=k * 1e-5), folder=f"{k}-{seed}"
        )
        for k in range(1, arms + 1)
        for seed in range(seeds)
    ]


CASES = {
    "nothing": ([], (), 0),
    "one run of one epoch": (outcomes(dice=[0.5]), ("dice", "marker"), 3),
    "all failed": ([FAILED], None, 1),
    "some failed": (STUDY, ("dice", "focal", "marker"), 4),
    "figures that do not exist": ([outcome(f1=math.nan, count_mape=math.nan)], None, 1),
    "many": (many(17, 1), ("focal-tversky",), 4),
}


@pytest.mark.parametrize("name", CASES)
def test_pictures_of_every_kind_of_study(tmp_path, name):
    runs, terms, expected = CASES[name]
    if terms is not None:
        write_history(tmp_path, runs, epochs=1 if len(runs) == 1 else 6, terms=terms)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pictures = plots.pictures(runs, tmp_path)
    assert len(pictures) == expected
    for picture in pictures:
        pixels = np.asarray(Image.open(io.BytesIO(picture.png)).convert("L"))
        assert pixels.shape[1] == 1320
        assert 100 < pixels.shape[0] < 3000
        assert pixels.std() > 5
    plots.stack(pictures, tmp_path / "report.png")
    with Image.open(tmp_path / "report.png") as sheet:
        heights = [Image.open(io.BytesIO(picture.png)).height for picture in pictures]
        assert sheet.height == (sum(heights) or 1)


def test_constant_weights_of_one_term_are_no_picture(tmp_path):
    write_history(tmp_path, STUDY[:1], epochs=1, terms=("dice", "marker"))
    titles = [picture.caption for picture in plots.pictures(STUDY[:1], tmp_path)]
    assert not any("Weights" in title for title in titles)
    write_history(tmp_path, STUDY[:1], epochs=1, terms=("dice", "focal"))
    titles = [picture.caption for picture in plots.pictures(STUDY[:1], tmp_path)]
    assert any("Weights" in title for title in titles)


# ---------------------------------------------------------------- page


class Reader(HTMLParser):
    """Collects cells, images, and anything that would be fetched or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.open_tags: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attributes))
        if tag not in ("img", "meta"):
            self.open_tags.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open_tags.pop() == tag

    def handle_data(self, data):
        if self.open_tags and self.open_tags[-1] in ("td", "th"):
            self.cells[-1] += data


def test_the_page_holds_every_table_and_loads_nothing(tmp_path):
    write_history(tmp_path, STUDY)
    image = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(image, "PNG")
    overlay = Picture('<b>"tile"</b> & co', image.getvalue())
    report.write(tmp_path, STUDY, {"epochs": 30, "<i>": "a & b", "none": None}, [overlay], title="<Losses>")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    reader = Reader(text)
    assert reader.open_tags == []
    assert not {"script", "link", "iframe", "b", "i", "nan", "losses"} & set(reader.tags)
    assert "http" not in text
    assert all(image["src"].startswith("data:image/png;base64,") for image in reader.images)
    assert len(reader.images) == len(plots.pictures(STUDY, tmp_path)) + 1
    assert reader.images[-1]["alt"] == overlay.caption
    rows = [*tables.arms(STUDY).rows, *tables.pairs(STUDY).rows, *tables.runs(STUDY).rows]
    rows += [("epochs", "30"), ("<i>", "a & b"), ("none", "-"), ("focal", "2", NASTY.reason)]
    assert not [cell for row in rows for cell in row if cell not in reader.cells]


def test_a_page_of_nothing_is_a_page(tmp_path):
    report.write(tmp_path, [], {})
    assert "no run finished" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert Reader((tmp_path / "report.html").read_text(encoding="utf-8")).cells == []
    assert {path.name for path in tmp_path.iterdir()} == {
        "runs.csv",
        "summary.csv",
        "differences.csv",
        "comparison.json",
        "comparison.md",
        "report.png",
        "report.html",
    }


def test_a_report_that_cannot_be_written_says_where(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        report.write(tmp_path / "file", [], {})
