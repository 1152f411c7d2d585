"""One simulated image with its labels: planned at random, drawn and recorded by a camera."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beadctl.simulate.debris import DEBRIS, inscription
from beadctl.simulate.drawing import Beads, Floats, Labels, Shape, consecutive
from beadctl.simulate.fields import Field, draw_field
from beadctl.simulate.optics import Grey, draw_camera, exposed, illumination, noisy
from beadctl.simulate.plan import ScenePlan, draw_beads, draw_plan
from beadctl.simulate.sampling import log_uniform, pick
from beadctl.simulate.texture import blurred, draw_texture, smooth_field

Fact = str | int | float | bool


@dataclass(frozen=True)
class Scene:
    """A simulated image with its labels.

    Attributes
    ----------
    image
        uint8 or uint16, shape (height, width).
    labels
        uint32, the image's shape: 0 for background, 1..n for n beads, every number present.
    facts
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
    rng
        The only source of randomness: the same state gives the same scene.
    size
        Side of a square image, or height and width, px.
    """
    shape = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
    plan = draw_plan(rng, shape)
    field = draw_field(rng, plan, draw_beads(rng, plan, shape), shape)
    strength = _strength(field)
    weakest = float(np.quantile(strength, 0.05)) if len(strength) else float(rng.uniform(0.1, 0.5))
    image, noise, texture, debris = _acquired(rng, plan, field, max(weakest, 0.02))
    least = np.where(field.beads.radius_px < 3, 2.4, 1.6) * noise
    labels = consecutive(field.labels, (strength >= least) & ~_is_speck(field.beads, strength))
    inverted = bool(plan.kind != "transmitted" and rng.random() < 0.08)
    if inverted:
        image = -image
    camera = draw_camera(rng, max(weakest, 1e-3) / max(float(np.ptp(image)), 1e-6))
    if rng.random() < 0.1 and min(shape) >= 96:
        ink, level = inscription(rng, shape)
        ink = ink * (labels == 0)
        image = image + ink * ((image.max() if level else image.min()) - image)
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
        "texture": texture,
        "debris": debris,
        "melting": plan.melting,
        "bits": camera.bits,
        "jpeg_quality": camera.jpeg_quality,
        "gamma": round(camera.gamma, 2),
        "inverted": inverted,
    }
    return Scene(exposed(image, camera), labels, facts)


def _strength(field: Field) -> Floats:
    """Return the root mean square of the signal within each label, shape (beads,); 0 without a label."""
    owner, count = field.labels.ravel(), len(field.beads) + 1
    signal = field.signal.ravel()
    power = np.bincount(owner, weights=signal * signal, minlength=count)[1:]
    return np.asarray(np.sqrt(power / np.maximum(np.bincount(owner, minlength=count)[1:], 1)), np.float32)


def _is_speck(beads: Beads, strength: Floats) -> NDArray[np.bool_]:
    """Return which beads are too small and faint, compared with the others, to be counted by a person."""
    if len(beads) < 2:
        return np.zeros(len(beads), bool)
    faintness = strength / max(float(np.median(strength)), 1e-6)
    light = faintness * (beads.radius_px / np.median(beads.radius_px)) ** 2
    return np.asarray((faintness < 0.5) & (light < 0.06))


def _acquired(
    rng: np.random.Generator, plan: ScenePlan, field: Field, weakest: float
) -> tuple[Floats, float, str, str]:
    """Add texture, debris, illumination and noise; return image, noise, names of texture and debris.

    Their strength is in proportion to the signal of the weakest beads.
    """
    shape, image = (field.image.shape[0], field.image.shape[1]), field.image
    transmitted = plan.kind == "transmitted"
    clutter, texture, debris = _clutter(rng, plan, shape, weakest, has_beads=len(field.beads) > 0)
    if plan.kind == "sphere":
        clutter = clutter * (field.labels == 0) * np.float32(0.5)
        clutter = blurred(np.asarray(clutter, np.float32), 0.6)
    # An absorbing bead also attenuates the texture below it.
    image = image + clutter * (image / field.base if transmitted else np.float32(1.0))
    if rng.random() < 0.6:
        limit = min(0.4, 4 * weakest) if transmitted else 0.4
        image = image * illumination(rng, shape, float(rng.uniform(0.0, limit)))
    quiet = rng.random() < 0.15
    # Beads in contact must differ from one another, too, not only from the background.
    least = 2.6 if plan.arrangement.layout == "singles" else 8.0 if plan.melting else 5.0
    ratio = 0.005 if quiet else 1.0 / log_uniform(rng, least, 40.0)
    if not len(field.beads):
        ratio = log_uniform(rng, 0.01, 1.0)
    noise = weakest * ratio
    level = 1.0 if transmitted else field.base + 0.3
    # Blurred noise resembles beads, so that it must be finer than they are.
    widest = float(np.clip(0.2 * plan.diameter_px, 0.6, 2.0))
    clump_px = float(rng.uniform(0.4, widest)) if rng.random() < 0.4 else 0.0
    image = noisy(rng, np.asarray(image, np.float32), noise, level, float(rng.uniform(0, 1)), clump_px)
    if rng.random() < 0.06:
        # Hot pixels.
        number = int(rng.integers(1, 40))
        y, x = rng.integers(0, shape[0], number), rng.integers(0, shape[1], number)
        image = image.copy()
        image[y, x] = image.max() * rng.uniform(0.5, 1.0, number)
    return image, noise, texture, debris


def _clutter(
    rng: np.random.Generator, plan: ScenePlan, shape: Shape, weakest: float, *, has_beads: bool
) -> tuple[Floats, str, str]:
    """Return the brightness of texture and debris, and the names of both."""
    name, texture = draw_texture(rng, shape)
    # Texture must be much weaker than the beads to be distinguishable from them.
    strength = log_uniform(rng, 0.02, 0.3) if has_beads else log_uniform(rng, 0.02, 1.5)
    total = texture * np.float32(weakest * strength)
    if rng.random() < 0.45:
        haze = smooth_field(rng, shape, max(5 * plan.diameter_px, 50.0))
        total += np.float32(weakest * rng.uniform(0, 0.45)) * haze
    weights = dict.fromkeys(DEBRIS, 1.0) | {"motes": 8.0 if plan.kind == "fluorescent" else 3.0}
    if plan.kind == "sphere":
        weights = {"fibres": 1, "scratches": 1, "specks": 1, "motes": 0.5, "flakes": 2, "stains": 0.5}
    names = set()
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.45, 0.3, 0.15, 0.1]))):
        choice = pick(rng, weights)
        sign = 1.0 if (plan.is_emitting or rng.random() < 0.3) else -1.0
        height = np.float32(sign * weakest * log_uniform(rng, 0.3, 3.0))
        total += height * DEBRIS[choice](rng, shape, plan.diameter_px)
        names.add(choice)
    return np.asarray(total, np.float32), name, "+".join(sorted(names)) or "none"
