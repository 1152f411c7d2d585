"""Outcomes, statistics, verdict, tables, pictures and page of a comparison."""

import csv
import doctest
import io
import itertools
import json
import math
import warnings
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import stats

import beadctl.study
from beadctl.errors import OutputError
from beadctl.files import write_json
from beadctl.results.html import Picture
from beadctl.study import history, plots, report, tables
from beadctl.study.outcome import Arm, Outcome, TileScore, labels, read
from beadctl.study.statistics import differences, holm, summarise
from beadctl.study.verdict import measured_on, verdict


def arm(loss: str = "dice", **factors) -> Arm:
    return Arm(
        **({"loss": loss, "weighting": "fixed", "lr": 1e-3, "batch_size": 8, "dropout": 0.0} | factors)
    )


def outcome(loss: str = "dice", seed: int = 0, jaccard: float = 0.5, **facts) -> Outcome:
    factors = {
        name: facts.pop(name) for name in ("weighting", "lr", "batch_size", "dropout") if name in facts
    }
    setting = arm(loss, **factors)
    figures = {"f1": jaccard / 2, "count_mape": 1 - jaccard, "val_jaccard": jaccard + 0.01} | facts
    return Outcome(setting, seed, f"{loss}-{seed}", "test", jaccard, **figures)


def outcomes(**losses: list[float]) -> list[Outcome]:
    return [outcome(loss, seed, value) for loss, runs in losses.items() for seed, value in enumerate(runs)]


FAILED = replace(outcome("focal", 2), jaccard=math.nan, reason="diverged")


# ---------------------------------------------------------------- outcome


def test_an_outcome_comes_back_as_it_was_written(tmp_path):
    tiles = (TileScore("a b.tif", math.nan, 0, 0), TileScore("é.tif", 0.25, 3, 4))
    run = outcome(f1=0.1, epoch=3, epochs=9, seconds=1.5, stopped="finished", device="cpu", tiles=tiles)
    write_json(tmp_path / "result.json", asdict(run))
    back = read(tmp_path / "result.json")
    assert repr(back) == repr(run)  # nan is not equal to itself
    text = (tmp_path / "result.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=pytest.fail)["count_mae"] is None


def test_an_integer_in_the_file_is_read_as_a_float(tmp_path):
    write_json(tmp_path / "result.json", asdict(outcome(jaccard=1.0)))
    facts = json.loads((tmp_path / "result.json").read_text())
    (tmp_path / "result.json").write_text(json.dumps(facts | {"jaccard": 1}))
    assert type(read(tmp_path / "result.json").jaccard) is float


@pytest.mark.parametrize(
    "damage",
    [
        lambda facts: "",
        lambda facts: "[1]",
        lambda facts: json.dumps(facts)[:-9],
        lambda facts: json.dumps({key: facts[key] for key in facts if key != "seed"}),
        lambda facts: json.dumps(facts | {"seed": "0"}),
        lambda facts: json.dumps(facts | {"epoch": True}),
        lambda facts: json.dumps(facts | {"jaccard": "0.5"}),
        lambda facts: json.dumps(facts | {"arm": None}),
        lambda facts: json.dumps(facts | {"arm": facts["arm"] | {"momentum": 0.9}}),
        lambda facts: json.dumps(facts | {"tiles": [{"image": "a"}]}),
        lambda facts: json.dumps(facts | {"tiles": None}),
        lambda facts: b"\xff\xfe\x00".decode("latin-1"),
    ],
)
def test_a_damaged_outcome_is_an_error_that_names_the_file(tmp_path, damage):
    path = tmp_path / "result.json"
    write_json(path, asdict(outcome()))
    path.write_text(damage(json.loads(path.read_text())), encoding="latin-1")
    with pytest.raises(OutputError, match=r"result\.json.*delete it and run again") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_missing_outcome_is_an_error(tmp_path):
    with pytest.raises(OutputError, match="absent"):
        read(tmp_path / "absent.json")


def test_labels_name_only_the_factors_that_vary():
    assert labels([arm("dice")]) == {arm("dice"): "dice"}
    ramp = arm("combined", weighting="ramp")
    assert labels([arm("combined"), ramp])[ramp] == "combined ramp"
    tuned = arm("dice", lr=1e-4, batch_size=8, dropout=0.3)
    other = arm("dice", lr=3e-4, batch_size=4)
    assert labels([tuned, other])[tuned] == "dice lr 1e-04 batch 8 dropout 0.3"


@given(st.lists(st.floats(1e-9, 10), min_size=1, max_size=6, unique=True))
def test_different_arms_have_different_labels(rates):
    arms = [arm(lr=rate) for rate in rates]
    assert len(set(labels(arms).values())) == len(arms)


# ---------------------------------------------------------------- statistics


def test_a_summary_is_the_mean_over_seeds_with_its_t_interval():
    values = [0.5, 0.7, 0.63]
    (row,) = summarise(outcomes(dice=values))
    interval = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert (row.jaccard.n, row.failed, row.jaccard.best) == (3, 0, 0.7)
    assert row.jaccard.mean == pytest.approx(np.mean(values))
    assert row.jaccard.sd == pytest.approx(np.std(values, ddof=1))
    assert (row.jaccard.low, row.jaccard.high) == pytest.approx(interval)
    assert row.f1.mean == pytest.approx(np.mean(values) / 2)
    assert row.val_jaccard.mean == pytest.approx(np.mean(values) + 0.01)


def test_fewer_than_three_seeds_have_no_interval():
    (row,) = summarise(outcomes(dice=[0.5, 0.7]))
    assert row.jaccard.sd == pytest.approx(np.std([0.5, 0.7], ddof=1))
    assert all(map(math.isnan, (row.jaccard.low, row.jaccard.high, row.count_mape.high)))
    (pair,) = differences(outcomes(dice=[0.5, 0.7], focal=[0.4, 0.65]))
    assert math.isnan(pair.low)
    assert math.isfinite(pair.p)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=6))
def test_an_interval_stays_within_the_limits_of_its_metric(values):
    runs = outcomes(dice=[one for one, _ in values], focal=[two for _, two in values])
    for row in summarise(runs):
        assert 0 <= row.jaccard.low <= row.jaccard.high <= 1
        assert row.count_mape.low >= 0
    (pair,) = differences(runs)
    assert -1 <= pair.low <= pair.high <= 1


def test_the_best_count_error_is_the_least():
    (row,) = summarise(outcomes(dice=[0.5, 0.7]))
    assert row.count_mape.best == pytest.approx(0.3)


def test_the_best_mean_comes_first_and_arms_without_a_run_last():
    runs = [FAILED, *outcomes(dice=[0.1, 0.2], tversky=[0.4])]
    rows = summarise(runs)
    assert [row.arm.loss for row in rows] == ["tversky", "dice", "focal"]
    assert [row.failed for row in rows] == [0, 0, 1]
    assert (rows[0].jaccard.n, rows[0].jaccard.mean) == (1, 0.4)
    assert all(map(math.isnan, (rows[0].jaccard.sd, rows[0].jaccard.low, rows[2].jaccard.mean)))


def test_a_figure_that_does_not_exist_is_left_out_of_the_mean():
    (row,) = summarise([outcome(seed=0, f1=math.nan), outcome(seed=1, f1=0.4)])
    assert (row.jaccard.n, row.f1.n, row.f1.mean) == (2, 1, 0.4)


def test_a_difference_is_scipys_paired_t_test():
    one, two = [0.71, 0.74, 0.69, 0.8], [0.70, 0.70, 0.66, 0.79]
    (pair,) = differences(outcomes(focal=two, dice=one))
    expected = stats.ttest_rel(one, two)
    interval = expected.confidence_interval(0.95)
    assert (pair.first, pair.second, pair.n) == ("dice", "focal", 4)
    assert pair.mean == pytest.approx(np.mean(one) - np.mean(two))
    assert (pair.low, pair.high) == pytest.approx((interval.low, interval.high))
    assert pair.p == pytest.approx(expected.pvalue)
    assert pair.p_corrected == pair.p


def test_only_seeds_that_both_have_are_paired():
    runs = [*outcomes(dice=[0.9, 0.6, 0.5], focal=[0.1, 0.55]), FAILED]
    (pair,) = differences(runs)
    assert pair.n == 2
    assert pair.mean == pytest.approx((0.8 + 0.05) / 2)


def test_other_factors_are_averaged_within_a_seed_and_do_not_add_to_n():
    rng = np.random.default_rng(1)
    rates, sizes = (1e-4, 1e-3), (4, 8)
    values = rng.uniform(0.4, 0.8, (2, 3, 2, 2))
    runs = [
        outcome(loss, seed, values[k, seed, i, j], lr=lr, batch_size=size)
        for k, loss in enumerate(("dice", "focal"))
        for seed in range(3)
        for i, lr in enumerate(rates)
        for j, size in enumerate(sizes)
    ]
    (pair,) = differences(runs)
    means = values.mean(axis=(2, 3))
    assert pair.n == 3
    assert pair.p == pytest.approx(stats.ttest_rel(*means).pvalue)
    # A setting that one of the two did not finish counts for neither.
    runs[0] = replace(runs[0], reason="diverged")
    (pair,) = differences(runs)
    gaps = values[0] - values[1]
    per_seed = [(gaps[0].sum() - gaps[0, 0, 0]) / 3, gaps[1].mean(), gaps[2].mean()]
    assert abs(pair.mean) == pytest.approx(abs(np.mean(per_seed)))


def test_weightings_are_compared_where_there_are_several():
    runs = [
        outcome("combined", k, v, weighting=w) for w, v in (("fixed", 0.5), ("ramp", 0.6)) for k in (0, 1)
    ]
    assert [(pair.first, pair.second) for pair in differences(runs)] == [("combined ramp", "combined fixed")]


def test_the_first_of_a_pair_has_the_lesser_error():
    (pair,) = differences(outcomes(dice=[0.9, 0.8], focal=[0.5, 0.6]), "count_mape")
    assert (pair.first, pair.second) == ("dice", "focal")
    assert pair.mean == pytest.approx(-0.3)


@pytest.mark.parametrize(("other", "p"), [([0.5, 0.6, 0.7], 1), ([0.25, 0.35, 0.45], 0)])
def test_equal_differences_are_no_division_by_zero(other, p):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (pair,) = differences(outcomes(dice=[0.5, 0.6, 0.7], focal=other))
    assert pair.p == pytest.approx(p, abs=1e-9)
    assert pair.high - pair.low == pytest.approx(0, abs=1e-9)


def test_one_seed_has_a_difference_and_no_test():
    (pair,) = differences(outcomes(dice=[0.5], focal=[0.3]))
    assert (pair.n, pair.mean) == (1, pytest.approx(0.2))
    assert math.isnan(pair.p)
    assert math.isnan(pair.p_corrected)
    assert not pair.shown


def test_holm_against_a_worked_example():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4 to 1: 0.02, 0.03, 0.06, 0.04; the last may not be below 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    untested = holm([0.01, math.nan, 0.6])
    assert untested[::2] == pytest.approx([0.02, 0.6])
    assert math.isnan(untested[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_only_raises(raw):
    corrected = holm(raw)
    assert all(p <= q <= 1 for p, q in zip(raw, corrected, strict=True))
    for (p, adjusted), (q, other) in itertools.permutations(zip(raw, corrected, strict=True), 2):
        assert p > q or adjusted <= other
    # The least is Bonferroni's, and none is above it.
    assert min(corrected) == pytest.approx(min(1, len(raw) * min(raw)))
    assert all(q <= min(1, len(raw) * p) + 1e-12 for p, q in zip(raw, corrected, strict=True))


# ---------------------------------------------------------------- verdict


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ({}, "no run finished"),
        ({"dice": [0.9, 0.9, 0.9]}, "dice is the only loss"),
        (
            {"dice": [0.9, 0.8], "focal": [0.5, 0.6]},
            "dice leads focal by 0.3000 in mean test Jaccard, but fewer",
        ),
        ({"dice": [0.9, 0.91, 0.9], "focal": [0.5, 0.51, 0.52]}, "dice is better than focal (by 0.3933, p "),
        (
            {"dice": [0.9, 0.5, 0.7], "focal": [0.6, 0.8, 0.69]},
            "No difference shown: dice leads focal by 0.0033",
        ),
    ],
)
def test_the_verdict_of_few_and_clear_and_unclear_runs(losses, words):
    assert words in verdict(outcomes(**losses))


def test_failed_runs_are_not_compared():
    assert "no run finished" in verdict([FAILED])
    assert "only loss" in verdict([*outcomes(dice=[0.5, 0.5, 0.6]), FAILED])


def test_no_difference_comes_with_its_interval():
    runs = outcomes(dice=[0.9, 0.5, 0.7], focal=[0.6, 0.8, 0.69])
    (pair,) = differences(runs)
    assert f"95 % interval {pair.low:.4f} to {pair.high:.4f}" in verdict(runs)
    assert "better" not in verdict(runs)


def test_a_leader_may_be_better_than_only_some():
    said = verdict(
        outcomes(
            dice=[0.80, 0.81, 0.80, 0.82], combined=[0.82, 0.78, 0.81, 0.81], focal=[0.50, 0.52, 0.50, 0.51]
        )
    )
    assert said.startswith("dice is better than focal (by 0.3000, p ")
    assert "but no difference is shown to combined (by 0.0025, 95 % interval -" in said


def test_a_leader_that_is_better_than_none_is_not_named_best():
    # dice leads by a lucky seed and varies so much that only the two steady losses differ.
    runs = outcomes(
        dice=[0.9, 0.2, 0.95, 0.5], combined=[0.5, 0.51, 0.5, 0.51], focal=[0.4, 0.41, 0.405, 0.41]
    )
    said = verdict(runs)
    assert said.startswith("No best loss shown: dice leads combined")
    assert "differences are shown of combined over focal" in said


def test_the_verdict_says_when_the_best_run_is_not_that_of_the_best_mean():
    said = verdict(outcomes(dice=[0.8, 0.8, 0.8], focal=[0.85, 0.3, 0.5]))
    assert "By its best single run focal would lead (0.8500 against 0.8000 of dice)" in said
    assert "best single run" not in verdict(outcomes(dice=[0.8, 0.8, 0.8], focal=[0.4, 0.3, 0.5]))


def test_the_verdict_says_what_is_averaged_and_measured():
    runs = [
        replace(outcome(loss, seed, 0.5, lr=lr), split="val")
        for loss in ("dice", "focal")
        for seed in range(3)
        for lr in (1e-3, 1e-4)
    ]
    assert "validation Jaccard" in verdict(runs)
    assert "averaged over 2 settings" in verdict(runs)
    assert "averaged" not in verdict(outcomes(dice=[0.5] * 3, focal=[0.6] * 3))


def test_losses_without_a_seed_in_common_are_not_compared():
    assert "shares no finished run with focal" in verdict([outcome("dice", 0, 0.9), outcome("focal", 1, 0.5)])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4), st.floats(0, 1) | st.just(math.nan))))
def test_a_verdict_can_always_be_said(cells):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = verdict([outcome(loss, seed, value) for loss, seed, value in cells])
    assert said.endswith(".")
    assert "nan" not in said


# ---------------------------------------------------------------- tables


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


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


def test_the_example_of_the_package_runs():
    result = doctest.testmod(beadctl.study)
    assert result.attempted > 0
    assert result.failed == 0


def test_the_measured_splits():
    assert measured_on([outcome(), replace(outcome(), split="val"), FAILED]) == ("test and validation")
