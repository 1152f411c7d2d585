"""Exact masks of simulated images are not called bad, by the look of `tile` and `train` or by the audit."""

import re

import pytest

from beadctl.annotations.pairing import pair
from beadctl.audit.detector import bead_detector
from beadctl.audit.faults import Verdict
from beadctl.audit.run import audit
from beadctl.audit.spot_check import MAX_PAIRS, spot_check
from beadctl.console import Messages
from beadctl.images import ReadOptions
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.segmentation.options import SegmentOptions


def looked_bad(samples, capsys):
    """Return how many of all pairs the quick look calls bad."""
    bad = 0
    for start in range(0, len(samples), MAX_PAIRS):
        spot_check(samples[start : start + MAX_PAIRS], ReadOptions(), Messages(), "beadctl audit")
        found = re.search(r"(\d+) of \d+ masks checked (?:is|are) bad", capsys.readouterr().err)
        bad += int(found[1]) if found else 0
    return bad


def audited_bad(samples):
    model = Model(DEFAULT_MODEL, "cpu")
    detector = bead_detector(model, SegmentOptions.of(model.facts))
    return [one.sample.name for one in audit(samples, detector=detector) if one.result.verdict is Verdict.BAD]


def simulated(run, folder, number, seed):
    assert run("simulate", folder, "-n", number, "--size", "256", "--seed", seed, "-q").code == 0
    return pair(folder / "images", folder / "masks").samples


def test_pairs_that_edges_mistake_are_looked_at_with_the_model(run, tmp_path, capsys):
    """Among them packed lenses, of which the model sees the bright centres."""
    samples = simulated(run, tmp_path / "s", 12, 100)
    edges_alone = [one.sample.name for one in audit(samples) if one.result.verdict is Verdict.BAD]
    assert len(edges_alone) >= 3
    assert looked_bad(samples, capsys) == 0
    assert audited_bad(samples) == []


@pytest.mark.slow
def test_of_300_simulated_pairs_at_most_three_are_bad(run, tmp_path, capsys):
    samples = [one for seed in (101, 202, 303) for one in simulated(run, tmp_path / str(seed), 100, seed)]
    assert looked_bad(samples, capsys) <= 3
    assert len(audited_bad(samples)) <= 3
