"""Fit the weights of a perceptron to samples of two kinds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from beadctl.model.perceptron import LARGEST, Floats, Perceptron

# Of L-BFGS, at most.
STEPS = 300


def fitted_perceptron(
    features: Floats,
    is_one: NDArray[np.bool_],
    *,
    units: int,
    decay: float,
    seed: int = 0,
    scale: tuple[Floats, Floats] | None = None,
) -> Perceptron:
    """Return the perceptron whose log-odds tell samples of one kind from the others best.

    The weights minimise the cross-entropy by L-BFGS [1]_.

    Parameters
    ----------
    features : ndarray of float64, shape (n, k)
        One row a sample.
    is_one : ndarray of bool, shape (n,)
        Which samples are of the kind.
    units : int
        Hidden units.
    decay : float
        Weight of the squares of the weights, over the number of samples.
    seed : int
        Of the weights at the start.
    scale : tuple of ndarray, optional
        Mean and standard deviation of each feature; by default those of the samples.

    References
    ----------
    .. [1] Liu & Nocedal, "On the limited memory BFGS method for large scale optimization", Mathematical
       Programming 45, 1989, pp. 503-528.
    """
    middle, spread = scale or scale_of(features)
    scaled = np.clip((features - middle) / spread, -LARGEST, LARGEST)
    inputs = scaled.shape[1]
    shapes = (inputs + 1, units), (units + 1,)
    start = np.random.default_rng(seed).normal(0, inputs**-0.5, shapes[0][0] * units + units + 1)
    result = minimize(
        cross_entropy,
        start,
        (scaled, is_one, shapes, decay),
        method="L-BFGS-B",
        jac=True,
        options={"maxiter": STEPS},
    )
    hidden, output = _unpacked(result.x, shapes)
    return Perceptron(
        tuple(map(float, middle)),
        tuple(map(float, spread)),
        tuple(tuple(map(float, unit)) for unit in hidden.T),
        tuple(map(float, output)),
    )


def scale_of(features: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of each feature."""
    return features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)


def mean_of(perceptrons: Sequence[Perceptron]) -> Perceptron:
    """Return the perceptron whose log-odds are the mean of those of several of one scale.

    Examples
    --------
    >>> one = Perceptron((0.0,), (1.0,), ((1.0, 0.0),), (0.0, 0.5))
    >>> other = Perceptron((0.0,), (1.0,), ((1.0, 0.0),), (0.0, 1.5))
    >>> mean_of([one, other]).log_odds(np.array([[3.0]]))
    array([1.])
    """
    share, first = 1 / len(perceptrons), perceptrons[0]
    weights = (share * weight for one in perceptrons for weight in one.output[:-1])
    offset = share * sum(one.output[-1] for one in perceptrons)
    hidden = (unit for one in perceptrons for unit in one.hidden)
    return Perceptron(first.middle, first.spread, tuple(hidden), (*weights, offset))


def _unpacked(weights: Floats, shapes: tuple[tuple[int, ...], ...]) -> tuple[Floats, Floats]:
    split = int(np.prod(shapes[0]))
    return weights[:split].reshape(shapes[0]), weights[split:]


def cross_entropy(
    weights: Floats,
    scaled: Floats,
    is_one: NDArray[np.bool_],
    shapes: tuple[tuple[int, ...], ...],
    decay: float,
) -> tuple[float, Floats]:
    """Return the mean cross-entropy of a perceptron with weight decay, and its gradient, as `weights`.

    Parameters
    ----------
    weights : ndarray
        Those of the hidden and of the output layer, biases last, in one line.
    scaled : ndarray, shape (n, k)
        Features of the samples, scaled.
    is_one : ndarray of bool, shape (n,)
        Which of them are of the kind.
    shapes : tuple of tuple of int
        Of the two layers.
    decay : float
        As for `fitted_perceptron`.
    """
    hidden, output = _unpacked(weights, shapes)
    activity = np.tanh(scaled @ hidden[:-1] + hidden[-1])
    score = activity @ output[:-1] + output[-1]
    count = len(scaled)
    loss = float((np.logaddexp(0, score) - is_one * score).mean())
    loss += decay * float(weights @ weights) / count
    error = (expit(score) - is_one) / count
    back = np.outer(error, output[:-1]) * (1 - activity**2)
    gradient = np.concatenate(
        [(scaled.T @ back).ravel(), back.sum(axis=0), activity.T @ error, [error.sum()]]
    )
    return loss, gradient + 2 * decay * weights / count
