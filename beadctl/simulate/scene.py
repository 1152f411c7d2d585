"""One simulated image with its labels: planned at random, drawn and recorded by a camera."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.simulate.debris import DEBRIS, inscription
from beadctl.simulate.drawing import Beads, Floats, Labels, Shape, accumulate, consecutive, outline_labels
from beadctl.simulate.looks import LOOKS, Look
from beadctl.simulate.optics import Grey, draw_camera, exposed, illumination, noisy
from beadctl.simulate.plan import ScenePlan, draw_beads, draw_plan
from beadctl.simulate.sampling import log_uniform, pick
from beadctl.simulate.spheres import draw_shading, paint
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


@dataclass(frozen=True)
class _Field:
    """Beads on a flat background, without noise; `signal` excludes the light that beads scatter."""

    image: Floats
    signal: Floats
    beads: Beads
    labels: Labels
    base: float
    blur_px: float
    polarity: str


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
    field = _field(rng, plan, draw_beads(rng, plan, shape), shape)
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


def _strength(field: _Field) -> Floats:
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


def _field(rng: np.random.Generator, plan: ScenePlan, beads: Beads, shape: Shape) -> _Field:
    if plan.kind == "sphere":
        return _spheres(rng, plan, beads, shape)
    look = LOOKS[plan.look](rng)
    signal = accumulate(beads, shape, look.profile, look.reach)
    blur_px = _blur_px(rng, plan)
    signal = blurred(signal, blur_px)
    if plan.kind == "nuclear":
        signal = signal * (1.0 + np.float32(rng.uniform(0.03, 0.22)) * smooth_field(rng, shape, 3.0))
    polarity = "bright"
    if plan.is_emitting:
        base = float(rng.uniform(0.0, 0.6)) if rng.random() < 0.6 else 0.02
        image = np.asarray(base + _with_scattered_light(rng, plan, beads, signal, look), np.float32)
    else:
        base = 1.0
        polarity = "dark" if rng.random() < 0.75 else "bright"
        image = _transmitted(rng, plan, signal, polarity)
        signal = image - np.float32(1.0)
    return _Field(image, signal, beads, outline_labels(beads, shape), base, blur_px, polarity)


def _blur_px(rng: np.random.Generator, plan: ScenePlan) -> float:
    diameter, is_dot = plan.diameter_px, plan.look == "dot"
    # Small beads are mostly blur, but two in contact must remain separable.
    most = 0.28 * diameter if rng.random() < 0.3 else 0.16 * diameter
    blur = min(float(rng.uniform(0.3, 2.5)), max(most, 0.45))
    if plan.melting:
        # Beads in contact, barely resolved: waists between them and no gaps.
        least, most = (0.05, 0.2) if is_dot else (0.12, 0.3 * plan.closest)
        if plan.arrangement.layout == "heaps":
            # Inside a heap no outline is visible: the closer the beads, the sharper they must be.
            least, most = 0.05, (0.1 if is_dot else 0.26) * plan.closest**2
        blur = diameter * float(rng.uniform(least, most))
    return blur


def _with_scattered_light(
    rng: np.random.Generator, plan: ScenePlan, beads: Beads, signal: Floats, look: Look
) -> Floats:
    shape = (signal.shape[0], signal.shape[1])
    if rng.random() < 0.4:
        # Beads illuminate the surroundings of a cluster.
        glow = blurred(signal[::4, ::4], max(plan.diameter_px * rng.uniform(0.5, 2.0) / 4, 1.0))
        spread = np.repeat(np.repeat(glow, 4, axis=0), 4, axis=1)[: shape[0], : shape[1]]
        signal = signal + np.float32(rng.uniform(0.05, 0.4)) * blurred(spread, 3.0)
    if rng.random() < 0.3:
        signal = signal + _out_of_focus(rng, beads, shape, look)
    return signal


def _out_of_focus(rng: np.random.Generator, beads: Beads, shape: Shape, look: Look) -> Floats:
    """Draw beads of other planes, too faint and blurred to be counted."""
    if not len(beads):
        return np.zeros(shape, np.float32)
    number = int(rng.integers(1, 2 + len(beads) // 2))
    others = beads.take(rng.integers(0, len(beads), number))
    others = replace(
        others,
        y=rng.uniform(0, shape[0], number).astype(np.float32),
        x=rng.uniform(0, shape[1], number).astype(np.float32),
        gain=others.gain * np.float32(rng.uniform(0.1, 0.4)),
    )
    light = accumulate(others, shape, look.profile, look.reach)
    return blurred(light, float(np.median(beads.radius_px) * rng.uniform(1.2, 2.5)))


def _transmitted(rng: np.random.Generator, plan: ScenePlan, signal: Floats, polarity: str) -> Floats:
    """Return a bright background of 1 that beads attenuate, or brighten."""
    if polarity == "bright":
        bright = 1.0 + np.float32(log_uniform(rng, 0.1, 1.5)) * signal
        return np.asarray(np.maximum(bright, np.float32(0.0)), np.float32)
    # Overlapping beads must not merge into one black patch, unless equal sizes make their number visible.
    depth = log_uniform(rng, 0.1, 2.2 if plan.arrangement.layout == "singles" or plan.melting else 1.1)
    image = np.exp(-np.float32(depth) * np.clip(signal, -2.0, 4.0))
    if depth > 0.7:
        image = np.minimum(image, np.float32(rng.uniform(1.3, 2.5)))
    return np.asarray(image, np.float32)


def _spheres(rng: np.random.Generator, plan: ScenePlan, beads: Beads, shape: Shape) -> _Field:
    large_in_front = rng.random() < 0.6
    order: NDArray[np.floating[Any]] = rng.random(len(beads))
    if plan.arrangement.layout == "satellites":
        # Small spheres that rest on large ones are in front of them.
        order = -beads.radius_px
    elif large_in_front:
        # On a flat ground a larger sphere is higher, nearer to the detector, and covers its neighbours.
        order = beads.radius_px * rng.uniform(0.8, 1.25, len(beads))
    if large_in_front and len(beads):
        lift = (beads.radius_px / np.median(beads.radius_px)) ** rng.uniform(0.0, 0.5)
        beads = replace(beads, gain=np.asarray(np.clip(beads.gain * lift, 0.35, 1.8), np.float32))
    beads = beads.take(np.argsort(order))
    shading = draw_shading(rng)
    base = float(rng.uniform(0.05, 0.55)) * (shading.ambient + 0.3 * shading.diffuse)
    if rng.random() < 0.5:
        base *= 0.35
    ground = draw_texture(rng, shape)[1] * rng.uniform(0.0, 0.25) * base + base
    if rng.random() < 0.4:
        strength = base * rng.uniform(0.2, 1.0)
        ground = ground + strength * DEBRIS[str(rng.choice(["flakes", "fibres"]))](rng, shape, 20.0)
    painted, owner = _with_grains(rng, beads) if rng.random() < 0.4 else (beads, None)
    image, labels = paint(rng, painted, np.asarray(ground, np.float32), shading, owner)
    blur_px = float(rng.uniform(0.2, 1.3))
    image = blurred(image, blur_px)
    return _Field(image, image - np.float32(base), beads, labels, base, blur_px, "bright")


def _with_grains(rng: np.random.Generator, beads: Beads) -> tuple[Beads, NDArray[np.intp]]:
    """Weld grains onto spheres, each above its host; return all and the index of the host of each."""
    chosen = np.flatnonzero((rng.random(len(beads)) < rng.uniform(0.1, 0.7)) & (beads.radius_px > 8))
    hosts = np.sort(np.repeat(chosen, rng.integers(1, 4, len(chosen))))
    grains = beads.take(hosts)
    angle, distance = rng.uniform(0, 2 * np.pi, len(hosts)), rng.uniform(0.0, 1.02, len(hosts))
    grains = replace(
        grains,
        y=(grains.y + distance * grains.radius_px * np.sin(angle)).astype(np.float32),
        x=(grains.x + distance * grains.radius_px * np.cos(angle)).astype(np.float32),
        radius_px=np.asarray(grains.radius_px * rng.uniform(0.06, 0.25, len(hosts)), np.float32),
        gain=np.asarray(grains.gain * rng.uniform(0.9, 1.3, len(hosts)), np.float32),
    )
    owner = np.concatenate([np.arange(len(beads)), hosts])
    order = np.argsort(owner, kind="stable")
    return beads.joined(grains).take(order), owner[order]


def _acquired(
    rng: np.random.Generator, plan: ScenePlan, field: _Field, weakest: float
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
