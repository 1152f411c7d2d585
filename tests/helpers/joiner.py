"""Joiners that say the same of all neighbours."""

from beadctl.model.joiner import JOIN_FEATURES, Joiner
from beadctl.model.perceptron import Perceptron


def constant_joiner(log_odds: float) -> Joiner:
    """A joiner with the same log-odds for any two regions."""
    size = len(JOIN_FEATURES)
    hidden = ((0.0,) * (size + 1),)
    return Joiner(0.5, Perceptron((0.0,) * size, (1.0,) * size, hidden, (0.0, log_odds)))


ALWAYS, NEVER = constant_joiner(9.0), constant_joiner(-9.0)
