"""Outcomes of a comparison, and their statistics."""

import itertools
import json
import math
import warnings
from dataclasses import asdict, replace

import numpy as np
import pytest
from helpers.outcomes import FAILED, arm, outcome, outcomes
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from beadctl.errors import OutputError
from beadctl.files import write_json
from beadctl.study.outcome import TileScore, labels, read
from beadctl.study.statistics import differences, holm, summarise

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
