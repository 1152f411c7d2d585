"""What a comparison concludes."""

import math
import warnings
from dataclasses import replace

import pytest
from helpers.outcomes import FAILED, outcome, outcomes
from hypothesis import given
from hypothesis import strategies as st

from beadctl.study.statistics import differences
from beadctl.study.verdict import measured_on, verdict


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


def test_the_measured_splits():
    assert measured_on([outcome(), replace(outcome(), split="val"), FAILED]) == ("test and validation")
