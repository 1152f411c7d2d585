"""The objective: the loss of the marker map, and the channels that each term reads."""

import torch

from beadctl.losses import Loss, LossParameters
from beadctl.training.objective import marker_loss, objective


def test_marker_loss_is_zero_for_the_truth_and_the_plain_formula_elsewhere():
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(2, 6, 6, generator=generator, dtype=torch.float64) * 0.98 + 0.01
    bead = (torch.rand(2, 6, 6, generator=generator) < 0.4).double()
    truth = truth * bead
    perfect = torch.logit(truth.clamp(1e-12, 1 - 1e-12))
    assert marker_loss(perfect, truth, bead).abs().max() < 1e-9
    logits = torch.randn(2, 6, 6, generator=generator, dtype=torch.float64)
    p, t = torch.sigmoid(logits), truth
    divergence = torch.xlogy(t, t / p) + torch.xlogy(1 - t, (1 - t) / (1 - p))
    for n in range(2):
        inside, outside = divergence[n][bead[n] > 0], divergence[n][bead[n] == 0]
        weight = min(10.0, max(1.0, len(outside) / len(inside)))
        want = (weight * inside.sum() + outside.sum()) / (weight * len(inside) + len(outside))
        torch.testing.assert_close(marker_loss(logits, truth, bead)[n], want)
    assert torch.autograd.gradcheck(lambda z: marker_loss(z, truth, bead), logits.requires_grad_())


def test_pixels_at_contacts_weigh_more_in_the_marker_loss():
    generator = torch.Generator().manual_seed(1)
    bead = torch.zeros(1, 8, 8)
    bead[0, :2] = 1
    contact = torch.zeros(1, 8, 8)
    contact[0, 1:3, 4] = 1  # a rim and the gap beside it
    truth, logits = bead * 0.5, torch.randn(1, 8, 8, generator=generator)
    p, t = torch.sigmoid(logits), truth
    divergence = torch.xlogy(t, t / p) + torch.xlogy(1 - t, (1 - t) / (1 - p))
    # Three times as much background as beads; a contact weighs as a bead pixel, and four times that more.
    weight = torch.where(contact > 0, 5 * 3.0, torch.where(bead > 0, 3.0, 1.0))
    want = (divergence * weight).sum() / weight.sum()
    torch.testing.assert_close(marker_loss(logits, truth, bead, contact, 4.0)[0], want)
    torch.testing.assert_close(
        marker_loss(logits, truth, bead, contact, 0.0), marker_loss(logits, truth, bead)
    )


def test_objective_reads_the_channels_in_order():
    terms = objective(Loss.DICE, LossParameters(), 0.5)
    assert (terms.names, terms.weights, terms.channels) == (("dice", "marker"), (1.0, 0.5), (0, 1))
    wanted = torch.zeros(1, 3, 8, 8)
    wanted[0, 0, :4], wanted[0, 1, :4] = 1, 1
    right = 30 * (2 * wanted[:, :2] - 1)
    assert (terms.values(right, wanted) < 1e-4).all()
    mask, marker = terms.values(right * torch.tensor([1.0, -1.0])[None, :, None, None], wanted)
    assert mask.item() < 1e-4 < 1 < marker.item()
