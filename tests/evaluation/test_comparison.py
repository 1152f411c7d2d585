"""A model against the default model: scores, mistakes and verdict."""

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from scipy.stats import binomtest

from beadctl.annotations.pairing import pair
from beadctl.console import Messages
from beadctl.evaluation import scoring
from beadctl.evaluation.comparison import CHANCE, Comparison, ImageScores, Verdict, compare, mistakes
from beadctl.evaluation.metrics import CountErrors, InstanceCounts
from beadctl.evaluation.scoring import Score
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.segmentation.options import SegmentOptions

QUIET = Messages(-1)


def scored(right, missed=0, false=0):
    """The score of an image of which so many beads are found, missed and false, at any overlap."""
    nine = [(number,) * 9 for number in (right, false, missed)]
    return Score(
        instances=InstanceCounts(*nine),
        counts=CountErrors((right + missed,), (right + false,)),
    )


def comparison(default, model):
    return Comparison((ImageScores("a", scored(*default), scored(*model)),))


@pytest.mark.parametrize(
    ("default", "model", "verdict"),
    [
        ((90, 10, 10), (98, 2, 1), Verdict.BETTER),
        ((90, 10, 10), (95, 5, 5), Verdict.UNCLEAR),
        ((90, 10, 10), (90, 10, 10), Verdict.NOT_BETTER),
        ((95, 5, 5), (90, 10, 10), Verdict.NOT_BETTER),
        # A higher F1 with more mistakes.
        ((90, 10, 10), (95, 5, 11), Verdict.NOT_BETTER),
        ((0, 0, 0), (0, 0, 0), Verdict.NOT_BETTER),
        ((100, 0, 0), (100, 0, 0), Verdict.NOT_BETTER),
    ],
)
def test_the_verdict_needs_a_higher_f1_and_more_than_chance(default, model, verdict):
    assert comparison(default, model).verdict is verdict


@pytest.mark.parametrize(("before", "after"), [(8, 1), (9, 2), (10, 2), (10, 3), (30, 15), (30, 16), (5, 0)])
def test_chance_is_that_of_the_conditional_test(before, after):
    found = comparison((100, before), (100, after))
    assert found.mistakes == (before, after)
    chance = binomtest(after, before + after, 0.5, alternative="less").pvalue
    assert (found.verdict is Verdict.BETTER) == (chance < CHANCE)


def test_a_bead_in_the_wrong_place_is_one_mistake():
    truth, found = np.zeros((2, 40, 40), np.uint32)
    truth[2:8, 2:8], truth[20:26, 20:26] = 1, 2
    found[2:8, 2:8], found[20:26, 28:34] = 7, 9
    assert mistakes(scoring.score(truth, found)) == 1
    found[32:38, 2:8] = 3
    assert mistakes(scoring.score(truth, found)) == 2


def test_both_models_are_scored_as_eval_scores_them(tmp_path, model_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for name, count in (("a", 6), ("b", 9)):
        image, labels = discs(count)
        tifffile.imwrite(tmp_path / f"images/{name}.tif", image)
        tifffile.imwrite(tmp_path / f"masks/{name}.tif", labels)
    samples = pair(tmp_path / "images", tmp_path / "masks").samples
    default, model = Model(DEFAULT_MODEL, "cpu"), Model(model_path, "cpu")
    seen = []
    found = compare(samples, default, model, QUIET, on_image=seen.append)
    for one, total in ((default, found.default), (model, found.model)):
        alone = scoring.evaluate(samples, one, SegmentOptions.of(one.facts), QUIET)
        assert total == sum((image.score for image in alone), Score())
    assert found.beads == 15
    assert [one.name for one in seen] == [image.name for image in found.images] == ["a.tif", "b.tif"]
    assert all(one.scores == image for one, image in zip(seen, found.images, strict=True))
    twice = Comparison(found.images * 2)
    assert twice.beads == 30
    assert {name: after for name, _, after in twice.rows()}["beads found"] == sum(
        one.model.counts.found[0] * 2 for one in found.images
    )
    assert f"F1@0.5 {found.model.instances.f1(0.5):.3f}" in found.figures().split("default")[0]
