"""Fields of a suspension: a stated number of beads of one look at random places."""

import dataclasses

import numpy as np
from scipy.spatial import cKDTree

from beadctl.simulate.drawing import Beads, Floats, Shape, circles, shape_of
from beadctl.simulate.layout import Arrangement, vary
from beadctl.simulate.plan import FLUORESCENT, TRANSMITTED, ScenePlan
from beadctl.simulate.sampling import log_uniform, pick
from beadctl.simulate.scene import Scene, recorded

# The kinds of image that show a look.
KINDS_OF = {
    look: tuple(
        kind for kind, looks in (("fluorescent", FLUORESCENT), ("transmitted", TRANSMITTED)) if look in looks
    )
    for look in FLUORESCENT | TRANSMITTED
} | {"blob": ("nuclear",), "sphere": ("sphere",), "hollow": ("transmitted",), "gel": ("transmitted",)}
# Beads that cover more of a field find no free places.
MOST_COVER = 0.4
# Shares of a field that beads cover on average, and diameters, px, of `draw_suspension`.
COVERS, DIAMETERS_PX = (0.005, 0.25), (6.0, 30.0)


def draw_suspension(rng: np.random.Generator, size: int | tuple[int, int] = 512) -> Scene:
    """Render a field of a suspension of which look, size and concentration of the beads are drawn at random.

    Parameters and result are those of `beadctl.simulate.render`; the fact `expected` is the mean number of
    beads in such a field, of which the number of this one is a Poisson draw.
    """
    shape = shape_of(size)
    look = str(rng.choice(list(KINDS_OF)))
    diameter_px = log_uniform(rng, *DIAMETERS_PX)
    each = np.pi / 4 * diameter_px**2 / (shape[0] * shape[1])
    expected = log_uniform(rng, *COVERS) / each
    count = min(int(rng.poisson(expected)), int(MOST_COVER / each))
    scene = render_suspension(rng, look, count, diameter_px, shape)
    return dataclasses.replace(scene, facts=scene.facts | {"expected": round(expected, 2)})


def render_suspension(
    rng: np.random.Generator, look: str, count: int, diameter_px: float, size: int | tuple[int, int]
) -> Scene:
    """Render a field in which beads of one look lie at random, none over another.

    The centres are uniform over the image: those of a bead on another are drawn again, so that all have a
    place. Light, noise, texture and dirt are drawn as for `beadctl.simulate.render`. A bead that is lost in
    noise or hidden has no label.

    Parameters
    ----------
    rng : Generator
        The only source of randomness.
    look : str
        A key of `KINDS_OF`.
    count : int
        Number of beads.
    diameter_px : float
        Their median diameter, px; it varies by 3 %.
    size : int or tuple of int
        Side of a square image, or height and width, px.

    Raises
    ------
    ValueError
        If the beads would cover more than `MOST_COVER` of the image.
    """
    shape = shape_of(size)
    if count * np.pi / 4 * diameter_px**2 > MOST_COVER * shape[0] * shape[1]:
        raise ValueError(f"{count} beads of {diameter_px:g} px find no place in {shape[0]} x {shape[1]} px")
    arrangement = Arrangement(count, diameter_px, 0.03, 1.0, "singles", 1.0)
    plan = ScenePlan(pick(rng, dict.fromkeys(KINDS_OF[look], 1.0)), look, arrangement, melting=False)
    radius_px = np.asarray(diameter_px / 2 * np.exp(0.03 * rng.standard_normal(count)), np.float32)
    y, x = random_places(rng, radius_px, shape)
    beads = _varied(rng, circles(y, x, radius_px))
    return recorded(rng, plan, beads, shape, surrounded=False)


def random_places(rng: np.random.Generator, radius_px: Floats, shape: Shape) -> tuple[Floats, Floats]:
    """Draw centres in an image, (H, W), until no bead lies on another; return y and x, float32 (N,), px.

    Parameters
    ----------
    rng : Generator
        The only source of randomness.
    radius_px : ndarray, shape (N,)
        Radii of the beads.
    shape : tuple of int
        Height and width, px.
    """
    places = rng.uniform(-0.5, np.array(shape) - 0.5, (len(radius_px), 2))
    if len(places) < 2:
        return places[:, 0].astype(np.float32), places[:, 1].astype(np.float32)
    while True:
        pairs = cKDTree(places).query_pairs(2 * float(radius_px.max()), output_type="ndarray")
        i, j = pairs.T
        close = np.hypot(*(places[i] - places[j]).T) < radius_px[i] + radius_px[j]
        if not close.any():
            return places[:, 0].astype(np.float32), places[:, 1].astype(np.float32)
        again = np.unique(j[close])
        places[again] = rng.uniform(-0.5, np.array(shape) - 0.5, (len(again), 2))


def _varied(rng: np.random.Generator, beads: Beads) -> Beads:
    """Vary brightness and focus as in other scenes, as far as each bead still shows."""
    varied = vary(rng, beads, oval=float(rng.choice([0.0, 0.06])), rough=0.0)
    return dataclasses.replace(
        varied, radius_px=beads.radius_px, gain=np.clip(varied.gain, 0.5, 1.5).astype(np.float32)
    )
