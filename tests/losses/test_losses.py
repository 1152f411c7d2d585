"""The family of losses: its files, terms and weights."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.losses import batch

import beadctl.losses
from beadctl.losses import Loss, LossParameters, checked_weights, weighted


def test_every_loss_has_a_file_and_every_file_a_loss():
    files = {path.stem for path in Path(beadctl.losses.__file__).parent.glob("[!_]*.py")}
    assert files == {loss.value.replace("-", "_") for loss in Loss}


def test_listing_the_losses_does_not_import_torch():
    listing = "from beadctl.losses import Loss; [loss.weights for loss in Loss]"
    code = f"import sys; {listing}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("loss", Loss)
def test_terms_are_those_that_the_loss_names(loss):
    own = loss.load()(LossParameters())
    assert {term.name: term.weight for term in own} == loss.weights
    assert [term.name for term in own] == list(loss.weights)
    assert sum(term.weight for term in own) == pytest.approx(1)
    asked = tuple(0.25 * (place + 1) for place in range(len(own)))
    given_weights = loss.load()(LossParameters(weights=asked))
    assert tuple(term.weight for term in given_weights) == asked
    logits, target = batch()
    by_term = [term.loss(logits, target) for term in given_weights]
    want = sum(weight * value for weight, value in zip(asked, by_term, strict=True))
    torch.testing.assert_close(weighted(given_weights)(logits, target), want)


def test_loss_weights_cannot_be_changed_from_outside():
    with pytest.raises(TypeError):
        Loss.COMBINED.weights["dice"] = 1.0


@pytest.mark.parametrize("loss", Loss)
def test_weights_are_checked(loss):
    count = len(loss.weights)
    assert checked_weights(loss, None) == tuple(loss.weights.values())
    assert checked_weights(loss, [1] * count) == (1.0,) * count
    for wrong in ((), (1.0,) * (count + 1)):
        with pytest.raises(ValueError, match=rf"{loss.value} has {count} term.*not {len(wrong)}"):
            checked_weights(loss, wrong)
    for bad in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match="at least 0"):
            checked_weights(loss, (*(1.0,) * (count - 1), bad))
    with pytest.raises(ValueError, match="not all"):
        checked_weights(loss, (0.0,) * count)
    with pytest.raises(ValueError, match="term"):
        loss.load()(LossParameters(weights=(1.0,) * (count + 1)))
