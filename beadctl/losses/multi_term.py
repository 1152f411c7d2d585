"""Dice, focal and a boundary term: the overlap, every pixel, and extra weight on pixels along the edges."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from beadctl.losses import Loss, LossParameters, Term, checked_weights, counted
from beadctl.losses.dice import dice
from beadctl.losses.focal import focal


def band(target: Tensor, width_px: int) -> Tensor:
    """Pixels near an edge of the mask as 1, else 0, of the shape and dtype of the target.

    The morphological gradient, dilation less erosion by a square of ``2 width_px + 1``: the pixels with a
    pixel of the other class at most `width_px` away, along an axis or diagonally. The image's border is no
    edge.

    Parameters
    ----------
    target : Tensor
        (N, 1, H, W) or (N, H, W), 0 or 1.
    width_px : int
        At least 1.
    """
    bead = target > 0
    # Erosion of the beads is dilation of the rest. In bytes it takes a twentieth of the time of `max_pool2d`.
    near_bead, near_rest = _dilated(torch.stack((bead, ~bead)).to(torch.uint8), width_px)
    near_edge: Tensor = near_bead & near_rest
    return near_edge.to(target.dtype)


def _dilated(planes: Tensor, width_px: int) -> Tensor:
    # Dilation by a square is one by a row, then by a column. Padding is 0: nothing comes from outside.
    for axis, padding in ((-1, (width_px, width_px)), (-2, (0, 0, width_px, width_px))):
        planes, reach = F.pad(planes, padding), 1
        # The maximum of two maxima over `reach` pixels, `shift` apart, is that over the pixels of both.
        while (shift := min(reach, 2 * width_px + 1 - reach)) > 0:
            fewer = planes.shape[axis] - shift
            planes = torch.maximum(planes.narrow(axis, 0, fewer), planes.narrow(axis, shift, fewer))
            reach += shift
    return planes


def boundary(logits: Tensor, target: Tensor, inside: Tensor | None = None, *, width_px: int = 2) -> Tensor:
    """Mean cross-entropy over the pixels near an edge of each sample: (N,), at least 0, float32 or wider.

    ``sum(b e) / sum(b)`` with e the cross-entropy of a pixel and b the `band`; 0 where the mask has no edge.
    As a mean over the band it does not depend on the length of the edges. The signed-distance integral of
    Kervadec et al. (MIDL 2019) is another boundary loss, unbounded below, with a schedule of its own.

    Parameters
    ----------
    logits, target : Tensor
        (N, 1, H, W) or (N, H, W); target is 0 or 1.
    inside : Tensor, optional
        Of that shape, 1 for pixels that count and 0 for padding; without it all count.
    width_px : int
        Half the width of the band, px, at least 1.
    """
    wide = torch.promote_types(logits.dtype, torch.float32)
    truth = target.to(wide)
    near = counted(band(truth, width_px).flatten(1), inside)
    z = logits.to(wide).flatten(1)
    entropy = F.binary_cross_entropy_with_logits(z, truth.flatten(1), reduction="none")
    return (near * entropy).sum(1) / near.sum(1).clamp(min=1.0)


def build(parameters: LossParameters) -> tuple[Term, ...]:
    """Return ``0.6 dice + 0.3 focal + 0.1 boundary``, or other weights."""
    overlap, pixels, edges = checked_weights(Loss.MULTI_TERM, parameters.weights)
    focused = partial(focal, alpha=parameters.focal_alpha, gamma=parameters.focal_gamma)
    edged = partial(boundary, width_px=parameters.boundary_px)
    return Term("dice", overlap, dice), Term("focal", pixels, focused), Term("boundary", edges, edged)
