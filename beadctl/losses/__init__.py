"""Losses of the foreground: one small file each, one line of the enum each.

Every member's file has ``build(parameters) -> tuple of terms``; a term is a name, a weight and a function
that takes the foreground logits (N, 1, H, W), the 0/1 target of the same shape and, where samples are padded,
1 for the pixels that count, and returns one loss per sample, shape (N,). With one value per sample a batch
can be split into micro-batches without a change of its gradient; with separate terms `beadctl.weighting` can
change their weights. Importing this package does not import torch; `Loss.load` does.

Examples
--------
>>> from beadctl.losses import Loss, LossParameters
>>> dict(Loss.COMBINED.weights)
{'dice': 0.7, 'focal': 0.3}
>>> [term.name for term in Loss.COMBINED.load()(LossParameters(focal_gamma=1.0))]
['dice', 'focal']
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from beadctl.words import number_of

if TYPE_CHECKING:
    from torch import Tensor

    LossFunction = Callable[..., Tensor]


@dataclass(frozen=True)
class LossParameters:
    """The numbers of the family; each loss reads its own.

    Attributes
    ----------
    weights : tuple of float or None
        Weights of the terms, in their order; None for the loss's own, `Loss.weights`.
    focal_alpha : float
        Weight of bead pixels in the focal loss, 0 to 1; background pixels weigh ``1 - focal_alpha``.
    focal_gamma : float
        Focusing exponent: how much the focal loss reduces the weight of well classified pixels; 0 for none.
    tversky_alpha, tversky_beta : float
        Weights of missed bead pixels and of false ones in the Tversky losses.
    tversky_gamma : float
        Exponent of the focal Tversky loss; below 1 it raises the weight of samples that are nearly right.
    boundary_px : int
        Half the width of the band along the edges of the beads in the boundary term, px.
    """

    weights: tuple[float, ...] | None = None
    focal_alpha: float = 0.25
    focal_gamma: float = 2.0
    tversky_alpha: float = 0.7
    tversky_beta: float = 0.3
    tversky_gamma: float = 0.75
    boundary_px: int = 2


@dataclass(frozen=True)
class Term:
    """A term of a loss: its name, its weight, and the function of its value per sample."""

    name: str
    weight: float
    loss: LossFunction


class Loss(StrEnum):
    """A loss by its name on the command line."""

    DICE = "dice"
    FOCAL = "focal"
    COMBINED = "combined"
    TVERSKY = "tversky"
    FOCAL_TVERSKY = "focal-tversky"
    MULTI_TERM = "multi-term"
    BCE = "bce"
    LOVASZ = "lovasz"

    @property
    def weights(self) -> Mapping[str, float]:
        """The loss's terms and their default weights."""
        return _WEIGHTS.get(self, MappingProxyType({self.value: 1.0}))

    def load(self) -> Callable[[LossParameters], tuple[Term, ...]]:
        """Import the member's file and return its ``build``."""
        module = import_module(f"beadctl.losses.{self.value.replace('-', '_')}")
        return cast("Callable[[LossParameters], tuple[Term, ...]]", module.build)


_WEIGHTS: Mapping[Loss, Mapping[str, float]] = {
    Loss.COMBINED: MappingProxyType({"dice": 0.7, "focal": 0.3}),
    Loss.MULTI_TERM: MappingProxyType({"dice": 0.6, "focal": 0.3, "boundary": 0.1}),
}


def checked_weights(loss: Loss, given: Sequence[float] | None) -> tuple[float, ...]:
    """Return the weights of a loss's terms, in their order: those given, or its own.

    Parameters
    ----------
    loss : Loss
        Whose terms.
    given : sequence of float or None
        One weight for each term; None for the loss's own.

    Raises
    ------
    ValueError
        If there are too many or too few, one is negative or not a number, or all are zero.
    """
    if given is None:
        return tuple(loss.weights.values())
    names = ", ".join(loss.weights)
    if len(given) != len(loss.weights):
        raise ValueError(
            f"{loss.value} has {number_of(len(loss.weights), 'term')} ({names}), not {len(given)}"
        )
    if not all(0 <= weight < float("inf") for weight in given) or not any(given):
        raise ValueError(f"the weights of {names} are numbers of at least 0, and not all of them 0")
    return tuple(float(weight) for weight in given)


def weighted(terms: Sequence[Term]) -> LossFunction:
    """Return the weighted sum of terms as one function, one value per sample."""

    def total(logits: Tensor, target: Tensor, *inside: Tensor) -> Tensor:
        return cast("Tensor", sum(term.weight * term.loss(logits, target, *inside) for term in terms))

    return total


def counted(values: Tensor, inside: Tensor | None) -> Tensor:
    """Return values (N, pixels) with 0 for the pixels that do not count."""
    return values if inside is None else values * inside.flatten(1)


def counted_mean(values: Tensor, inside: Tensor | None) -> Tensor:
    """Return the mean (N,) of values (N, pixels) over the pixels that count, at least one a sample."""
    return values.mean(1) if inside is None else counted(values, inside).sum(1) / inside.flatten(1).sum(1)
