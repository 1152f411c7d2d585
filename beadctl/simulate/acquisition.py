"""From beads on a flat background to an image: other objects, illumination, noise, faults of the sensor."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beadctl.simulate.aggregates import draw_aggregates
from beadctl.simulate.debris import DEBRIS
from beadctl.simulate.dirt import draw_dirt
from beadctl.simulate.drawing import Floats, Shape
from beadctl.simulate.fields import Field
from beadctl.simulate.optics import counted, illumination, noisy, with_bad_pixels
from beadctl.simulate.plan import ScenePlan
from beadctl.simulate.sampling import log_uniform, pick
from beadctl.simulate.supports import draw_support
from beadctl.simulate.texture import blurred, draw_texture, smooth_field, widely_blurred

# Shares of the scenes: aggregates, bad pixels, dirt beside beads; of those that emit light: few photons.
AGGREGATES = 0.06
BAD_PIXELS = 0.09
DIRT = 0.1
COUNTED = 0.2


@dataclass(frozen=True)
class Acquired:
    """Image of a scene as it reaches the camera.

    Attributes
    ----------
    image : ndarray of float32
        Brightness, shape (H, W).
    visible : ndarray of bool
        Pixels that no other object covers, of the image's shape.
    noise : float
        Standard deviation of the noise.
    disturbance : ndarray of float32 or None
        What an uneven support adds at the scale of a bead, of the image's shape; None without one.
    is_counted : bool
        Whether the noise is that of few photons, so that beads are visible as a whole, not pixel by pixel.
    texture, debris : str
        Names of the texture and of the objects other than beads.
    """

    image: Floats
    visible: NDArray[np.bool_]
    noise: float
    disturbance: Floats | None
    is_counted: bool
    texture: str
    debris: str


def acquire(
    rng: np.random.Generator, plan: ScenePlan, field: Field, weakest: float, typical: float
) -> Acquired:
    """Add texture, debris, aggregates, illumination, noise and bad pixels to a field of beads.

    Parameters
    ----------
    rng, plan, field : Generator, ScenePlan and Field
        Source of randomness; plan of the scene; its beads.
    weakest, typical : float
        Signal of the weakest beads and of the median one, to which the strength of the rest is in proportion.
    """
    shape, image = (field.image.shape[0], field.image.shape[1]), field.image
    transmitted = plan.kind == "transmitted"
    clutter, texture, debris = _clutter(rng, plan, shape, weakest, has_beads=len(field.beads) > 0)
    # A wide shadow dims beads without hiding them.
    visible = np.abs(clutter - _smooth(clutter)) < 3.0 * typical
    if plan.kind == "sphere":
        # Debris lies beneath the spheres.
        visible[:] = True
        clutter = clutter * (field.labels == 0) * np.float32(0.5)
        clutter = blurred(np.asarray(clutter, np.float32), 0.6)
    # An absorbing bead also attenuates the texture below it.
    image = np.asarray(image + clutter * (image / field.base if transmitted else np.float32(1.0)), np.float32)
    has_beads = len(field.beads) > 0
    disturbance = None
    if plan.theme == "support":
        support, texture = draw_support(rng, shape, plan.diameter_px)
        support *= np.float32(typical * log_uniform(rng, 0.8, 2.5))
        image, disturbance = image + support, support - blurred(support, 0.6 * plan.diameter_px)
    elif plan.theme == "dirt" or (plan.kind != "sphere" and rng.random() < DIRT):
        image, clear, names = _with_dirt(rng, plan, image, typical)
        visible &= clear
        debris = "+".join([*names, *([] if debris == "none" else [debris])])
    if has_beads and rng.random() < AGGREGATES:
        image, clear = _with_aggregates(rng, plan, image, field.base, typical)
        visible &= clear
        debris = "aggregates" if debris == "none" else f"aggregates+{debris}"
    if not visible.all():
        # A line thinner than a bead, such as a fibre, does not divide its outline.
        visible = blurred(visible.astype(np.float32), 0.15 * plan.diameter_px) > 0.5
    if rng.random() < 0.6:
        limit = min(0.4, 4 * weakest) if transmitted else 0.4
        image = image * illumination(rng, shape, float(rng.uniform(0.0, limit)))
    image = np.asarray(np.maximum(image, 0.0), np.float32)
    is_counted = (
        plan.is_emitting
        and disturbance is None
        and has_beads
        and not plan.melting
        and bool(rng.random() < COUNTED)
    )
    if is_counted:
        image, noise = _with_few_photons(rng, plan, image, field.base, typical)
    else:
        image, noise = _with_noise(rng, plan, image, field.base, weakest, has_beads=has_beads)
    if rng.random() < BAD_PIXELS:
        image = with_bad_pixels(rng, image, typical)
    return Acquired(image, visible, noise, disturbance, is_counted, texture, debris)


def _with_noise(
    rng: np.random.Generator, plan: ScenePlan, image: Floats, base: float, weakest: float, *, has_beads: bool
) -> tuple[Floats, float]:
    """Return the image with noise in proportion to the weakest beads, and its standard deviation."""
    noise = weakest * _noise_ratio(rng, plan, has_beads=has_beads)
    level = (
        1.0 if plan.kind == "transmitted" else float(image.mean()) if plan.theme == "support" else base + 0.3
    )
    # Blurred noise resembles beads, so that it must be finer than they are.
    widest = float(np.clip(0.2 * plan.diameter_px, 0.6, 2.0))
    clump_px = float(rng.uniform(0.4, widest)) if rng.random() < 0.4 else 0.0
    return noisy(rng, image, noise, level, float(rng.uniform(0, 1)), clump_px), noise


def _with_few_photons(
    rng: np.random.Generator, plan: ScenePlan, image: Floats, base: float, typical: float
) -> tuple[Floats, float]:
    """Return the image of about 1 to 10 photons a pixel of a bead, and its noise inside a bead.

    A typical bead as a whole exceeds its noise by a factor of 7, and by more where others are in contact.
    """
    layout = plan.arrangement.layout
    clear = 7.0 if layout == "singles" else 25.0 if layout in ("packed", "crystal", "heaps") else 15.0
    area = max(7.0, np.pi / 4 * plan.diameter_px**2)
    least = clear**2 * (base / typical + 0.5) / area
    photons = max(log_uniform(rng, 0.7, 10.0), least) / typical
    blur_px = float(rng.uniform(0.3, 1.0)) if rng.random() < 0.35 else 0.0
    noise = float(np.sqrt((base + 0.5 * typical) / photons))
    return counted(rng, image, photons, min(blur_px, 0.12 * plan.diameter_px)), noise


def _with_dirt(
    rng: np.random.Generator, plan: ScenePlan, image: Floats, typical: float
) -> tuple[Floats, NDArray[np.bool_], list[str]]:
    """Return the image with dirt, the pixels that it does not cover, and the names of its kinds."""
    alone = plan.theme == "dirt"
    kinds = int(rng.choice([1, 2, 3, 5], p=[0.15, 0.35, 0.3, 0.2])) if alone else int(rng.integers(1, 3))
    size_px = plan.diameter_px if alone else min(plan.diameter_px * log_uniform(rng, 0.8, 2.5), 60.0)
    absorbed, names = draw_dirt(rng, (image.shape[0], image.shape[1]), size_px, kinds)
    if plan.kind == "transmitted":
        depth = rng.uniform(0.5, 1.0) if rng.random() < 0.75 else log_uniform(rng, 0.1, 0.5)
        absorbed = absorbed * np.float32(depth)
        return (
            np.asarray(image * (1 - absorbed), np.float32),
            np.abs(absorbed) < max(0.5, 1.5 * typical),
            names,
        )
    light = np.abs(absorbed) * np.float32(typical * log_uniform(rng, 2.0 if alone else 0.5, 8.0))
    return image + light, light < 2.5 * typical, names


def _noise_ratio(rng: np.random.Generator, plan: ScenePlan, *, has_beads: bool) -> float:
    """Return the noise over the signal of the weakest beads."""
    if plan.theme == "dirt":
        return log_uniform(rng, 0.01, 0.25)
    if not has_beads:
        return log_uniform(rng, 0.01, 1.0)
    if rng.random() < 0.15:
        return 0.005
    # Beads in contact must differ from one another, too, not only from the background.
    least = 2.6 if plan.arrangement.layout == "singles" else 8.0 if plan.melting else 5.0
    if plan.theme == "few":
        least = 8.0
    # The eye averages noise over a large bead.
    least *= min(1.0, 12.0 / plan.diameter_px)
    return 1.0 / log_uniform(rng, least, 40.0)


def _smooth(image: Floats) -> Floats:
    """Return what remains of an image at scales of more than about 50 px."""
    return widely_blurred(image, 8, 3.0)


def _with_aggregates(
    rng: np.random.Generator, plan: ScenePlan, image: Floats, base: float, typical: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Add objects 3 to 40 times as bright as the beads, or black; return the image and the clear pixels."""
    sharp, glow = draw_aggregates(rng, (image.shape[0], image.shape[1]), plan.diameter_px)
    clear = sharp < 0.1
    if not plan.is_emitting and rng.random() < (0.7 if plan.kind == "transmitted" else 0.2):
        return np.asarray(image * (1 - rng.uniform(0.92, 1.0) * sharp), np.float32), clear
    times = log_uniform(rng, 3.0, 40.0)
    image = image + np.float32(times * typical) * (sharp + glow)
    if rng.random() < 0.5:
        # The sensor saturates.
        image = np.minimum(image, np.float32(base + typical * log_uniform(rng, 2.0, 8.0)))
    return np.asarray(image, np.float32), clear


def _clutter(
    rng: np.random.Generator, plan: ScenePlan, shape: Shape, weakest: float, *, has_beads: bool
) -> tuple[Floats, str, str]:
    """Return the brightness of texture and debris, and their names; half of the sparse fields are clean."""
    if plan.theme == "few" and rng.random() < 0.5:
        return np.zeros(shape, np.float32), "flat", "none"
    name, texture = draw_texture(rng, shape)
    # Texture must be much weaker than the beads to be distinguishable from them.
    faint = has_beads or plan.theme == "dirt"
    strength = log_uniform(rng, 0.02, 0.3) if faint else log_uniform(rng, 0.02, 1.5)
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
        total += height * DEBRIS[choice](rng, shape, 10.0 if plan.theme == "dirt" else plan.diameter_px)
        names.add(choice)
    return np.asarray(total, np.float32), name, "+".join(sorted(names)) or "none"
