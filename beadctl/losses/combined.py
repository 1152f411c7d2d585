"""Dice plus focal: Dice fits the overlap, focal gives every pixel a gradient."""

from functools import partial

from beadctl.losses import Loss, LossParameters, Term, checked_weights
from beadctl.losses.dice import dice
from beadctl.losses.focal import focal


def build(parameters: LossParameters) -> tuple[Term, ...]:
    """Return ``0.7 dice + 0.3 focal``, or other weights; a sum as in Zhu et al., AnatomyNet, 2019."""
    overlap, pixels = checked_weights(Loss.COMBINED, parameters.weights)
    focused = partial(focal, alpha=parameters.focal_alpha, gamma=parameters.focal_gamma)
    return Term("dice", overlap, dice), Term("focal", pixels, focused)
