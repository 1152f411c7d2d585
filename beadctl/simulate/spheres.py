"""Opaque shaded spheres, as in scanning electron microscopy: nearer ones hide farther ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beadctl.simulate.drawing import Beads, Floats, Labels, normalised_distance
from beadctl.simulate.texture import TEXTURES, smooth_field, standardised


@dataclass(frozen=True)
class Shading:
    """Shading of the surface of spheres.

    Attributes
    ----------
    ambient, diffuse, edge : float
        Weights of uniform light, of Lambert's cosine law, and of the bright rim of steep surfaces in
        secondary-electron images.
    edge_power : float
        Exponent of the bright rim; a larger one makes it narrower.
    light : tuple of float
        Unit vector (y, x, z) towards the detector.
    roughness : float
        Amplitude of the surface texture.
    shadow : float
        Darkening of the background next to the rim, 0..1.
    """

    ambient: float
    diffuse: float
    edge: float
    edge_power: float
    light: tuple[float, float, float]
    roughness: float
    shadow: float


def draw_shading(rng: np.random.Generator) -> Shading:
    """Draw the shading of a scene at random."""
    tilt, turn = rng.uniform(0.0, 1.2), rng.uniform(0, 2 * np.pi)
    return Shading(
        ambient=float(rng.uniform(0.15, 0.5)),
        diffuse=float(rng.uniform(0.0, 0.7) * rng.choice([0.3, 1.0])),
        edge=float(rng.uniform(0.0, 0.8)),
        edge_power=float(rng.uniform(1.0, 4.0)),
        light=(float(np.sin(tilt) * np.sin(turn)), float(np.sin(tilt) * np.cos(turn)), float(np.cos(tilt))),
        roughness=float(rng.choice([0.03, 0.08, 0.14, 0.22, 0.35])),
        shadow=float(rng.uniform(0.0, 0.6)),
    )


def _surface(rng: np.random.Generator, side: int) -> Floats:
    """Return a square of surface texture with standard deviation 1: grains, cracks, flakes or pores."""
    shape = (side, side)
    fine = smooth_field(rng, shape, float(rng.uniform(1.5, 5)))
    coarse = smooth_field(rng, shape, float(rng.uniform(6, 30)))
    total = rng.uniform(0.3, 1) * fine + rng.uniform(0, 1) * coarse
    for name, chance in (("ridged", 0.5), ("islands", 0.35), ("cloud", 0.3)):
        if rng.random() < chance:
            total = total + rng.uniform(0.5, 1.5) * standardised(TEXTURES[name](rng, shape))
    return standardised(np.asarray(total, np.float32))


def paint(
    rng: np.random.Generator,
    beads: Beads,
    background: Floats,
    shading: Shading,
    owner: NDArray[np.intp] | None = None,
) -> tuple[Floats, Labels]:
    """Paint spheres in order, the last one in front; return the image, float32, and its labels, uint32.

    Parameters
    ----------
    rng, shading : Generator and Shading
        Source of randomness; shading of the surface.
    beads : Beads
        The spheres, farthest first; bead i has label i + 1.
    background : ndarray of float32
        float32 image behind them, not changed; image and labels have its shape.
    owner : ndarray of int, optional
        Index of the bead whose label each sphere has, shape (n,); its own by default. A grain has the label
        of its host.
    """
    image, labels = background.copy(), np.zeros(background.shape, np.uint32)
    height, width = image.shape
    owner = np.arange(len(beads)) if owner is None else owner
    skin = _surface(rng, int(np.clip(2 * beads.reach_px.max(initial=8.0) + 40, 64, 512)))
    amplitude = shading.roughness * rng.uniform(0.5, 1.5, len(beads))
    for index in range(len(beads)):
        one = beads.take(np.array([index]))
        y, x, radius = float(one.y[0]), float(one.x[0]), float(one.radius_px[0])
        extent = int(np.ceil(one.reach_px[0] * 1.15)) + 2
        top, bottom = max(0, int(y) - extent), min(height, int(y) + extent + 2)
        left, right = max(0, int(x) - extent), min(width, int(x) + extent + 2)
        if top >= bottom or left >= right:
            continue
        dy = (np.arange(top, bottom, dtype=np.float32) - one.y[0])[None, :, None]
        dx = (np.arange(left, right, dtype=np.float32) - one.x[0])[None, None, :]
        rho = normalised_distance(one, dy, dx)[0]
        up = np.sqrt(np.maximum(1.0 - rho * rho, 0.0))
        facing = up * shading.light[2]
        facing = facing + (dy[0] * shading.light[0] + dx[0] * shading.light[1]) / radius
        shade = shading.ambient + shading.diffuse * np.maximum(facing, 0.0)
        shade = shade + shading.edge * (1.0 - up) ** shading.edge_power
        down, across = rho.shape
        if down <= skin.shape[0] and across <= skin.shape[1]:
            row = int(rng.integers(skin.shape[0] - down + 1))
            column = int(rng.integers(skin.shape[1] - across + 1))
            shade = shade * (1.0 + amplitude[index] * skin[row : row + down, column : column + across])
        # Anti-aliasing: share of an edge pixel that the sphere covers.
        cover = np.clip((1.0 - rho) * radius + 0.5, 0.0, 1.0)
        under = image[top:bottom, left:right]
        under *= 1.0 - shading.shadow * np.exp(-np.maximum(rho - 1.0, 0.0) * 14)
        under += cover * (np.maximum(shade, 0.0) * one.gain[0] - under)
        labels[top:bottom, left:right][rho <= 1.0] = owner[index] + 1
    return image, labels
