"""Beads drawn on a flat background, before clutter, illumination and noise."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.simulate.bodies import foam, phase_contrast_cells, specks
from beadctl.simulate.debris import DEBRIS
from beadctl.simulate.drawing import Beads, Floats, Labels, Shape, accumulate, outline_labels
from beadctl.simulate.looks import LOOKS, Look
from beadctl.simulate.plan import ScenePlan
from beadctl.simulate.sampling import log_uniform
from beadctl.simulate.spheres import draw_shading, paint
from beadctl.simulate.texture import blurred, draw_texture, smooth_field, widely_blurred


@dataclass(frozen=True)
class Field:
    """Beads on a flat background, without noise; `signal` excludes the light that beads scatter."""

    image: Floats
    signal: Floats
    beads: Beads
    labels: Labels
    base: float
    blur_px: float
    polarity: str


def draw_field(rng: np.random.Generator, plan: ScenePlan, beads: Beads, shape: Shape) -> Field:
    """Draw the beads of a plan onto a flat background of a height and width `shape`, px."""
    if plan.kind == "sphere":
        return _spheres(rng, plan, beads, shape)
    signal, labels, look = _signal(rng, plan, beads, shape)
    blur_px = _blur_px(rng, plan) if plan.blur_px is None else plan.blur_px
    signal = blurred(signal, blur_px)
    if plan.kind == "nuclear":
        signal = signal * (1.0 + np.float32(rng.uniform(0.03, 0.22)) * smooth_field(rng, shape, 3.0))
    polarity = "bright"
    if plan.is_emitting:
        base = float(rng.uniform(0.0, 0.6)) if rng.random() < 0.6 else 0.02
        lit = signal if look is None else _with_scattered_light(rng, plan, beads, signal, look)
        image = np.asarray(base + lit, np.float32)
    else:
        base = 1.0
        polarity = plan.polarity or ("dark" if rng.random() < 0.75 else "bright")
        image = _transmitted(rng, plan, signal, polarity)
        signal = image - np.float32(1.0)
    return Field(image, signal, beads, labels, base, blur_px, polarity)


def _signal(
    rng: np.random.Generator, plan: ScenePlan, beads: Beads, shape: Shape
) -> tuple[Floats, Labels, Look | None]:
    """Return the sharp signal, the labels and the look, if a radial profile describes it."""
    if plan.look == "cells":
        return *foam(rng, beads, shape), None
    if plan.look == "yeast":
        return *phase_contrast_cells(rng, beads, shape), None
    labels = outline_labels(beads, shape)
    look = LOOKS[plan.look](rng)
    if plan.second_look:
        other = LOOKS[plan.second_look](rng)
        is_other = rng.random(len(beads)) < plan.second_share
        signal = accumulate(beads.take(~is_other), shape, look.profile, look.reach)
        signal = signal + accumulate(beads.take(is_other), shape, other.profile, other.reach)
    else:
        signal = accumulate(beads, shape, look.profile, look.reach, covering=plan.covering)
    if plan.look == "gel":
        signal = signal + specks(rng, labels, plan.diameter_px)
    return signal, labels, look


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
    heaped = plan.theme == "heaps"
    if rng.random() < (0.75 if heaped else 0.4):
        # Beads illuminate the surroundings of a cluster; in a heap, those of other layers shine between them.
        spread = widely_blurred(signal, 4, max(plan.diameter_px * rng.uniform(0.5, 2.0) / 4, 1.0))
        signal = signal + np.float32(rng.uniform(0.05, 1.2 if heaped else 0.4)) * blurred(spread, 3.0)
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


def _spheres(rng: np.random.Generator, plan: ScenePlan, beads: Beads, shape: Shape) -> Field:
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
    return Field(image, image - np.float32(base), beads, labels, base, blur_px, "bright")


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
