"""The weightings against formulas computed by hand, and in training step by step."""

import io
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import beadctl.weighting
from beadctl.losses import Loss, LossParameters
from beadctl.training.architecture import Architecture
from beadctl.training.dataset import TrainingData
from beadctl.training.objective import gradient_energies, marker_loss, objective
from beadctl.training.options import TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.run_folder import RunFolder
from beadctl.training.shown import INPUT
from beadctl.training.training_run import TrainingRun
from beadctl.training.unet import UNet
from beadctl.weighting import WeightingName, WeightingParameters


def built(name, weights=(0.7, 0.3, 1.0), **parameters):
    return WeightingName(name).load()(weights, WeightingParameters(**parameters))


def values_of(weighting, epoch=0.0):
    return weighting.weights(epoch).detach().double().tolist()


# --- the family's bookkeeping --------------------------------------------------------------------------


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


# --- ramp ----------------------------------------------------------------------------------------------


def test_ramp_is_the_schedule_of_the_study():
    """Dice from a half to 0.7 over 30 epochs, focal the rest, the marker's weight constant."""
    ramp = built("ramp")
    for epoch in np.linspace(0, 60, 241):
        dice = 0.5 + 0.2 * min(epoch / 30, 1)
        assert values_of(ramp, float(epoch)) == pytest.approx([dice, 1 - dice, 1.0], abs=1e-12)
    assert values_of(ramp, 15.0) == pytest.approx([0.6, 0.4, 1.0])


def test_ramp_from_elsewhere():
    ramp = built("ramp", (0.6, 0.3, 0.1, 2.0), ramp_from=(0.0, 1.0, 0.0), ramp_epochs=4.0)
    assert values_of(ramp, 0.0) == pytest.approx([0.0, 1.0, 0.0, 2.0])
    assert values_of(ramp, 1.0) == pytest.approx([0.15, 0.825, 0.025, 2.0])
    assert values_of(ramp, 4.0) == values_of(ramp, 99.0) == pytest.approx([0.6, 0.3, 0.1, 2.0])


def test_ramp_without_another_start_keeps_the_sum():
    ramp = built("ramp", (0.5, 0.3, 0.1, 2.0))
    assert values_of(ramp) == pytest.approx([0.3, 0.3, 0.3, 2.0])
    assert sum(values_of(ramp, 11.0)) == pytest.approx(2.9)
    assert values_of(built("ramp", (1.0, 0.5)), 3.0) == pytest.approx([1.0, 0.5])


@pytest.mark.parametrize("start", [(1.0,), (0.2, 0.3, 0.5)])
def test_ramp_needs_a_start_for_each_term(start):
    with pytest.raises(ValueError, match=rf"2 term.*the ramp {len(start)}"):
        built("ramp", ramp_from=start)


# --- uncertainty ---------------------------------------------------------------------------------------


def uncertain_step(weighting, losses):
    """What the weights add to training: sum of w L, and their own cost."""
    weighting.zero_grad()
    total = weighting.weights(0.0) @ losses + weighting.regulariser()
    total.backward()
    return total.item(), weighting.log_variance.grad.tolist()


def test_uncertainty_is_the_formula():
    """``sum(exp(-s) L + s / 2)`` with s = -log of the weight, whose slope is ``1/2 - exp(-s) L``."""
    weights, losses = (0.7, 0.3, 1.0), (0.2, 0.05, 0.6)
    total, slopes = uncertain_step(built("uncertainty", weights), torch.tensor(losses))
    pairs = list(zip(weights, losses, strict=True))
    assert total == pytest.approx(sum(w * value - math.log(w) / 2 for w, value in pairs), rel=1e-6)
    assert slopes == pytest.approx([0.5 - w * value for w, value in pairs], rel=1e-6)


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_uncertainty_has_its_minimum_at_half_over_the_loss(losses):
    rest = built("uncertainty", [1 / (2 * value) for value in losses])
    cost, slopes = uncertain_step(rest, torch.tensor(losses))
    assert slopes == pytest.approx([0.0] * len(losses), abs=1e-6)
    for factor in (0.9, 1.1):
        beside = built("uncertainty", [factor / (2 * value) for value in losses])
        assert uncertain_step(beside, torch.tensor(losses))[0] > cost


def learn(weighting, losses, steps):
    optimizer = torch.optim.SGD(weighting.parameters(), lr=0.1)
    for _ in range(steps):
        uncertain_step(weighting, torch.tensor(losses))
        optimizer.step()
    return values_of(weighting)


def test_uncertainty_converges_and_returns_from_its_limits():
    """A weight that ran against its limit still moves when its term's loss changes."""
    weighting = built("uncertainty")
    extreme = learn(weighting, [0.25, 1e-4, 1e3], 400)
    assert extreme == pytest.approx([2.0, math.exp(6), math.exp(-6)], rel=1e-3)
    assert learn(weighting, [0.25, 0.5, 0.1], 400) == pytest.approx([2.0, 1.0, 5.0], rel=1e-3)


def test_uncertainty_leaves_out_a_term_without_weight():
    weighting = built("uncertainty", (0.7, 0.0, 1.0))
    _, slopes = uncertain_step(weighting, torch.tensor([0.1, 123.0, 0.1]))
    assert slopes[1] == 0
    assert learn(weighting, [0.25, 123.0, 0.25], 50)[1] == 0
    assert weighting.regulariser().item() == pytest.approx(weighting.log_variance[[0, 2]].sum().item() / 2)


# --- balance -------------------------------------------------------------------------------------------

shares = st.lists(st.floats(0.05, 5), min_size=3, max_size=3)
norms = st.lists(st.floats(0.011, 1), min_size=3, max_size=3)


@given(shares, norms)
@settings(max_examples=50, deadline=None)
def test_balance_gives_the_gradients_the_ratios_of_the_shares(share, norm):
    balance = built("balance", share)
    for _ in range(3):
        balance.observe(torch.tensor(norm, dtype=torch.float64))
    weights = values_of(balance)
    pulls = [weight * size / asked for weight, size, asked in zip(weights, norm, share, strict=True)]
    assert pulls == pytest.approx([pulls[0]] * 3, rel=1e-9)
    assert sum(weights) == pytest.approx(sum(share), rel=1e-12)


def test_balance_averages_by_hand():
    balance, average = built("balance"), None
    for size in ([0.4, 0.02, 0.1], [0.2, 0.05, 0.3], [0.3, 0.01, 0.0]):
        balance.observe(torch.tensor(size))
        average = size if average is None else [0.9 * a + 0.1 * b for a, b in zip(average, size, strict=True)]
        raw = [share / size for share, size in zip((0.7, 0.3, 1.0), average, strict=True)]
        assert values_of(balance) == pytest.approx([2.0 * one / sum(raw) for one in raw], rel=1e-6)


@given(shares, st.lists(st.sampled_from([0.0, 1e-12, 1e-3, 1.0, 1e6]), min_size=3, max_size=3))
@settings(max_examples=50, deadline=None)
def test_balance_has_bounds(share, norm):
    balance = built("balance", share)
    balance.observe(torch.tensor(norm))
    weights = values_of(balance)
    assert all(0 < weight <= 100 * asked * (1 + 1e-9) for weight, asked in zip(weights, share, strict=True))
    assert sum(weights) == pytest.approx(sum(share))


def test_balance_leaves_out_a_term_without_weight():
    balance = built("balance", (0.7, 0.0, 1.0))
    balance.observe(torch.tensor([0.1, 5.0, 0.2]))
    assert values_of(balance) == pytest.approx([1.7 * 7 / 12, 0.0, 1.7 * 5 / 12])


# --- what balance measures -----------------------------------------------------------------------------


def scenes(samples, size, dtype=torch.float64, seed=0):
    """Images with discs, their two targets, and no contacts."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((size, size))
    images, targets = np.empty((samples, 1, size, size)), np.empty((samples, 3, size, size))
    for image, target in zip(images, targets, strict=True):
        cy, cx = rng.uniform(3, size - 3, (2, 3, 1, 1))
        far = np.hypot(y - cy, x - cx).min(0)
        target[:] = far <= 3, np.clip(1 - far / 4, 0, 1), np.zeros_like(far)
        image[:] = 2 * target[0] + rng.normal(0, 0.5, far.shape)
    return torch.from_numpy(images).to(dtype), torch.from_numpy(targets).to(dtype)


def true_energies(values, features):
    """Squared norms by a backward pass to the features for each term and sample."""
    return torch.stack(
        [
            sum(torch.autograd.grad(one, features, retain_graph=True)[0].square().sum() for one in row)
            for row in values
        ]
    )


@pytest.mark.parametrize("loss", Loss)
def test_an_objective_has_its_terms_in_the_order_of_their_names(loss):
    parts = objective(loss, LossParameters(), 2.5)
    terms = loss.load()(LossParameters())
    assert parts.names == (*(term.name for term in terms), "marker")
    assert parts.weights == (*(term.weight for term in terms), 2.5)
    _, wanted = scenes(2, 12)
    logits = torch.randn(2, 2, 12, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    *mask, marker = parts.values(logits, wanted)
    for term, value in zip(terms, mask, strict=True):
        torch.testing.assert_close(value, term.loss(logits[:, 0], wanted[:, 0]))
    torch.testing.assert_close(marker, marker_loss(logits[:, 1], wanted[:, 1], wanted[:, 0]))


@pytest.mark.parametrize("loss", Loss)
def test_energies_are_those_at_the_features_of_a_small_head(loss):
    torch.manual_seed(0)
    parts = objective(loss, LossParameters(), 1.0)
    head = nn.Conv2d(5, 2, 1, dtype=torch.float64)
    features = torch.randn(4, 5, 12, 12, dtype=torch.float64, requires_grad=True)
    _, wanted = scenes(4, 12)
    logits = head(features)
    values = parts.values(logits, wanted)
    assert values.shape == (len(parts.names), 4)
    energies = gradient_energies(values, logits, parts.channels, head.weight)
    torch.testing.assert_close(energies, true_energies(values, features), rtol=1e-10, atol=0)
    assert (energies > 0).all()
    # Micro-batches add up.
    parted = torch.zeros_like(energies)
    for part in (slice(0, 3), slice(3, 4)):
        some = head(features[part])
        parted += gradient_energies(parts.values(some, wanted[part]), some, parts.channels, head.weight)
    torch.testing.assert_close(parted, energies, rtol=1e-10, atol=0)
    # The norm of the step is that of the mean over the batch, since samples do not share features.
    mean = torch.stack(
        [torch.autograd.grad(row.mean(), features, retain_graph=True)[0].norm() for row in values]
    )
    torch.testing.assert_close(energies.sqrt() / 4, mean, rtol=1e-10, atol=0)


def test_measuring_a_network_changes_nothing():
    """At the features that the real head reads, and the gradient that training then takes is the same."""
    torch.manual_seed(0)
    network = UNet(Architecture(width=4, depth=2, dropout=0.0)).double()
    parts = objective(Loss.MULTI_TERM, LossParameters(), 1.0)
    images, wanted = scenes(3, 16)
    read = []
    network.head.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    gradients = []
    for measured in (False, True):
        network.zero_grad()
        logits = network(images)
        values = parts.values(logits, wanted)
        if measured:
            energies = gradient_energies(values, logits, parts.channels, network.head.weight)
            torch.testing.assert_close(energies, true_energies(values, read[-1]), rtol=1e-10, atol=0)
            assert not energies.requires_grad
        values.sum().backward()
        gradients.append([parameter.grad.clone() for parameter in network.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


# --- saved and resumed ---------------------------------------------------------------------------------


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


# --- accumulation --------------------------------------------------------------------------------------


class Discs:
    """A source of ready scenes, as the tiles of a folder would be."""

    input = INPUT

    def __init__(self, samples, size):
        images, targets = scenes(samples, size, torch.float32)
        self.ready = list(zip(images[:, 0].numpy(), targets[:, 0].numpy().astype(np.int32), strict=True))

    def __len__(self):
        return len(self.ready)

    def scene(self, seed, epoch, index):
        return self.ready[index]

    def name(self, seed, epoch, index):
        return str(index)


DISCS = Discs(32, 16)
PLAN = TrainingPlan(
    size=16,
    epochs=1,
    width=4,
    depth=2,
    dropout=0.0,
    augment=False,
    lr=0.05,
    warmup_epochs=0.0,
    final_lr_fraction=1.0,
    clip_norm=math.inf,
)


def prepared(plan, folder, source=DISCS):
    """A run of plain descent."""
    data, options = TrainingData(source, [], ""), TrainOptions(workers=0)
    run = TrainingRun(plan, data, RunFolder(folder, resume=False), torch.device("cpu"), options)
    learner = run.learner
    # Frozen normalisation: micro-batches change its batch statistics, and nothing else.
    learner.network.eval()
    learner.network.train = lambda: None
    groups = [{"params": list(learner.network.parameters())}]
    if learned := list(learner.weighting.parameters()):
        groups.append({"params": learned, "rate": 10.0})
    learner.optimizer = torch.optim.SGD(groups, lr=1.0)
    return run


def after_two_steps(plan, folder):
    """Move of the weights, state of the weighting and record of an epoch of two steps."""
    run = prepared(plan, folder)
    learner = run.learner
    before = [parameter.detach().clone() for parameter in learner.network.parameters()]
    epoch = run.train_epoch()
    assert learner.step == 2
    moves = [old - new.detach() for old, new in zip(before, learner.network.parameters(), strict=True)]
    return torch.cat([move.flatten() for move in moves]), learner.weighting, epoch


@pytest.mark.parametrize("name", WeightingName)
@pytest.mark.parametrize("loss", Loss)
def test_four_by_four_is_one_by_sixteen(loss, name, tmp_path):
    """The second step is taken with the weights that the first one led to."""
    ramp = WeightingParameters(ramp_epochs=1.0)
    plan = replace(PLAN, loss=loss, weighting=name, weighting_parameters=ramp)
    whole, one, whole_epoch = after_two_steps(replace(plan, batch_size=16), tmp_path / "whole")
    parts, four, parts_epoch = after_two_steps(replace(plan, batch_size=4, accumulate=4), tmp_path / "parts")
    assert whole.abs().max() > 1e-3
    torch.testing.assert_close(parts, whole, atol=1e-6, rtol=0)
    assert one.state_dict().keys() == four.state_dict().keys()
    for key, value in one.state_dict().items():
        torch.testing.assert_close(four.state_dict()[key], value, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(four.weights(1.0), one.weights(1.0), atol=1e-6, rtol=1e-6)
    for figure in ("weights", "train_loss"):
        assert parts_epoch[figure] == pytest.approx(whole_epoch[figure], abs=1e-6)
    start = objective(loss, LossParameters(), plan.marker_weight).weights
    moved = list(whole_epoch["weights"].values()) != pytest.approx(start, abs=1e-4)
    several = len(loss.weights) > 1
    assert moved == (name in ("uncertainty", "balance") or (name == "ramp" and several))


def test_balance_observes_the_norm_of_each_step(tmp_path):
    """That of the mean over the step's samples, whatever the micro-batches; the last step is a short one."""
    source, told = Discs(24, 16), []
    plan = replace(PLAN, loss=Loss.MULTI_TERM, weighting=WeightingName.BALANCE, lr=0.0, batch_size=4)
    run = prepared(replace(plan, accumulate=4), tmp_path / "run", source)
    learner = run.learner
    learner.weighting.observe = told.append
    run.train_epoch()
    read = []
    learner.network.head.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    for step, places in enumerate((range(16), range(16, 24))):
        images, wanted = (
            torch.stack(kind) for kind in zip(*(run.supply.views[0, place] for place in places), strict=True)
        )
        values = learner.objective.values(learner.network(images), wanted)
        norms = [torch.autograd.grad(row.mean(), read[-1], retain_graph=True)[0].norm() for row in values]
        torch.testing.assert_close(told[step], torch.stack(norms).double(), rtol=1e-5, atol=0)
    assert len(told) == 2
