"""The fit of a perceptron: numerical gradients, known classes, decay, and the mean of several."""

import numpy as np
from scipy.optimize import check_grad

from beadctl.evaluation.fitting import cross_entropy, fitted_perceptron, mean_of, scale_of


def samples(count, seed=0, features=3):
    """Samples of which those within a circle of the first two features are of the kind."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(3.0, 2.0, (count, features))
    return drawn, np.hypot(drawn[:, 0] - 3.0, drawn[:, 1] - 3.0) < 2.2


def test_the_gradient_is_the_numerical_one():
    features, is_one = samples(50)
    shapes = (4, 3), (4,)
    weights = np.random.default_rng(4).normal(size=4 * 3 + 4)
    arguments = (features - 3.0) / 2.0, is_one, shapes, 2.0
    error = check_grad(
        lambda w: cross_entropy(w, *arguments)[0], lambda w: cross_entropy(w, *arguments)[1], weights
    )
    assert error < 1e-6


def test_classes_that_no_line_parts_are_learnt():
    fit = fitted_perceptron(*samples(2000), units=8, decay=0.01)
    features, is_one = samples(1000, seed=1)
    assert ((fit.log_odds(features) > 0) == is_one).mean() > 0.95


def test_decay_makes_weights_small():
    features, is_one = samples(300)
    free, held = (fitted_perceptron(features, is_one, units=4, decay=decay) for decay in (0.01, 100.0))
    assert np.abs(held.hidden).max() < np.abs(free.hidden).max()


def test_the_mean_of_several_has_the_mean_of_their_log_odds():
    features, is_one = samples(300)
    scale = scale_of(features)
    fits = [
        fitted_perceptron(features, is_one, units=3, decay=0.01, seed=seed, scale=scale) for seed in range(3)
    ]
    expected = np.mean([one.log_odds(features) for one in fits], axis=0)
    np.testing.assert_allclose(mean_of(fits).log_odds(features), expected)
