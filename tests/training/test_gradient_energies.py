"""The gradients of the terms at the features of the head, which `balance` observes."""

import pytest
import torch
from helpers.weighting import scenes, true_energies
from torch import nn

from beadctl.losses import Loss, LossParameters
from beadctl.training.architecture import Architecture
from beadctl.training.objective import gradient_energies, marker_loss, objective
from beadctl.training.unet import UNet


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
