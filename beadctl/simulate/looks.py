"""How a bead looks: radial profiles with random parameters, one drawn for each scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import j1

from beadctl.simulate.drawing import Floats, Profile


@dataclass(frozen=True)
class Look:
    """A bead's appearance in one scene: its profile, its extent in outlines, and its width of edge."""

    name: str
    profile: Profile
    reach: float


def _inside(rho: Floats, softness: Floats) -> Floats:
    """Return a disc with a blurred edge; the logistic stands in for the error function, within 1 %."""
    steepness = 1.7 / np.maximum(softness, 0.02)
    return np.asarray(1.0 / (1.0 + np.exp(np.clip((rho - 1.0) * steepness, -30, 30))), np.float32)


def _hump(rho: Floats, centre: float, width: Floats | float) -> Floats:
    return np.asarray(np.exp(-(((rho - centre) / width) ** 2)), np.float32)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def disc(rng: np.random.Generator) -> Look:
    """Flat disc, a little brighter or darker towards its rim."""
    tilt = _between(rng, -0.25, 0.35)

    def profile(rho: Floats, softness: Floats, _focus: Floats) -> Floats:
        return np.asarray(_inside(rho, softness) * (1.0 - tilt * np.minimum(rho, 1.0) ** 2), np.float32)

    return Look("disc", profile, 1.0)


def dot(rng: np.random.Generator) -> Look:
    """Small disc whose edge is about as wide as itself."""
    width = _between(rng, 0.25, 0.55)

    def profile(rho: Floats, softness: Floats, _focus: Floats) -> Floats:
        return _inside(rho, np.maximum(softness, width))

    return Look("dot", profile, 3.2)


def spot(rng: np.random.Generator) -> Look:
    """Gaussian whose full width at half maximum is the bead's outline."""
    power = _between(rng, 1.7, 2.6)

    def profile(rho: Floats, _softness: Floats, _focus: Floats) -> Floats:
        return np.asarray(np.exp2(-(rho**power)), np.float32)

    return Look("spot", profile, 2.6)


def dome(rng: np.random.Generator) -> Look:
    """Projected volume of a filled sphere: brightest where it is thickest."""
    power = _between(rng, 0.25, 0.6)

    def profile(rho: Floats, _softness: Floats, _focus: Floats) -> Floats:
        return np.asarray(np.maximum(1.0 - rho * rho, 0.0) ** power, np.float32)

    return Look("dome", profile, 1.05)


def ring(rng: np.random.Generator) -> Look:
    """Hollow bead: a ring whose outer half maximum is the outline."""
    width = _between(rng, 0.14, 0.4)
    filling = _between(rng, 0.0, 0.55) * float(rng.random() < 0.6)
    centre = 1.0 - 0.83 * width

    def profile(rho: Floats, softness: Floats, _focus: Floats) -> Floats:
        broad = np.sqrt(width**2 + 0.3 * softness**2)
        rim = _hump(rho, centre, broad)
        return np.asarray(np.maximum(rim, filling * (rho < centre)), np.float32)

    return Look("ring", profile, 1.0 + 1.6 * width)


def shell(rng: np.random.Generator) -> Look:
    """Bead with a bright rim around a dimmer body."""
    base, power = _between(rng, 0.2, 0.7), _between(rng, 2.0, 6.0)

    def profile(rho: Floats, softness: Floats, _focus: Floats) -> Floats:
        return np.asarray(
            _inside(rho, softness) * (base + (1 - base) * np.minimum(rho, 1.1) ** power), np.float32
        )

    return Look("shell", profile, 1.0)


def lens(rng: np.random.Generator) -> Look:
    """Bead that focuses light: a ring (as positive signal), centre and halo of the other sign."""
    width, bright = _between(rng, 0.16, 0.34), _between(rng, 0.5, 1.7)
    core, halo = _between(rng, 0.3, 0.6), _between(rng, 0.0, 0.4)
    spread, varies = _between(rng, 0.12, 0.3), _between(rng, 0.0, 0.8)
    centre = 1.0 - 0.83 * width

    def profile(rho: Floats, softness: Floats, focus: Floats) -> Floats:
        dark = _hump(rho, centre, np.sqrt(width**2 + 0.3 * softness**2))
        light = bright * (1 + varies * focus) * _hump(rho, 0.0, core)
        return np.asarray(dark - light - halo * _hump(rho, 1.15 + spread, spread), np.float32)

    return Look("lens", profile, 1.5 + 2 * spread)


def absorber(rng: np.random.Generator) -> Look:
    """Dark disc (here as positive signal) with a halo of the other sign and often a lit centre."""
    halo, spread = _between(rng, 0.0, 0.45), _between(rng, 0.12, 0.4)
    lit = _between(rng, 0.2, 1.4) * float(rng.random() < 0.6)
    core, rim = _between(rng, 0.15, 0.5), _between(rng, 0.0, 0.4)

    def profile(rho: Floats, softness: Floats, focus: Floats) -> Floats:
        body = _inside(rho, softness) * (1.0 - rim + rim * np.minimum(rho, 1.0) ** 2)
        glow = halo * _hump(rho, 1.05 + spread, spread) * (rho > 0.8)
        return np.asarray(body - glow - lit * (1 + 0.6 * focus) * _hump(rho, 0.0, core), np.float32)

    return Look("absorber", profile, 1.3 + 3 * spread)


def phase(rng: np.random.Generator) -> Look:
    """Phase contrast: a body and a halo of the other sign that fades outwards, perhaps shaded off."""
    halo, fade, inner = _between(rng, 0.3, 1.0), _between(rng, 0.15, 0.5), _between(rng, 0.0, 0.9)

    def profile(rho: Floats, softness: Floats, _focus: Floats) -> Floats:
        body = _inside(rho, softness)
        edge = 1.0 - inner * np.maximum(1.0 - rho, 0.0)
        skirt = np.exp(-np.maximum(rho - 1.0, 0.0) / fade)
        return np.asarray(body * edge - halo * (1.0 - body) * skirt, np.float32)

    return Look("phase", profile, 1.0 + 3.5 * fade)


def airy(rng: np.random.Generator) -> Look:
    """Diffraction rings around a core: the jinc, coherent or squared (Born and Wolf, 8.5.2)."""
    coherent, damping = bool(rng.random() < 0.6), _between(rng, 0.0, 0.35)
    boost = _between(rng, 1.0, 2.5)
    half_maximum = 2.215 if coherent else 1.616

    def profile(rho: Floats, _softness: Floats, _focus: Floats) -> Floats:
        r = np.maximum(rho * half_maximum, 1e-3)
        jinc = 2.0 * j1(r) / r
        field = jinc if coherent else jinc * jinc
        outer = field * np.exp(-damping * np.maximum(rho - 1.5, 0.0) * 2) * boost
        fade = np.clip(5.0 - rho, 0.0, 1.0)
        return np.asarray(np.where(rho < 1.7, field, outer) * fade, np.float32)

    return Look("airy", profile, 5.0)


def droplet(rng: np.random.Generator) -> Look:
    """Clear droplet: a thin outline (as positive signal), perhaps a lit line inside and a faint body."""
    width, inner = _between(rng, 0.07, 0.2), _between(rng, 0.0, 0.8)
    body = _between(rng, -0.25, 0.35)
    centre = 1.0 - 0.83 * width

    def profile(rho: Floats, softness: Floats, _focus: Floats) -> Floats:
        broad = np.sqrt(width**2 + 0.3 * softness**2)
        line = _hump(rho, centre, broad) - inner * _hump(rho, centre - 2.2 * width, width * 1.3)
        return np.asarray(line + body * _inside(rho, softness), np.float32)

    return Look("droplet", profile, 1.0 + 2 * width)


def radial(rng: np.random.Generator) -> Look:
    """Any smooth radial pattern inside, with a definite edge and a few fading rings outside."""
    knots = rng.uniform(-1.0, 1.0, 6)
    # A bead whose edge does not show has no outline to learn.
    knots[-1] = np.sign(knots[-1]) * max(abs(knots[-1]), 0.7)
    ripple, period = _between(rng, 0.0, 0.25), _between(rng, 0.25, 0.7)
    pull, at = _between(rng, 0.15, 0.4), np.linspace(0.0, 1.0, 61)
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

    return Look("radial", profile, 1.0 + 4 * pull)


def blob(rng: np.random.Generator) -> Look:
    """Smooth filled body with soft edge, like a stained nucleus."""
    dome_share = _between(rng, 0.0, 0.45)

    def profile(rho: Floats, softness: Floats, _focus: Floats) -> Floats:
        thick = 1.0 - dome_share * np.minimum(rho, 1.0) ** 2
        return np.asarray(_inside(rho, np.maximum(softness, 0.06)) * thick, np.float32)

    return Look("blob", profile, 1.25)


DRAW: dict[str, Callable[[np.random.Generator], Look]] = {
    "disc": disc,
    "dot": dot,
    "spot": spot,
    "dome": dome,
    "ring": ring,
    "shell": shell,
    "lens": lens,
    "absorber": absorber,
    "phase": phase,
    "airy": airy,
    "droplet": droplet,
    "radial": radial,
    "blob": blob,
}
