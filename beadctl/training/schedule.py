"""The learning rate: a linear warm-up, then half a cosine, or a step down at every plateau."""

import math
from collections.abc import Sequence


def learning_rate(step: int, *, warmup_steps: float, fall: float, peak: float) -> float:
    """Learning rate of an optimiser step: the lower of a ramp and a falling share of the peak.

    The ramp goes by steps and lets the optimiser's statistics settle. The fall is given, because a run with a
    time limit does not know its number of steps.

    Parameters
    ----------
    step, warmup_steps : int and float
        Steps done before this one, and the length of the ramp; 0 for none.
    fall, peak : float
        Share of the peak, from `cosine` or `plateau`, and the highest learning rate.
    """
    ramp = (step + 1) / warmup_steps if warmup_steps > 0 else 1.0
    return peak * min(ramp, fall)


def cosine(progress: float, final_fraction: float) -> float:
    """Share of the peak on half a cosine (Loshchilov & Hutter: SGDR, ICLR 2017, without restarts).

    Parameters
    ----------
    progress : float
        Share of the run that is done with this step, 0 to 1; beyond 1 the rate is constant.
    final_fraction : float
        Last share of the peak.
    """
    fall = 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
    return final_fraction + (1 - final_fraction) * fall


def plateau(scores: Sequence[float], patience: int, factor: float, final_fraction: float) -> float:
    """Share of the peak that falls by a factor whenever the score has not risen for some epochs.

    It is a function of the scores alone, so a resumed run has the rate that it was stopped with.

    Parameters
    ----------
    scores : sequence of float
        One for each finished epoch, higher is better.
    patience : int
        Epochs without a new best before the rate falls; the count restarts after each fall.
    factor, final_fraction : float
        Of each fall, between 0 and 1; lower limit of the share.
    """
    best, waited, share = -math.inf, 0, 1.0
    for score in scores:
        waited = 0 if score > best else waited + 1
        best = max(best, score)
        if waited >= patience:
            waited, share = 0, share * factor
    return max(share, final_fraction)
