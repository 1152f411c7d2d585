"""Appearance of beads: radial profiles with parameters that are drawn at random for each scene."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import j1

from beadctl.simulate.drawing import Floats, Profile


@dataclass(frozen=True)
class Look:
    """Appearance of beads: signal by distance from the centre, and its extent in units of the outline."""

    profile: Profile
    reach: float


def _inside(rho: Floats, softness: Floats) -> Floats:
    """Return a disc with a blurred edge; a logistic function replaces the error function, within 1 %."""
    steepness = 1.7 / np.maximum(softness, 0.02)
    return np.asarray(1.0 / (1.0 + np.exp(np.clip((rho - 1.0) * steepness, -30, 30))), np.float32)


def _hump(rho: Floats, centre: float, width: Floats | float) -> Floats:
    return np.asarray(np.exp(-(((rho - centre) / width) ** 2)), np.float32)


def _disc(rng: np.random.Generator) -> Look:
    """Flat disc, somewhat brighter or darker towards its rim."""
    tilt = rng.uniform(-0.25, 0.35)
    return Look(
        lambda rho, softness, _: _inside(rho, softness) * (1.0 - tilt * np.minimum(rho, 1.0) ** 2), 1.0
    )


def _dot(rng: np.random.Generator) -> Look:
    """Small disc with an edge about as wide as its radius."""
    width = rng.uniform(0.25, 0.55)
    return Look(lambda rho, softness, _: _inside(rho, np.maximum(softness, width)), 3.2)


def _spot(rng: np.random.Generator) -> Look:
    """Gaussian whose full width at half maximum is the outline."""
    power = rng.uniform(1.7, 2.6)
    return Look(lambda rho, _softness, _focus: np.exp2(-(rho**power)), 2.6)


def _dome(rng: np.random.Generator) -> Look:
    """Projected volume of a filled sphere."""
    power = rng.uniform(0.25, 0.6)
    return Look(lambda rho, _softness, _focus: np.maximum(1.0 - rho * rho, 0.0) ** power, 1.05)


def _ring(rng: np.random.Generator) -> Look:
    """Hollow bead: a ring whose outer half maximum is the outline."""
    width = rng.uniform(0.14, 0.4)
    filling = rng.uniform(0.0, 0.55) * float(rng.random() < 0.6)
    centre = 1.0 - 0.83 * width

    def profile(rho: Floats, softness: Floats, _focus: Floats) -> Floats:
        broad = np.sqrt(width**2 + 0.3 * softness**2)
        rim = _hump(rho, centre, broad)
        return np.asarray(np.maximum(rim, filling * (rho < centre)), np.float32)

    return Look(profile, 1.0 + 1.6 * width)


def _shell(rng: np.random.Generator) -> Look:
    """Bead with a bright rim around a dimmer body."""
    base, power = rng.uniform(0.2, 0.7), rng.uniform(2.0, 6.0)
    return Look(
        lambda rho, softness, _: _inside(rho, softness) * (base + (1 - base) * np.minimum(rho, 1.1) ** power),
        1.0,
    )


def _lens(rng: np.random.Generator) -> Look:
    """Bead that focuses light: a positive ring with a negative centre and halo."""
    width, bright = rng.uniform(0.16, 0.34), rng.uniform(0.5, 1.7)
    core, halo = rng.uniform(0.3, 0.6), rng.uniform(0.0, 0.4)
    spread, varies = rng.uniform(0.12, 0.3), rng.uniform(0.0, 0.8)
    centre = 1.0 - 0.83 * width

    def profile(rho: Floats, softness: Floats, focus: Floats) -> Floats:
        dark = _hump(rho, centre, np.sqrt(width**2 + 0.3 * softness**2))
        light = bright * (1 + varies * focus) * _hump(rho, 0.0, core)
        return np.asarray(dark - light - halo * _hump(rho, 1.15 + spread, spread), np.float32)

    return Look(profile, 1.5 + 2 * spread)


def _absorber(rng: np.random.Generator) -> Look:
    """Absorbing disc, as positive signal, with a negative halo and often a negative centre."""
    halo, spread = rng.uniform(0.0, 0.45), rng.uniform(0.12, 0.4)
    lit = rng.uniform(0.2, 1.4) * float(rng.random() < 0.6)
    core, rim = rng.uniform(0.15, 0.5), rng.uniform(0.0, 0.4)

    def profile(rho: Floats, softness: Floats, focus: Floats) -> Floats:
        body = _inside(rho, softness) * (1.0 - rim + rim * np.minimum(rho, 1.0) ** 2)
        glow = halo * _hump(rho, 1.05 + spread, spread) * (rho > 0.8)
        return np.asarray(body - glow - lit * (1 + 0.6 * focus) * _hump(rho, 0.0, core), np.float32)

    return Look(profile, 1.3 + 3 * spread)


def _phase(rng: np.random.Generator) -> Look:
    """Phase contrast: a body, in part with shade-off, and a negative halo that fades outwards."""
    halo, fade, inner = rng.uniform(0.3, 1.0), rng.uniform(0.15, 0.5), rng.uniform(0.0, 0.9)

    def profile(rho: Floats, softness: Floats, _focus: Floats) -> Floats:
        body = _inside(rho, softness)
        edge = 1.0 - inner * np.maximum(1.0 - rho, 0.0)
        skirt = np.exp(-np.maximum(rho - 1.0, 0.0) / fade)
        return np.asarray(body * edge - halo * (1.0 - body) * skirt, np.float32)

    return Look(profile, 1.0 + 3.5 * fade)


def _airy(rng: np.random.Generator) -> Look:
    """Diffraction rings: the jinc function, coherent or squared (Born and Wolf, 8.5.2)."""
    coherent, damping = bool(rng.random() < 0.6), rng.uniform(0.0, 0.35)
    boost = rng.uniform(1.0, 2.5)
    half_maximum = 2.215 if coherent else 1.616

    def profile(rho: Floats, _softness: Floats, _focus: Floats) -> Floats:
        r = np.maximum(rho * half_maximum, 1e-3)
        jinc = 2.0 * j1(r) / r
        field = jinc if coherent else jinc * jinc
        outer = field * np.exp(-damping * np.maximum(rho - 1.5, 0.0) * 2) * boost
        fade = np.clip(5.0 - rho, 0.0, 1.0)
        return np.asarray(np.where(rho < 1.7, field, outer) * fade, np.float32)

    return Look(profile, 5.0)


def _droplet(rng: np.random.Generator) -> Look:
    """Clear droplet: a thin positive outline, in part with a negative line inside, and a faint body."""
    width, inner = rng.uniform(0.07, 0.2), rng.uniform(0.0, 0.8)
    body = rng.uniform(-0.25, 0.35)
    centre = 1.0 - 0.83 * width

    def profile(rho: Floats, softness: Floats, _focus: Floats) -> Floats:
        broad = np.sqrt(width**2 + 0.3 * softness**2)
        line = _hump(rho, centre, broad) - inner * _hump(rho, centre - 2.2 * width, width * 1.3)
        return np.asarray(line + body * _inside(rho, softness), np.float32)

    return Look(profile, 1.0 + 2 * width)


def _radial(rng: np.random.Generator) -> Look:
    """Random smooth radial pattern with a definite edge and a few fading rings outside."""
    knots = rng.uniform(-1.0, 1.0, 6)
    # Without a visible edge there would be no outline to learn.
    knots[-1] = np.sign(knots[-1]) * max(abs(knots[-1]), 0.7)
    ripple, period = rng.uniform(0.0, 0.25), rng.uniform(0.25, 0.7)
    pull, at = rng.uniform(0.15, 0.4), np.linspace(0.0, 1.0, 61)
    smooth = np.interp(at, np.linspace(0.0, 1.0, 6), knots)
    table = np.convolve(np.pad(smooth, 5, mode="edge"), np.ones(11) / 11, mode="valid")
    table /= np.abs(table).max()
    if table[-1] < 0:
        table = -table

    def profile(rho: Floats, softness: Floats, _focus: Floats) -> Floats:
        index = np.minimum(rho * 60, 60).astype(np.intp)
        body = _inside(rho, softness)
        rings = -ripple * np.cos(2 * np.pi * (rho - 1.0 - period / 3) / period)
        rings = rings * np.exp(-np.maximum(rho - 1.0, 0.0) / pull)
        return np.asarray(table[index] * body + rings * (1.0 - body), np.float32)

    return Look(profile, 1.0 + 4 * pull)


def _blob(rng: np.random.Generator) -> Look:
    """Smooth filled body with a soft edge, like a stained nucleus."""
    dome_share = rng.uniform(0.0, 0.45)
    return Look(
        lambda rho, softness, _: (
            _inside(rho, np.maximum(softness, 0.06)) * (1.0 - dome_share * np.minimum(rho, 1.0) ** 2)
        ),
        1.25,
    )


def _hollow(rng: np.random.Generator) -> Look:
    """Hollow bead or large droplet: a wall, thin or thick, around an inside like the background."""
    width = float(np.exp(rng.uniform(np.log(0.015), np.log(0.3))))
    line = rng.uniform(0.0, 1.0) * float(rng.random() < 0.4)
    body = rng.uniform(-0.15, 0.15) * float(rng.random() < 0.3)

    def profile(rho: Floats, softness: Floats, _focus: Floats) -> Floats:
        broad = np.sqrt(width**2 + softness**2)
        wall = _hump(rho, 1.0 - 0.83 * broad, broad)
        # Refraction draws a line of the other polarity along the inner side of the wall.
        wall = wall - line * _hump(rho, 1.0 - 2.8 * broad, broad)
        return np.asarray(wall + body * _inside(rho, softness), np.float32)

    return Look(profile, 1.3)


def _gel(rng: np.random.Generator) -> Look:
    """Transparent body: a faint level and a rim, dark or bright; texture is added in `bodies.specks`."""
    level, tilt = rng.uniform(0.1, 0.5), rng.uniform(-0.5, 0.5)
    rim, width = rng.uniform(0.3, 1.0), rng.uniform(0.02, 0.08)
    halo = rng.uniform(0.0, 0.5) * float(rng.random() < 0.5)

    def profile(rho: Floats, softness: Floats, _focus: Floats) -> Floats:
        broad = np.sqrt(width**2 + softness**2)
        body = level * _inside(rho, softness) * (1.0 + tilt * np.minimum(rho, 1.0) ** 2)
        edge = rim * _hump(rho, 1.0 - 0.83 * broad, broad) - halo * _hump(rho, 1.0 + broad, broad)
        return np.asarray(body + edge, np.float32)

    return Look(profile, 1.3)


LOOKS: dict[str, Callable[[np.random.Generator], Look]] = {
    draw.__name__[1:]: draw
    for draw in (
        _disc, _dot, _spot, _dome, _ring, _shell, _lens, _absorber, _phase, _airy, _droplet, _radial, _blob,
        _hollow, _gel,
    )
}  # fmt: skip
