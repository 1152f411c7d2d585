"""How the terms of an objective are weighed while it is trained: one small file each, one line here each.

The terms are those of the loss and, last, the fit of the marker map. Every member's file has
``build(weights, parameters) -> Weighting``. The weights in force are the same for all micro-batches of an
optimiser step, and what a member learns it learns from the whole step, so accumulation changes nothing.
Nothing here imports torch until a member is loaded.
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
    """The numbers of the family; each member reads those it knows.

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
        Whether `observe` wants the size of each term's gradient.
    """

    measures: bool

    def weights(self, epoch: float) -> Tensor:
        """Weights (K,) for the next optimiser step, `epoch` epochs after the start."""
        ...

    def regulariser(self) -> Tensor:
        """Return what the weights themselves cost, a scalar, added once an optimiser step."""
        ...

    def observe(self, gradient_norms: Tensor) -> None:
        """Take the norms (K,) of the terms' gradients of the step that was just made."""
        ...

    def parameters(self) -> Iterator[Any]:
        """Yield what the optimiser learns."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything to go on with."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        """Go back to where `state_dict` was taken."""
        ...

    def to(self, device: Any) -> Any:
        """Move to a device."""
        ...


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
