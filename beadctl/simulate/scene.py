"""One simulated image with its labels: planned at random, drawn and recorded by a camera."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from beadctl.simulate.acquisition import Acquired, acquire
from beadctl.simulate.debris import inscription
from beadctl.simulate.drawing import Beads, Floats, Labels, Shape, circles, consecutive, shape_of
from beadctl.simulate.fields import Field, draw_field
from beadctl.simulate.optics import Grey, draw_camera, exposed
from beadctl.simulate.plan import ScenePlan, draw_beads
from beadctl.simulate.surrounds import cut_labels, draw_surround, enclose
from beadctl.simulate.themes import draw_plan

Fact = str | int | float | bool

# Share of the scenes with a constant surround: those without beads, of electron microscopes, all others.
SURROUNDED = {"dirt": 0.2, "electrons": 0.25, "other": 0.08}


@dataclass(frozen=True)
class Scene:
    """A simulated image with its labels.

    Attributes
    ----------
    image : ndarray of uint8 or uint16
        Grey levels, shape (H, W).
    labels : ndarray of uint32
        Shape (H, W): 0 for background, 1..n for n beads, every number present.
    facts : dict of str to Fact
        Description of the scene, in the order of the columns of the manifest; `beads` is n, `diameter` the
        median diameter of the labelled beads, px.
    """

    image: Grey
    labels: Labels
    facts: dict[str, Fact]


def render(rng: np.random.Generator, size: int | tuple[int, int] = 512) -> Scene:
    """Render a scene of which all properties are drawn at random.

    A label is the physical outline of a bead: half the maximum of its profile in focus.

    Parameters
    ----------
    rng : Generator
        The only source of randomness: the same state gives the same scene.
    size : int or tuple of int
        Side of a square image, or height and width, px.
    """
    shape = shape_of(size)
    plan = draw_plan(rng, shape)
    beads = draw_beads(rng, plan, shape) if plan.arrangement.count else circles([], [], [])
    return recorded(rng, plan, beads, shape)


def recorded(
    rng: np.random.Generator, plan: ScenePlan, beads: Beads, shape: Shape, *, surrounded: bool = True
) -> Scene:
    """Return the scene of beads that are already placed, of a height and width `shape`, px.

    `surrounded` is whether some scenes have a constant surround, which hides a part of the beads.
    """
    field = draw_field(rng, plan, beads, shape)
    strength = _strength(field.labels, field.signal, len(field.beads))
    weakest = float(np.quantile(strength, 0.05)) if len(strength) else float(rng.uniform(0.1, 0.5))
    typical = max(float(np.median(strength)) if len(strength) else weakest, 0.02)
    acquired = acquire(rng, plan, field, max(weakest, 0.02), typical)
    image, noise = acquired.image, acquired.noise
    visible = (strength >= _least(field, acquired)) & ~_is_speck(field.beads, strength)
    labels = consecutive(field.labels, visible)
    labels = cut_labels(labels, acquired.visible)
    surround = "none"
    electrons = plan.kind == "sphere" or plan.theme == "support"
    share = SURROUNDED["electrons" if electrons else "dirt" if plan.theme == "dirt" else "other"]
    if surrounded and rng.random() < share:
        surround, inside = draw_surround(rng, shape, electrons=electrons)
        image = enclose(rng, image, surround, inside, noise, 0.0 if plan.kind == "transmitted" else None)
        labels = cut_labels(labels, inside >= 0.5)
    inverted = bool(plan.kind != "transmitted" and rng.random() < (0.35 if plan.theme == "support" else 0.08))
    if inverted:
        image = -image
    camera = draw_camera(rng, max(weakest, 1e-3) / max(float(np.ptp(image)), 1e-6))
    if rng.random() < 0.1 and min(shape) >= 96:
        ink, level = inscription(rng, shape)
        ink = ink * (labels == 0)
        image = image + ink * ((image.max() if level else image.min()) - image)
    grey = exposed(image, camera)
    labels = consecutive(labels, ~_is_clipped(labels, grey))
    areas = np.bincount(labels.ravel())[1:]
    diameter_px = plan.diameter_px
    if len(areas):
        diameter_px = round(float(np.median(np.sqrt(4 / np.pi * areas))), 2)
    facts: dict[str, Fact] = {
        "kind": plan.kind,
        "look": plan.look,
        "polarity": "dark" if inverted else field.polarity,
        "layout": plan.arrangement.layout,
        "diameter": diameter_px,
        "closest": plan.closest,
        "beads": len(areas),
        "density": round(float((labels > 0).mean()), 4),
        "blur_px": round(field.blur_px, 3),
        "noise_over_signal": round(noise / max(weakest, 1e-6), 3),
        "texture": acquired.texture,
        "debris": acquired.debris,
        "surround": surround,
        "melting": plan.melting,
        "bits": camera.bits,
        "jpeg_quality": camera.jpeg_quality,
        "gamma": round(camera.gamma, 2),
        "inverted": inverted,
    }
    return Scene(grey, labels, facts)


def _strength(labels: Labels, signal: Floats, number: int) -> Floats:
    """Return the root mean square of the signal within each label, shape (number,); 0 without a label."""
    owner, values = labels.ravel(), signal.ravel()
    power = np.bincount(owner, weights=values * values, minlength=number + 1)[1:]
    return np.asarray(
        np.sqrt(power / np.maximum(np.bincount(owner, minlength=number + 1)[1:], 1)), np.float32
    )


def _least(field: Field, acquired: Acquired) -> Floats:
    """Return the least strength of a bead that a person sees over the noise, shape (beads,)."""
    radius_px = field.beads.radius_px
    # The eye averages noise over a large bead, less where an uneven support is behind it.
    least = np.where(radius_px < 3, 2.4, 1.6 * np.minimum(1.0, 6.0 / radius_px)) * acquired.noise
    if acquired.is_counted:
        # The eye sums the light of a bead: its noise is that of a pixel over the root of the area.
        least = 4.5 * acquired.noise / (np.sqrt(np.pi) * np.maximum(radius_px, 1.0))
    if acquired.disturbance is not None:
        darkest, brightest = np.quantile(acquired.image[::3, ::3], [0.01, 0.99])
        least = np.maximum(least, 0.035 * (brightest - darkest))
        least = np.maximum(least, 2.2 * np.minimum(1.0, 6.0 / radius_px) * acquired.noise)
        least = np.maximum(least, 1.1 * _strength(field.labels, acquired.disturbance, len(radius_px)))
    return np.asarray(least, np.float32)


def _is_clipped(labels: Labels, grey: Grey) -> NDArray[np.bool_]:
    """Return which beads and their surroundings the camera records as one black or white, shape (beads,)."""
    number = int(labels.max(initial=0))
    lost = np.zeros(number, bool)
    for level in (grey.min(), grey.max()):
        clipped = grey == level
        if number and clipped.mean() > 0.01:
            wide = maximum_filter(labels, 5)
            among = np.bincount(wide.ravel(), clipped.ravel(), minlength=number + 1)[1:]
            lost |= among > 0.9 * np.maximum(np.bincount(wide.ravel(), minlength=number + 1)[1:], 1)
    return lost


def _is_speck(beads: Beads, strength: Floats) -> NDArray[np.bool_]:
    """Return which beads are too small and faint, compared with the others, to be counted by a person."""
    if len(beads) < 2:
        return np.zeros(len(beads), bool)
    faintness = strength / max(float(np.median(strength)), 1e-6)
    light = faintness * (beads.radius_px / np.median(beads.radius_px)) ** 2
    return np.asarray((faintness < 0.5) & (light < 0.06))
