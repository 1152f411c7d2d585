"""The table of a cross-validation."""

import numpy as np
import pytest

pytest.importorskip("torch")

from beadctl.evaluation.comparison import Comparison, ImageScores
from beadctl.evaluation.metrics import CountErrors, InstanceCounts
from beadctl.evaluation.scoring import Score
from beadctl.tuning.cross_validation import COLUMNS, table


def scored(right, missed):
    counts = CountErrors((right + missed,), (right,))
    return Score(instances=InstanceCounts((right,) * 9, (0,) * 9, (missed,) * 9), counts=counts)


def test_folds_have_the_figures_of_both_models_and_mean_and_spread():
    missed = [(2, 1), (5, 0), (5, 3)]
    folds = [
        Comparison((ImageScores("a", scored(10 - before, before), scored(10 - after, after)),))
        for before, after in missed
    ]
    *rows, mean, spread = [dict(zip(COLUMNS, row, strict=True)) for row in table(folds)]
    assert [(row["fold"], row["images"], row["beads"]) for row in rows] == [
        (str(number), "1", "10") for number in (1, 2, 3)
    ]
    default, tuned = np.array(missed).T / 10
    errors = [f"{after:.3f} ({before:.3f})" for before, after in zip(default, tuned, strict=True)]
    assert [row["count error"] for row in rows] == errors
    assert mean["count error"] == f"{tuned.mean():.3f} ({default.mean():.3f})"
    assert spread["count error"] == f"{tuned.std(ddof=1):.3f} ({default.std(ddof=1):.3f})"
    assert rows[1]["F1@0.5"] == f"1.000 ({2 * 5 / (2 * 5 + 5):.3f})"
