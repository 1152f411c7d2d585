"""Foam, cells in phase contrast and the inside of gel beads."""

import numpy as np

from beadctl.simulate.bodies import foam, phase_contrast_cells, specks
from beadctl.simulate.drawing import Beads, circles, outline_labels


def hexagons() -> Beads:
    rows, columns = np.mgrid[0:9, 0:9]
    return circles((26 * rows).ravel(), (30 * columns + 15 * (rows % 2)).ravel(), np.full(81, 15.0))


def test_cells_of_foam_share_bright_walls() -> None:
    for seed in range(8):
        signal, labels = foam(np.random.default_rng(seed), hexagons(), (200, 200))
        apart = labels[:, 1:] != labels[:, :-1]
        walls = np.maximum(signal[:, 1:], signal[:, :-1])[apart]
        assert np.median(walls) > 0.8
        assert np.abs(signal[26:180:52, 45:180:30]).max() < 0.5
        assert (labels > 0).mean() > 0.7
        assert len(np.unique(labels)) > 40


def test_foam_without_beads_is_empty() -> None:
    signal, labels = foam(np.random.default_rng(0), circles([], [], []), (30, 40))
    assert not signal.any()
    assert not labels.any()


def test_halo_is_brightest_at_the_outline() -> None:
    for seed in range(6):
        signal, labels = phase_contrast_cells(
            np.random.default_rng(seed), circles([50.0], [50.0], [20.0]), (101, 101)
        )
        # Positive signal is dark: the halo is the minimum.
        profile = signal[50, 50:]
        assert abs(int(np.argmin(profile)) - 20) <= 2
        assert profile[12] > 0
        assert labels[50, 68] == 1
        assert labels[50, 72] == 0


def test_specks_lie_inside_the_beads() -> None:
    labels = outline_labels(circles([60.0], [60.0], [45.0]), (121, 121))
    inside = specks(np.random.default_rng(4), labels, 90.0)
    assert not inside[labels == 0].any()
    assert inside[labels > 0].std() > 0
