"""The learning rate: a straight way up, half a cosine down."""

import math


def learning_rate(
    step: int, *, warmup_steps: float, progress: float, peak: float, final_fraction: float
) -> float:
    """Learning rate of an optimiser step.

    The lower of a ramp, which lets the optimiser's statistics settle, and half a cosine from `peak` down
    to ``peak * final_fraction`` (Loshchilov & Hutter: SGDR, ICLR 2017, without restarts). The ramp goes by
    steps and the cosine by progress, because a run with a time limit knows how many steps it has made but
    not how many it will make.

    Parameters
    ----------
    step : int
        Steps done before this one.
    warmup_steps : float
        Length of the ramp; 0 for none.
    progress : float
        Share of the run that is done with this step, 0 to 1; beyond 1 the rate stays at its end.
    peak : float
        Highest learning rate.
    final_fraction : float
        Rate at the end, as a share of the peak.
    """
    ramp = (step + 1) / warmup_steps if warmup_steps > 0 else 1.0
    fall = 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
    return peak * min(ramp, final_fraction + (1 - final_fraction) * fall)
