"""Every loss against other libraries."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from helpers.losses import PARAMETERS, WEIGHTS, band_by_hand, batch, built, torch_bce, with_gradient

from beadctl.losses import Loss, Term, weighted


@pytest.fixture(scope="module")
def monai_losses():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from monai import losses
    return losses


def foreign(name, losses):
    """The loss of another library with our numbers and our one pixel of smoothing, a value per sample."""
    p, smooth = PARAMETERS, {"sigmoid": True, "reduction": "none", "smooth_nr": 1.0, "smooth_dr": 1.0}
    match name:
        case "bce":
            return torch_bce
        case "dice":
            function = losses.DiceLoss(**smooth)
        case "focal":
            function = losses.FocalLoss(gamma=p.focal_gamma, alpha=p.focal_alpha, reduction="none")
        case "tversky":
            # Its alpha is the price of false pixels, its beta that of missed ones.
            function = losses.TverskyLoss(alpha=p.tversky_beta, beta=p.tversky_alpha, **smooth)
        case "focal-tversky":
            tversky = foreign("tversky", losses)
            return lambda z, y: tversky(z, y) ** p.tversky_gamma
        case "boundary":
            return lambda z, y: torch.stack(
                [
                    F.binary_cross_entropy_with_logits(
                        one,
                        true,
                        torch.from_numpy(band_by_hand(true[0].numpy(), p.boundary_px))[None].to(one),
                        reduction="sum",
                    )
                    / max(1, band_by_hand(true[0].numpy(), p.boundary_px).sum())
                    for one, true in zip(z, y, strict=True)
                ]
            )
    return lambda z, y: function(z, y).flatten(1).mean(1)


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0], ids="beads {}".format)
@pytest.mark.parametrize("loss", [loss for loss in Loss if loss != Loss.LOVASZ])
def test_agrees_with_other_libraries(loss, share, monai_losses):
    """MONAI computes in float32; it has no hinge, whose oracle is its definition."""
    logits, target = batch((4, 1, 32, 24), torch.float32, share=share)
    parts = [
        Term(name, weight, foreign(name, monai_losses))
        for name, weight in zip(loss.weights, WEIGHTS.get(loss, (1.0,)), strict=True)
    ]
    value, gradient = with_gradient(built(loss), logits, target)
    other, slope = with_gradient(weighted(parts), logits, target)
    torch.testing.assert_close(value, other, rtol=0, atol=1e-6)
    torch.testing.assert_close(gradient, slope, rtol=0, atol=1e-5)
    # The gradients of means over 768 pixels are small numbers.
    assert (gradient - slope).norm() <= 1e-4 * slope.norm()
