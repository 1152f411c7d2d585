"""Targets of many label images at once, on the device that holds them, as `beadctl.training.targets`."""

import torch
import torch.nn.functional as F
from torch import Tensor

from beadctl.training.targets import NEAR_PX

# Sums that are held at once in the search for distances: 256 MB.
MOST_SUMS = 2**26


def batch_targets(labels: Tensor, inside: Tensor) -> Tensor:
    """Return foreground, marker map, contacts and what counts, float32 (N, 4, S, S).

    Parameters
    ----------
    labels : Tensor
        (N, S, S), float32, whole numbers below 2**24: 0 is background, every other number one bead.
    inside : Tensor
        (N, S, S), float32: 1 for the pixels that count.
    """
    bead, most = labels > 0, int(labels.max()) + 1
    inner = torch.where(bead, depths(labels), 0.0)
    owner = (labels.long() + most * torch.arange(len(labels), device=labels.device).view(-1, 1, 1)).flatten()
    deepest = torch.zeros(len(labels) * most, device=labels.device)
    deepest = deepest.scatter_reduce(0, owner, inner.flatten(), "amax")
    marker = inner / deepest[owner].view_as(inner).clamp_min(1.0)
    return torch.stack((bead.float(), marker, contacts(labels, most).float(), inside), 1)


def contacts(labels: Tensor, most: int) -> Tensor:
    """Mark where two beads touch or nearly do, bool (N, S, S); `most` is above every label."""
    window = 2 * NEAR_PX + 1
    highest = F.max_pool2d(labels, window, 1, NEAR_PX)
    lowest = -F.max_pool2d(torch.where(labels > 0, -labels, -float(most)), window, 1, NEAR_PX)
    return (lowest != most) & (lowest != highest)


def depths(labels: Tensor) -> Tensor:
    """Return the distance of every bead pixel to the outside of its bead, px, float32 (N, S, S).

    It is 1 at the rim; the numbers of pixels that are no bead mean nothing. First comes the distance to a rim
    in the pixel's column; then the least sum of squares over the columns that can matter, no farther away
    than that distance.
    """
    size, bead = labels.shape[1], labels > 0
    beyond = 2 * size
    down = _along_columns(_rim(labels) & bead, beyond)
    lines = (down.float() ** 2).view(-1, size)
    reach, order = torch.where(bead, down, 0).view(-1, size).amax(1).clamp_max(size - 1).sort(descending=True)
    reaches, first = reach.tolist(), 0
    result = lines.clone()
    # The lines that reach farthest come first, and those without a bead not at all.
    while first < len(reaches) and reaches[first]:
        farthest = reaches[first]
        rows = order[first : first + max(1, MOST_SUMS // (size * (2 * farthest + 1)))]
        result[rows] = _across(lines[rows], farthest, float(beyond**2))
        first += len(rows)
    return result.view_as(labels).sqrt().add_(1.0)


def _rim(labels: Tensor) -> Tensor:
    rim = torch.zeros_like(labels, dtype=torch.bool)
    for marks, plane in ((rim, labels), (rim.mT, labels.mT)):
        edge = plane[:, 1:] != plane[:, :-1]
        marks[:, 1:] |= edge
        marks[:, :-1] |= edge
    return rim


def _along_columns(rim: Tensor, beyond: int) -> Tensor:
    """Return the distance to the nearest rim pixel above or below, (N, S, S); `beyond` without one."""
    rows = torch.arange(rim.shape[1], device=rim.device).view(1, -1, 1)
    above = torch.where(rim, rows, -beyond).cummax(1).values
    below = torch.where(rim, rows, rows[:, -1:] + beyond).flip(1).cummin(1).values.flip(1)
    return torch.minimum(rows - above, below - rows).clamp_max(beyond)


def _across(lines: Tensor, reach: int, beyond: float) -> Tensor:
    """Return the least of ``line[x + d] + d**2`` over the steps d of at most `reach`, of lines (R, S)."""
    steps = torch.arange(-reach, reach + 1, device=lines.device)
    windows = F.pad(lines, (reach, reach), value=beyond).unfold(1, 2 * reach + 1, 1)
    return (windows + (steps**2).float()).amin(-1)
