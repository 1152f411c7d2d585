"""The family of weightings: its files, first weights, and what a resumed run goes on with."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.weighting import built, values_of

import beadctl.weighting
from beadctl.weighting import WeightingName


def test_every_weighting_has_a_file_and_every_file_a_weighting():
    files = {path.stem for path in Path(beadctl.weighting.__file__).parent.glob("[!_]*.py")}
    assert files == {name.value for name in WeightingName}


def test_listing_the_weightings_does_not_import_torch():
    listing = "from beadctl.weighting import WeightingName; list(WeightingName)"
    code = f"import sys; {listing}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", [name for name in WeightingName if name != WeightingName.RAMP])
@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.7, 0.3, 1.0), (0.0, 0.5, 2.0)])
def test_training_starts_with_the_weights_asked_for(name, weights):
    weighting = built(name, weights)
    assert values_of(weighting) == pytest.approx(weights, rel=1e-6)
    assert values_of(weighting, 17.5) == pytest.approx(weights, rel=1e-6)


@pytest.mark.parametrize("name", [name for name in WeightingName if name != WeightingName.UNCERTAINTY])
def test_weights_that_are_not_learned_have_no_regulariser(name):
    weighting = built(name)
    assert list(weighting.parameters()) == []
    assert weighting.regulariser().item() == 0
    assert not weighting.weights(3.0).requires_grad


def go_on(weighting, optimizer, steps):
    """Some steps of training with made-up losses and gradients; all weights that were in force."""
    seen = []
    for step in steps:
        rng = torch.Generator().manual_seed(step)
        losses = torch.rand(3, generator=rng)
        weights = weighting.weights(step / 4)
        seen.append(weights.detach().clone())
        if optimizer:
            optimizer.zero_grad()
            (weights @ losses + weighting.regulariser()).backward()
            optimizer.step()
        weighting.observe(torch.rand(3, generator=rng))
    return torch.stack(seen)


@pytest.mark.parametrize("name", WeightingName)
def test_a_resumed_weighting_goes_on_exactly(name):
    def fresh():
        weighting = built(name, ramp_epochs=4.0)
        learned = list(weighting.parameters())
        return weighting, torch.optim.AdamW(learned, lr=0.01) if learned else None

    weighting, optimizer = fresh()
    straight = go_on(weighting, optimizer, range(20))
    assert (straight[0] != straight[-1]).any() == (name != WeightingName.FIXED)

    weighting, optimizer = fresh()
    first = go_on(weighting, optimizer, range(9))
    file = io.BytesIO()
    torch.save((weighting.state_dict(), optimizer and optimizer.state_dict()), file)
    file.seek(0)
    weighting, optimizer = fresh()
    state, optimizer_state = torch.load(file, weights_only=True)
    weighting.load_state_dict(state)
    if optimizer:
        optimizer.load_state_dict(optimizer_state)
    assert torch.equal(torch.cat((first, go_on(weighting, optimizer, range(9, 20)))), straight)
