"""Weightings to test, and scenes for their losses."""

import numpy as np
import torch

from beadctl.weighting import WeightingName, WeightingParameters


def built(name, weights=(0.7, 0.3, 1.0), **parameters):
    """Return a weighting of terms with these weights."""
    return WeightingName(name).load()(weights, WeightingParameters(**parameters))


def values_of(weighting, epoch=0.0):
    """Return the weights in force in an epoch."""
    return weighting.weights(epoch).detach().double().tolist()


def scenes(samples, size, dtype=torch.float64, seed=0):
    """Images with discs, their two targets, and no contacts."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((size, size))
    images, targets = np.empty((samples, 1, size, size)), np.empty((samples, 3, size, size))
    for image, target in zip(images, targets, strict=True):
        cy, cx = rng.uniform(3, size - 3, (2, 3, 1, 1))
        far = np.hypot(y - cy, x - cx).min(0)
        target[:] = far <= 3, np.clip(1 - far / 4, 0, 1), np.zeros_like(far)
        image[:] = 2 * target[0] + rng.normal(0, 0.5, far.shape)
    return torch.from_numpy(images).to(dtype), torch.from_numpy(targets).to(dtype)


def true_energies(values, features):
    """Squared norms by a backward pass to the features for each term and sample."""
    return torch.stack(
        [
            sum(torch.autograd.grad(one, features, retain_graph=True)[0].square().sum() for one in row)
            for row in values
        ]
    )
