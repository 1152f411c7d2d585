"""Models of counts with logarithmic link, Poisson or negative binomial, by statsmodels."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from beadctl.counting.interval import CONFIDENCE

# Probability below which scatter or a lack of fit is taken for real.
SIGNIFICANCE = 1 - CONFIDENCE

# Largest logarithm of a mean.
LARGEST_LOG = 300.0

Column = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """Parameters of a model with logarithmic link, their standard errors, and the over-dispersion."""

    parameters: Column
    errors: Column
    degrees: int
    alpha: float

    def interval(self, index: int) -> tuple[float, float]:
        """Return the 95 % interval of a parameter: Wald's, with Student's quantile."""
        half = float(special.stdtrit(self.degrees, (1 + CONFIDENCE) / 2) * self.errors[index])
        return float(self.parameters[index]) - half, float(self.parameters[index]) + half


def fit(counts: Column, design: Column, offset: Column) -> Fit:
    """Fit a Poisson model, and a negative binomial one if the counts scatter more."""
    degrees = counts.size - design.shape[1]
    found = glm(counts, design, offset, 0.0)
    alpha = significant_alpha(counts, found.fittedvalues, degrees) or 0.0
    for _ in range(20 if alpha else 0):
        # The fit and its over-dispersion depend on each other.
        found = glm(counts, design, offset, alpha)
        before, alpha = alpha, _solved_alpha(counts, found.fittedvalues, degrees)
        if math.isclose(alpha, before, rel_tol=1e-6, abs_tol=1e-12):
            break
    return Fit(np.asarray(found.params), np.asarray(found.bse), degrees, alpha)


def glm(counts: Column, design: Column, offset: Column, alpha: float) -> Any:
    """Fit counts, (N,), by the columns of a design, (N, K), and the log of an exposure, (N,).

    The variance of a count of mean m is ``m + alpha m**2``; parameters and deviance are those of statsmodels.
    """
    from statsmodels.genmod.families import NegativeBinomial, Poisson
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    family = NegativeBinomial(alpha=alpha) if alpha else Poisson()
    # The steps of statsmodels, by the expected information, may leave the maximum or never come near it.
    start = _likeliest(counts, design, offset, alpha)
    with warnings.catch_warnings():
        # Equal counts are fitted exactly.
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        model = GLM(counts, design, offset=offset, family=family)
        return model.fit(start, maxiter=200, scale=1.0)


def _likeliest(counts: Column, design: Column, offset: Column, alpha: float) -> Column:
    """Return the parameters of the largest likelihood, whose logarithm is concave in them."""
    from scipy import optimize

    def loss(parameters: Column) -> tuple[float, Column]:
        eta = np.minimum(offset + design @ parameters, LARGEST_LOG)
        mean = np.exp(eta)
        growth = np.logaddexp(0, eta + np.log(alpha)) * (counts + 1 / alpha) if alpha else mean
        return float((growth - counts * eta).sum()), design.T @ ((mean - counts) / (1 + alpha * mean))

    def curvature(parameters: Column) -> Column:
        mean = np.exp(np.minimum(offset + design @ parameters, LARGEST_LOG))
        weight = mean * (1 + alpha * counts) / (1 + alpha * mean) ** 2
        return np.asarray(design.T @ (design * weight[:, None]))

    middle = np.full(counts.size, np.log(max(counts.mean(), 1.0))) - offset
    first, *_ = np.linalg.lstsq(design, middle, rcond=None)
    found = optimize.minimize(
        loss, first, jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-9}
    )
    return np.asarray(found.x)


def _pearson(counts: Column, mean: Column, alpha: float) -> float:
    # A level without beads has the mean 0 and fits.
    known = mean > 0
    variance = mean[known] + alpha * mean[known] ** 2
    return float(((counts[known] - mean[known]) ** 2 / variance).sum())


def significant_alpha(counts: Column, mean: Column, degrees: int) -> float | None:
    """Return the over-dispersion of counts about means, 0 where it is not significant; None: unknown."""
    if degrees < 1:
        return None
    p = special.chdtrc(degrees, _pearson(counts, mean, 0.0))
    return _solved_alpha(counts, mean, degrees) if p < SIGNIFICANCE else 0.0


def _solved_alpha(counts: Column, mean: Column, degrees: int) -> float:
    from scipy import optimize

    def excess(alpha: float) -> float:
        return _pearson(counts, mean, alpha) - degrees

    high = 1.0
    if excess(0.0) <= 0:
        return 0.0
    while excess(high) > 0 and high < 1e6:
        high *= 4
    return float(optimize.brentq(excess, 0.0, high)) if excess(high) < 0 else high
