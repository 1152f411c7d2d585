"""One simulated image with its labels: a recipe drawn at random, then rendered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.simulate.debris import DEBRIS, inscription
from beadctl.simulate.drawing import (
    Beads,
    Floats,
    Labels,
    Shape,
    accumulate,
    circles,
    consecutive,
    outline_labels,
)
from beadctl.simulate.layout import Arrangement, place, vary
from beadctl.simulate.looks import DRAW, Look
from beadctl.simulate.optics import Grey, blurred, draw_camera, exposed, illumination, noisy
from beadctl.simulate.spheres import draw_shading, paint
from beadctl.simulate.texture import TEXTURES, WEIGHTS, smooth_field, standardised

Fact = str | int | float | bool

FLUORESCENT = {"disc": 3, "spot": 3, "dome": 4, "ring": 1.5, "shell": 1, "airy": 1, "radial": 0.5}
TRANSMITTED = {
    "dot": 11,
    "disc": 1,
    "absorber": 4,
    "lens": 4,
    "phase": 2.5,
    "airy": 1.5,
    "droplet": 1.5,
    "radial": 2,
    "ring": 1.5,
    "shell": 1,
    "spot": 1,
}
LOOKS = (*DRAW, "sphere")
# Without an edge of their own, beads of these looks that crowd or differ much melt into one.
SOFT = ("dot", "spot", "airy")
# With one, they may touch and be blurred together and still be told apart by their waists.
SOLID = ("disc", "dome", "shell", "absorber", "dot")


@dataclass(frozen=True)
class Scene:
    """A simulated image and the truth about it.

    Attributes
    ----------
    image
        2-D, uint8 or uint16.
    labels
        uint32, the image's shape: 0 for background, 1..n for n beads, every number present.
    facts
        What was drawn, as plain values; `beads` is n, `diameter` the median of the labelled ones in px.
    """

    image: Grey
    labels: Labels
    facts: dict[str, Fact]


@dataclass(frozen=True)
class _Drawn:
    """The beads in place, on a flat background, before noise; `signal` leaves out what they light up."""

    image: Floats
    signal: Floats
    beads: Beads
    labels: Labels
    base: float


def _pick(rng: np.random.Generator, weights: dict[str, float]) -> str:
    share = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=share / share.sum()))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _plan(rng: np.random.Generator, kind: str, look: str, shape: Shape) -> Arrangement:
    # Small images get small beads; a bead that fills the frame shows no outline.
    largest = float(np.clip(0.4 * min(shape), 4.0, 110.0))
    draw = rng.random()
    if kind == "sphere":
        diameter = _log_uniform(rng, 10, 110)
    elif kind == "nuclear":
        diameter = _log_uniform(rng, 12, 60)
    elif draw < (0.8 if look == "dot" else 0.5):
        diameter = _log_uniform(rng, 6, 16)
    elif draw < 0.9:
        diameter = _log_uniform(rng, 3, 60)
    else:
        diameter = _log_uniform(rng, 30, 110)
    diameter = min(diameter, largest)
    spread = float(rng.choice([rng.uniform(0, 0.03), rng.uniform(0.05, 0.2), rng.uniform(0.2, 0.6)]))
    if kind == "nuclear":
        spread = float(rng.uniform(0.08, 0.25))
    elif kind == "sphere" and rng.random() < 0.5:
        # Atomised powder: a log-normal law over a decade and more of diameters.
        spread = float(rng.uniform(0.4, 0.8))
    elif rng.random() < 0.45:
        spread = float(rng.uniform(0, 0.05))
    bimodal = float(rng.uniform(1.5, 3.5)) if rng.random() < 0.1 else 1.0
    layouts: dict[str, float] = {
        "singles": 2.5,
        "overlapping": 1,
        "chains": 1,
        "clumps": 2,
        "heaps": 2 if kind == "fluorescent" else 0.8,
        "lattice": 1,
        "mixed": 2,
    }
    if kind == "sphere":
        layouts = {"singles": 3, "overlapping": 4, "clumps": 1, "lattice": 1, "mixed": 2, "satellites": 3}
    elif kind == "nuclear":
        layouts = {"singles": 3, "overlapping": 1, "mixed": 1, "clumps": 0.6}
    layout = _pick(rng, layouts)
    touching = float(rng.uniform(0.96, 1.1))
    closest = float(rng.uniform(0.72, 0.98)) if layout != "singles" and rng.random() < 0.6 else touching
    if look in SOFT:
        closest, spread = max(closest, 0.92 if look == "dot" else 1.0), min(spread, 0.2)
    area = shape[0] * shape[1]
    cover = _log_uniform(rng, 0.003, 0.5) if rng.random() < 0.6 else float(rng.uniform(0.05, 0.6))
    if kind == "sphere":
        cover = float(rng.uniform(0.06, 3.0))
    one = np.pi / 4 * diameter**2 * np.exp(2 * spread**2)
    most = (1200 if kind == "sphere" else 1600) * area / 512**2
    count = max(1, int(min(cover * area / one, most)))
    return Arrangement(count, diameter, spread, bimodal, layout, closest)


def _visible(drawn: _Drawn) -> Floats:
    """Root mean square of each bead's departure from the flat background within its label, shape (n,)."""
    signal = drawn.signal.ravel()
    owner = drawn.labels.ravel()
    count = len(drawn.beads) + 1
    power = np.bincount(owner, weights=signal * signal, minlength=count)[1:]
    return np.asarray(np.sqrt(power / np.maximum(np.bincount(owner, minlength=count)[1:], 1)), np.float32)


def _specks(beads: Beads, strength: Floats) -> NDArray[np.bool_]:
    """Tell which beads are so much smaller and fainter than the others that nobody would count them."""
    if len(beads) < 2:
        return np.zeros(len(beads), bool)
    faintness = strength / max(float(np.median(strength)), 1e-6)
    light = faintness * (beads.radius_px / np.median(beads.radius_px)) ** 2
    return np.asarray((faintness < 0.5) & (light < 0.06))


def _draw_profile(
    rng: np.random.Generator, kind: str, look_name: str, beads: Beads, shape: Shape, facts: dict[str, Fact]
) -> _Drawn:
    """Draw transparent beads: fluorescence adds to a dim background, absorption multiplies a bright one."""
    look = DRAW[look_name](rng)
    signal = accumulate(beads, shape, look.profile, look.reach)
    diameter = float(facts["diameter"])
    # Beads of a few pixels are mostly blur, yet two that touch must stay two.
    most = 0.28 * diameter if rng.random() < 0.3 else 0.16 * diameter
    blur = min(float(rng.uniform(0.3, 2.5)), max(most, 0.45))
    if facts["melting"]:
        # Solid beads that touch under a lens that barely resolves them: waists where they meet, no gaps.
        least, most = (0.05, 0.2) if look_name == "dot" else (0.12, 0.3 * float(facts["closest"]))
        if facts["layout"] == "heaps":
            # Amid a heap there are no outlines to go by: the finer its grain, the sharper it must be.
            least, most = 0.05, (0.1 if look_name == "dot" else 0.26) * float(facts["closest"]) ** 2
        blur = diameter * float(rng.uniform(least, most))
    signal = blurred(signal, blur)
    if kind == "nuclear":
        signal = signal * (1.0 + np.float32(rng.uniform(0.03, 0.22)) * smooth_field(rng, shape, 3.0))
    facts["blur_px"] = round(blur, 3)
    if kind in ("fluorescent", "nuclear"):
        base = float(rng.uniform(0.0, 0.6)) if rng.random() < 0.6 else 0.02
        alone = signal
        if rng.random() < 0.4:
            # Light from beads scatters into the surroundings of a cluster.
            glow = blurred(signal[::4, ::4], max(diameter * rng.uniform(0.5, 2.0) / 4, 1.0))
            spread = np.repeat(np.repeat(glow, 4, axis=0), 4, axis=1)[: shape[0], : shape[1]]
            signal = signal + np.float32(rng.uniform(0.05, 0.4)) * blurred(spread, 3.0)
        if rng.random() < 0.3:
            signal = signal + _ghosts(rng, beads, shape, look)
        facts["polarity"] = "bright"
        return _Drawn(np.asarray(base + signal, np.float32), alone, beads, outline_labels(beads, shape), base)
    dark = bool(rng.random() < 0.75)
    facts["polarity"] = "dark" if dark else "bright"
    if dark:
        # Beads that overlap must not merge into one black patch, unless equal sizes leave a shape to read.
        depth = _log_uniform(rng, 0.1, 2.2 if facts["layout"] == "singles" or facts["melting"] else 1.1)
        image = np.exp(-np.float32(depth) * np.clip(signal, -2.0, 4.0))
        if depth > 0.7:
            image = np.minimum(image, np.float32(rng.uniform(1.3, 2.5)))
    else:
        image = 1.0 + np.float32(_log_uniform(rng, 0.1, 1.5)) * signal
        image = np.maximum(image, np.float32(0.0))
    return _Drawn(image, image - np.float32(1.0), beads, outline_labels(beads, shape), 1.0)


def _ghosts(rng: np.random.Generator, beads: Beads, shape: Shape, look: Look) -> Floats:
    """Draw beads of other planes: so faint and so far out of focus that nobody would count them."""
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


def _bumps(rng: np.random.Generator, beads: Beads) -> tuple[Beads, NDArray[np.intp]]:
    """Put welded-on grains onto spheres, each above its host, and tell whose every one of the result is."""
    chosen = np.flatnonzero((rng.random(len(beads)) < rng.uniform(0.1, 0.7)) & (beads.radius_px > 8))
    hosts = np.sort(np.repeat(chosen, rng.integers(1, 4, len(chosen))))
    grains = beads.take(hosts)
    angle, away = rng.uniform(0, 2 * np.pi, len(hosts)), rng.uniform(0.0, 1.02, len(hosts))
    grains = replace(
        grains,
        y=(grains.y + away * grains.radius_px * np.sin(angle)).astype(np.float32),
        x=(grains.x + away * grains.radius_px * np.cos(angle)).astype(np.float32),
        radius_px=np.asarray(grains.radius_px * rng.uniform(0.06, 0.25, len(hosts)), np.float32),
        gain=np.asarray(grains.gain * rng.uniform(0.9, 1.3, len(hosts)), np.float32),
    )
    parts = [(beads, np.arange(len(beads))), (grains, hosts)]
    joined = Beads(
        **{
            name: np.concatenate([getattr(part, name) for part, _ in parts])
            for name in Beads.__dataclass_fields__
        }
    )
    owner = np.concatenate([owner for _, owner in parts])
    order = np.argsort(owner, kind="stable")
    return joined.take(order), owner[order]


def _draw_spheres(rng: np.random.Generator, beads: Beads, shape: Shape, facts: dict[str, Fact]) -> _Drawn:
    # Small spheres that rest on large ones lie in front of them.
    towering = rng.random() < 0.6
    front: NDArray[np.floating[Any]] = rng.random(len(beads))
    if facts["layout"] == "satellites":
        front = -beads.radius_px
    elif towering:
        # On a flat ground the larger sphere reaches higher: nearer to the detector, over its neighbours.
        front = beads.radius_px * rng.uniform(0.8, 1.25, len(beads))
    if towering and len(beads):
        lift = (beads.radius_px / np.median(beads.radius_px)) ** rng.uniform(0.0, 0.5)
        beads = replace(beads, gain=np.asarray(np.clip(beads.gain * lift, 0.35, 1.8), np.float32))
    beads = beads.take(np.argsort(front))
    shading = draw_shading(rng)
    base = float(rng.uniform(0.05, 0.55)) * (shading.ambient + 0.3 * shading.diffuse)
    if rng.random() < 0.5:
        base *= 0.35
    ground = standardised(TEXTURES[_pick(rng, WEIGHTS)](rng, shape)) * rng.uniform(0.0, 0.25) * base + base
    if rng.random() < 0.4:
        ground = ground + base * rng.uniform(0.2, 1.0) * _one_debris(rng, shape, 20.0, ["flakes", "fibres"])
    welded, owner = _bumps(rng, beads) if rng.random() < 0.4 else (beads, None)
    image, labels = paint(rng, welded, np.asarray(ground, np.float32), shading, owner)
    blur = float(rng.uniform(0.2, 1.3))
    facts["blur_px"], facts["polarity"] = round(blur, 3), "bright"
    image = blurred(image, blur)
    return _Drawn(image, image - np.float32(base), beads, labels, base)


def _one_debris(rng: np.random.Generator, shape: Shape, diameter: float, names: list[str]) -> Floats:
    return DEBRIS[str(rng.choice(names))](rng, shape, diameter)


def _clutter(
    rng: np.random.Generator, kind: str, shape: Shape, weakest: float, facts: dict[str, Fact]
) -> Floats:
    """Return texture and debris in units of brightness, scaled by the weakest bead's signal."""
    diameter, crowded = float(facts["diameter"]), facts["beads"] != 0
    name = _pick(rng, WEIGHTS)
    texture = standardised(TEXTURES[name](rng, shape))
    # Texture must stay well below the beads, or nobody could tell which is which.
    strength = _log_uniform(rng, 0.02, 0.3) if crowded else _log_uniform(rng, 0.02, 1.5)
    total = texture * np.float32(weakest * strength)
    if rng.random() < 0.45:
        haze = smooth_field(rng, shape, max(5 * diameter, 50.0))
        total += np.float32(weakest * rng.uniform(0, 0.45)) * haze
    facts["texture"], kinds = name, []
    weights: dict[str, float] = dict.fromkeys(DEBRIS, 1.0) | {"motes": 8.0 if kind == "fluorescent" else 3.0}
    if kind == "sphere":
        weights = {"fibres": 1, "scratches": 1, "specks": 1, "motes": 0.5, "flakes": 2, "stains": 0.5}
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.45, 0.3, 0.15, 0.1]))):
        choice = _pick(rng, weights)
        sign = 1.0 if (kind in ("fluorescent", "nuclear") or rng.random() < 0.3) else -1.0
        height = np.float32(sign * weakest * _log_uniform(rng, 0.3, 3.0))
        total += height * DEBRIS[choice](rng, shape, diameter)
        kinds.append(choice)
    facts["debris"] = "+".join(sorted(set(kinds))) or "none"
    return np.asarray(total, np.float32)


def _hot_pixels(rng: np.random.Generator, image: Floats) -> Floats:
    image = image.copy()
    number = int(rng.integers(1, 40))
    y, x = rng.integers(0, image.shape[0], number), rng.integers(0, image.shape[1], number)
    image[y, x] = image.max() * rng.uniform(0.5, 1.0, number)
    return image


def render(rng: np.random.Generator, size: int | tuple[int, int] = 512) -> Scene:
    """Render one scene with everything about it drawn at random.

    Parameters
    ----------
    rng
        The only source of randomness: the same state gives the same scene.
    size
        Side of a square image, or height and width; px.

    Returns
    -------
    Scene
        Labels follow the bead's physical outline: half the height of the in-focus profile.
    """
    shape = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
    kind = _pick(rng, {"fluorescent": 0.33, "transmitted": 0.41, "sphere": 0.18, "nuclear": 0.08})
    look = {"sphere": "sphere", "nuclear": "blob"}.get(kind) or _pick(
        rng, dict(FLUORESCENT if kind == "fluorescent" else TRANSMITTED)
    )
    plan = _plan(rng, kind, look, shape)
    # Nuclei are long without being two, which only a sharp outline tells.
    melting = look in SOLID and kind != "nuclear" and plan.layout not in ("singles", "satellites")
    melting = melting and bool(rng.random() < (0.75 if look == "dot" else 0.55))
    if melting:
        # A waist, or no more than an outline too long for one bead: a person still counts them. Beads of
        # unequal size would hide it.
        least = 0.75 if plan.layout == "heaps" else 0.5 if look == "dot" else 0.7
        closest = float(rng.uniform(least, 1.0))
        plan = replace(plan, spread=min(plan.spread, 0.08), bimodal=1.0, closest=closest)
    beads = circles([], [], []) if rng.random() < 0.08 else place(rng, plan, shape)
    oval = float(rng.uniform(0.1, 1.4)) if kind == "nuclear" else float(rng.choice([0.0, 0.06, 0.15]))
    rough = 0.0
    if kind == "nuclear" or rng.random() < (0.5 if kind == "sphere" else 0.12):
        rough = float(rng.uniform(0.0, {"nuclear": 0.05, "sphere": 0.04}.get(kind, 0.02)))
    if kind == "sphere" and rng.random() < 0.3:
        oval = float(rng.uniform(0.0, 0.4))
    beads = vary(rng, beads, oval=oval, rough=rough)
    if look in SOFT or melting:
        beads = replace(beads, gain=np.clip(beads.gain, 0.5, 1.5))
    if melting and rng.random() < 0.6:
        # Beads of one kind are equally dark, so that what is darker is more than one.
        beads = replace(beads, gain=np.asarray(beads.gain**0.35, np.float32))
    if kind == "transmitted" and not melting and rng.random() < 0.1:
        # Above the focal plane a bead may gather light, below it scatter light: both in one field.
        sign = np.where(rng.random(len(beads)) < rng.uniform(0.2, 0.8), -1.0, 1.0)
        beads = replace(beads, gain=np.asarray(beads.gain * sign, np.float32))
    if kind == "sphere":
        # Matter of one kind is about equally bright, and the background must not outshine it.
        beads = replace(beads, gain=np.clip(beads.gain, 0.6, 1.5))
    facts: dict[str, Fact] = {
        "kind": kind,
        "look": look,
        "polarity": "bright",
        "layout": plan.layout,
        "diameter": round(plan.diameter_px, 2),
        "closest": round(plan.closest, 3),
        "beads": len(beads),
        "melting": melting,
    }
    if kind == "sphere":
        drawn = _draw_spheres(rng, beads, shape, facts)
    else:
        drawn = _draw_profile(rng, kind, look, beads, shape, facts)
    strength = _visible(drawn)
    weakest = float(np.quantile(strength, 0.05)) if len(strength) else float(rng.uniform(0.1, 0.5))
    image, noise = _photographed(rng, kind, drawn, max(weakest, 0.02), facts)
    small = np.where(drawn.beads.radius_px < 3, 2.4, 1.6)
    labels = consecutive(drawn.labels, (strength >= small * noise) & ~_specks(drawn.beads, strength))
    inverted = bool(kind != "transmitted" and rng.random() < 0.08)
    if inverted:
        image = -image
        facts["polarity"] = "dark"
    contrast = max(weakest, 1e-3) / max(float(np.ptp(image)), 1e-6)
    camera = draw_camera(rng, contrast)
    if rng.random() < 0.1 and min(shape) >= 96:
        ink, level = inscription(rng, shape)
        ink = ink * (labels == 0)
        image = image + ink * ((image.max() if level else image.min()) - image)
    count = int(labels.max(initial=0))
    facts.update(
        beads=count,
        density=round(float((labels > 0).mean()), 4),
        noise_over_signal=round(noise / max(weakest, 1e-6), 3),
        bits=camera.bits,
        jpeg_quality=camera.jpeg_quality,
        gamma=round(camera.gamma, 2),
        inverted=inverted,
    )
    if count:
        facts["diameter"] = round(float(np.median(np.sqrt(4 / np.pi * np.bincount(labels.ravel())[1:]))), 2)
    return Scene(exposed(image, camera), labels, facts)


def _photographed(
    rng: np.random.Generator, kind: str, drawn: _Drawn, weakest: float, facts: dict[str, Fact]
) -> tuple[Floats, float]:
    """Add clutter, uneven light and noise; return the image and the noise that beads must exceed."""
    shape, image = (drawn.image.shape[0], drawn.image.shape[1]), drawn.image
    clutter = _clutter(rng, kind, shape, weakest, facts)
    if kind == "sphere":
        clutter = clutter * (drawn.labels == 0) * np.float32(0.5)
        clutter = blurred(np.asarray(clutter, np.float32), 0.6)
    # What absorbs dims the texture beneath it as well.
    image = image + clutter * (image / drawn.base if kind == "transmitted" else np.float32(1.0))
    if rng.random() < 0.6:
        limit = min(0.4, 4 * weakest) if kind == "transmitted" else 0.4
        image = image * illumination(rng, shape, float(rng.uniform(0.0, limit)))
    quiet = rng.random() < 0.15
    # Beads that touch must stand out from one another too, not from the background alone.
    least = 2.6 if facts["layout"] == "singles" else 8.0 if facts["melting"] else 5.0
    ratio = 0.005 if quiet else 1.0 / _log_uniform(rng, least, 40.0)
    if not len(drawn.beads):
        ratio = _log_uniform(rng, 0.01, 1.0)
    noise = weakest * ratio
    level = 1.0 if kind == "transmitted" else drawn.base + 0.3
    # Where filters and resampling have rounded the noise its grains look like beads, smaller and fainter.
    widest = float(np.clip(0.2 * float(facts["diameter"]), 0.6, 2.0))
    clump = float(rng.uniform(0.4, widest)) if rng.random() < 0.4 else 0.0
    image = noisy(rng, np.asarray(image, np.float32), noise, level, float(rng.uniform(0, 1)), clump)
    if rng.random() < 0.06:
        image = _hot_pixels(rng, image)
    return image, noise
