"""Bodies that a radial profile does not describe: foam, cells in phase contrast, specks in gel beads."""

import numpy as np
from scipy.ndimage import distance_transform_edt

from beadctl.simulate.drawing import Beads, Floats, Labels, Shape, accumulate, outline_labels
from beadctl.simulate.sampling import log_uniform
from beadctl.simulate.texture import blurred, smooth_field


def foam(rng: np.random.Generator, beads: Beads, shape: Shape) -> tuple[Floats, Labels]:
    """Draw cells that share walls; return the signal and the labels, bead i with label i + 1.

    A pixel belongs to the bead of the least power distance (squared distance minus squared radius), so that
    walls are straight or slightly bent. Round bubbles leave corners of wall material, which are background.

    Parameters
    ----------
    rng, beads : Generator and Beads
        Source of randomness; packed beads. A cell extends at most 1.8 radii from its centre.
    shape : tuple of int
        Height and width of the image, px.
    """
    labels = _power_cells(rng, beads, shape)
    edge = np.zeros(shape, bool)
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    if not edge.any():
        return np.zeros(shape, np.float32), labels
    away = np.asarray(distance_transform_edt(~edge), np.float32)
    width = rng.uniform(1.0, min(4.0, max(1.2, 0.15 * float(np.median(beads.radius_px)))))
    wall = np.exp2(-((2 * away / width) ** 2))
    if rng.random() < 0.5:
        corners = labels > 0
        labels = _rounded(labels, away, float(rng.uniform(0.2, 0.9)))
        corners &= labels == 0
        rim = np.asarray(distance_transform_edt(labels > 0), np.float32)
        wall = np.maximum(wall, np.exp2(-((2 * rim / width) ** 2)) * (labels > 0))
        wall = np.maximum(wall, float(rng.uniform(0.3, 1.0)) * corners)
    gain = np.concatenate([[1.0], beads.gain]).astype(np.float32)[labels]
    level = rng.uniform(-0.3, 0.3) * float(rng.random() < 0.5)
    signal = wall + np.float32(level) * gain * (labels > 0) * (1 - wall)
    return np.asarray(signal, np.float32), labels


def _power_cells(rng: np.random.Generator, beads: Beads, shape: Shape) -> Labels:
    """Return the cells of a power diagram, slightly warped, each cut at 1.8 radii."""
    least = np.full(shape, np.inf, np.float32)
    labels = np.zeros(shape, np.uint32)
    if not len(beads):
        return labels
    typical = float(np.median(beads.radius_px))
    bend = typical * rng.uniform(0.0, 0.2) * float(rng.random() < 0.5)
    rows = np.arange(shape[0], dtype=np.float32)[:, None] + bend * smooth_field(rng, shape, 1.5 * typical)
    columns = np.arange(shape[1], dtype=np.float32)[None, :] + bend * smooth_field(rng, shape, 1.5 * typical)
    for index, (y, x, r) in enumerate(
        zip(beads.y.tolist(), beads.x.tolist(), beads.radius_px.tolist(), strict=True)
    ):
        half = int(1.8 * r + 3 * bend) + 2
        top, bottom = max(0, int(y) - half), max(0, int(y) + half + 1)
        left, right = max(0, int(x) - half), max(0, int(x) + half + 1)
        box = slice(top, bottom), slice(left, right)
        squared = (rows[box] - y) ** 2 + (columns[box] - x) ** 2
        power = squared - r * r
        nearer = (power < least[box]) & (squared < (1.8 * r) ** 2)
        least[box][nearer] = power[nearer]
        labels[box][nearer] = index + 1
    return labels


def _rounded(labels: Labels, away: Floats, roundness: float) -> Labels:
    """Open each cell with a disc of a share of its inner radius; its corners become background."""
    largest = np.zeros(int(labels.max()) + 1, np.float32)
    np.maximum.at(largest, labels.ravel(), away.ravel())
    opening = (roundness * largest)[labels]
    core = (labels > 0) & (away >= opening)
    distance, (row, column) = distance_transform_edt(~core, return_indices=True)
    # The wall's own pixel is at no distance from itself: half a pixel more reaches its middle.
    kept = (distance < opening[row, column] + 0.6) & (labels[row, column] == labels)
    return np.where(kept, labels, 0).astype(np.uint32)


def phase_contrast_cells(rng: np.random.Generator, beads: Beads, shape: Shape) -> tuple[Floats, Labels]:
    """Draw dark cells with a bright, narrow halo and often a pale vacuole; return signal and labels.

    The signal is positive where the image is dark. Halos add up, so that gaps between cells are bright; the
    outline is the ridge of the halo, where people draw it.
    """
    labels = outline_labels(beads, shape)
    width, grey = log_uniform(rng, 0.08, 0.24), rng.uniform(0.1, 1.0)
    height, skirt = rng.uniform(0.5, 2.0), rng.uniform(0.0, 0.35)
    pale, core = rng.uniform(0.0, 0.8), rng.uniform(0.3, 0.6)

    def halo(rho: Floats, softness: Floats, _focus: Floats) -> Floats:
        broad = np.sqrt(width**2 + softness**2)
        near = np.exp(-(((rho - 1.0 - 0.1 * broad) / broad) ** 2))
        return np.asarray(near + skirt * np.exp(-np.maximum(rho - 1.0, 0) / 0.4) * (rho > 1), np.float32)

    def body(rho: Floats, softness: Floats, focus: Floats) -> Floats:
        edge = 1.7 / np.maximum(softness + 0.3 * width, 0.02)
        inside = 1.0 / (1.0 + np.exp(np.clip((rho - 1.0 + 0.7 * width) * edge, -30, 30)))
        return np.asarray(
            inside * (1.0 - pale * (0.6 + 0.4 * focus) * np.exp(-((rho / core) ** 4))), np.float32
        )

    dark = accumulate(beads, shape, body, 1.1, covering=True)
    light = accumulate(beads, shape, halo, 2.4)
    # A halo is hidden where it reaches into a neighbour.
    depth = np.asarray(distance_transform_edt(labels > 0), np.float32)
    reach = (
        np.float32(0.35 * width * float(np.median(beads.radius_px)) + 0.7) if len(beads) else np.float32(1)
    )
    light = light * np.exp(-np.maximum(depth - 0.5, 0.0) / reach)
    return np.asarray(
        np.float32(grey) * dark - np.float32(height) * np.minimum(light, 2.0), np.float32
    ), labels


def specks(rng: np.random.Generator, labels: Labels, diameter_px: float) -> Floats:
    """Draw the inside of gel beads, which is no bead: texture and specks, float32, 0 outside the labels."""
    shape = (labels.shape[0], labels.shape[1])
    inside = blurred((labels > 0).astype(np.float32), 1.0) * (labels > 0)
    texture = rng.uniform(0.0, 0.15) * smooth_field(rng, shape, float(rng.uniform(2, 6)))
    texture = texture + rng.uniform(0.0, 0.15) * smooth_field(rng, shape, 0.15 * diameter_px + 2)
    total = np.asarray(texture, np.float32)
    both = rng.random() < 0.4
    for _ in range(int(rng.integers(1, 3))):
        dots = np.zeros(shape, np.float32)
        number = max(1, int((labels > 0).sum() / diameter_px**2 * log_uniform(rng, 4, 150)))
        y, x = rng.integers(0, shape[0], 2 * number), rng.integers(0, shape[1], 2 * number)
        sign = np.where(rng.random(2 * number) < 0.5, -1.0, 1.0) if both else 1.0
        np.add.at(dots, (y, x), (sign * rng.uniform(0.2, 1.0, 2 * number)).astype(np.float32))
        sigma = log_uniform(rng, 0.7, max(0.8, min(3.5, 0.025 * diameter_px)))
        total += blurred(dots, sigma) * np.float32(2 * np.pi * sigma**2 * rng.uniform(0.2, 1.5))
    return np.asarray(total * inside, np.float32)
