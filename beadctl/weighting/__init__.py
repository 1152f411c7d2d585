"""Weightings: how the weights of an objective's terms change while it is trained; one small file each.

The terms are those of the loss and, last, the fit of the marker map. Every member's file has
``build(weights, parameters) -> Weighting``. Weights change between optimiser steps only, and what a member
learns it learns from the whole step, so accumulation of micro-batches changes nothing. Importing this package
does not import torch; `WeightingName.load` does.

Examples
--------
>>> from beadctl.weighting import WeightingName, WeightingParameters
>>> weighting = WeightingName.RAMP.load()((0.7, 0.3, 1.0), WeightingParameters(ramp_epochs=10))
>>> [round(float(weight), 2) for weight in weighting.weights(epoch=5)]
[0.6, 0.4, 1.0]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor


@dataclass(frozen=True)
class WeightingParameters:
    """The numbers of the family; each member reads its own.

    Attributes
    ----------
    ramp_from : tuple of float or None
        Weights of the loss's terms when training starts; None for equal shares.
    ramp_epochs : float
        Epochs until the weights are those of the loss.
    """

    ramp_from: tuple[float, ...] | None = None
    ramp_epochs: float = 30.0


class Weighting(Protocol):
    """What a member builds: a ``torch.nn.Module``, whose state goes into the checkpoint.

    Attributes
    ----------
    measures : bool
        Whether `observe` needs the size of each term's gradient.
    """

    measures: bool

    def weights(self, epoch: float) -> Tensor:
        """Return the weights (K,) of the next optimiser step, `epoch` epochs after the start."""

    def regulariser(self) -> Tensor:
        """Return a scalar that is added to the loss once an optimiser step, for learned weights."""

    def observe(self, gradient_norms: Tensor) -> None:
        """Take the norms (K,) of the terms' gradients in the step that was just made."""

    def parameters(self) -> Iterator[Any]:
        """Yield what the optimiser learns."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        """Set the state of a checkpoint."""

    def to(self, device: Any) -> Any:
        """Move to a device."""


class WeightingName(StrEnum):
    """A weighting by its name on the command line."""

    FIXED = "fixed"
    RAMP = "ramp"
    UNCERTAINTY = "uncertainty"
    BALANCE = "balance"

    def load(self) -> Callable[[Sequence[float], WeightingParameters], Weighting]:
        """Import the member's file and return its ``build``."""
        module = import_module(f"beadctl.weighting.{self.value}")
        return cast("Callable[[Sequence[float], WeightingParameters], Weighting]", module.build)
