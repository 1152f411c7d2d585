"""Weightings in training, where a step is of one batch or of several."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.weighting import scenes

from beadctl.losses import Loss, LossParameters
from beadctl.training.dataset import TrainingData
from beadctl.training.objective import objective
from beadctl.training.options import TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.run_folder import RunFolder
from beadctl.training.shown import INPUT
from beadctl.training.training_run import TrainingRun
from beadctl.weighting import WeightingName, WeightingParameters


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
