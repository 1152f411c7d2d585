"""The theme of a scene: varied beads, or one of the situations that need beads of their own."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from beadctl.simulate.dirt import dirt_plan
from beadctl.simulate.drawing import Shape
from beadctl.simulate.layout import Arrangement
from beadctl.simulate.plan import ScenePlan, clustered_plan, varied_plan
from beadctl.simulate.sampling import log_uniform, pick
from beadctl.simulate.supports import support_plan

# Looks that have a filled outline; an outline only; and those of beads packed in transmitted light.
_FILLED = {"disc": 3, "dome": 3, "shell": 1.5, "blob": 1}
_PACKED_EMITTING = _FILLED | {"ring": 1.5, "hollow": 0.6, "spot": 0.7}
_PACKED_TRANSMITTED = {
    "disc": 3, "absorber": 3, "lens": 3, "dome": 1, "shell": 1,
    "droplet": 1.5, "ring": 1, "hollow": 1, "radial": 0.5,
}  # fmt: skip
_THIN = ("ring", "hollow", "droplet", "lens", "radial", "gel")
# Beads whose soft edges may be joined by their maximum: profiles without a negative part.
_POSITIVE = ("disc", "dome", "shell", "blob", "ring", "spot")


def draw_plan(rng: np.random.Generator, shape: Shape) -> ScenePlan:
    """Draw the plan of a scene of a height and width `shape`, px."""
    return themed_plan(rng, pick(rng, {name: share for name, (share, _) in THEMES.items()}), shape)


def themed_plan(rng: np.random.Generator, theme: str, shape: Shape) -> ScenePlan:
    """Draw the plan of a scene of a theme, a key of `THEMES`, of a height and width `shape`, px."""
    return replace(THEMES[theme][1](rng, shape), theme=theme)


def _diameter(rng: np.random.Generator, shape: Shape, low: float, high: float) -> float:
    """Draw a diameter, px, of at most half the shorter edge."""
    high = max(3.0, min(high, 0.5 * min(shape)))
    return log_uniform(rng, min(low, high), high)


def _packing(
    rng: np.random.Generator, shape: Shape, diameter: float, closest: float, layout: str, spread: float
) -> Arrangement:
    """Return a layer that fills the image: beads at a least distance of `closest` sums of their radii."""
    if layout == "crystal":
        spread = min(spread, 0.06)
    # Disordered discs fill at most 0.84 of the plane; beads too close to others are left out.
    cover = float(rng.uniform(0.72, 0.98)) / closest**2
    margin = 4 * diameter
    area = (shape[0] + margin) * (shape[1] + margin)
    bimodal = float(rng.uniform(1.3, 2.2)) if layout == "packed" and rng.random() < 0.2 else 1.0
    mean_area = np.pi / 4 * diameter**2 * np.exp(2 * spread**2) * (1 + 0.35 * (bimodal**2 - 1))
    count = max(1, int(cover * area / mean_area))
    return Arrangement(count, diameter, spread, bimodal, layout, closest)


def _gap(rng: np.random.Generator) -> float:
    """Draw the pitch of packed beads over their diameter: in contact, a thin line apart, or well apart."""
    gap = float(rng.choice([rng.uniform(-0.04, 0.03), rng.uniform(0.02, 0.12), rng.uniform(0.1, 0.25)]))
    return 1.0 / (1.0 - gap)


def _packed(rng: np.random.Generator, shape: Shape) -> ScenePlan:
    """Layers of beads that fill the image: crystals and disordered packings of all kinds."""
    kind = pick(rng, {"fluorescent": 0.45, "transmitted": 0.48, "sphere": 0.07})
    diameter = _diameter(rng, shape, 7, 25) if rng.random() < 0.7 else _diameter(rng, shape, 5, 60)
    layout = pick(rng, {"crystal": 0.5, "packed": 0.5})
    spread = float(rng.uniform(0.0, 0.05 if layout == "crystal" or rng.random() < 0.5 else 0.2))
    # Disordered beads have gaps anyway.
    closest = _gap(rng) if layout == "crystal" else _gap(rng) ** 0.4
    if kind == "sphere":
        arrangement = _packing(rng, shape, max(diameter, 14.0), max(closest, 0.98), layout, spread)
        return ScenePlan(kind, "sphere", arrangement, melting=False)
    look = pick(rng, _PACKED_EMITTING if kind == "fluorescent" else _PACKED_TRANSMITTED)
    second, share = "", 0.0
    if kind == "transmitted" and rng.random() < 0.25:
        # Opaque beads among clear ones.
        look, second = (
            pick(rng, {"lens": 2, "droplet": 1, "hollow": 1}),
            pick(rng, {"disc": 2, "absorber": 1}),
        )
        share = float(rng.uniform(0.05, 0.6))
    if look in ("spot", "radial"):
        closest = max(closest, 1.1)
    covering = not second and look in _POSITIVE and rng.random() < 0.6
    arrangement = _packing(rng, shape, diameter, closest, layout, spread)
    # A wider blur would remove the waists between beads in contact.
    most = (0.09 if look in _THIN else 0.2) * diameter * min(closest, 1.2)
    blur = max(0.3, float(rng.uniform(0.02 * diameter, most)))
    return ScenePlan(
        kind,
        look,
        arrangement,
        False,
        second_look=second,
        second_share=share,
        covering=covering,
        blur_px=blur,
    )


def _polarities(rng: np.random.Generator, shape: Shape) -> ScenePlan:
    """Dark and bright beads on a grey background."""
    look = pick(rng, _FILLED | {"absorber": 1, "dot": 1.5, "spot": 1, "ring": 0.7, "shell": 1})
    diameter = _diameter(rng, shape, 7, 40)
    layout = pick(rng, {"singles": 3, "mixed": 2, "clumps": 1, "packed": 0.5, "crystal": 0.5})
    closest = float(rng.uniform(1.0, 1.2))
    if layout in ("packed", "crystal"):
        arrangement = _packing(rng, shape, diameter, closest, layout, 0.03)
    else:
        arrangement = _scattered(rng, shape, diameter, layout, closest, float(rng.uniform(0.0, 0.2)))
    share = float(rng.uniform(0.15, 0.5))
    return ScenePlan("transmitted", look, arrangement, False, opposite_share=share)


def _scattered(
    rng: np.random.Generator, shape: Shape, diameter: float, layout: str, closest: float, spread: float
) -> Arrangement:
    # Of large beads, fewer than a handful would be visible.
    cover = log_uniform(rng, 0.02 if diameter < 40 else 0.1, 0.6)
    count = max(2, int(cover * shape[0] * shape[1] / (np.pi / 4 * diameter**2 * np.exp(2 * spread**2))))
    return Arrangement(min(count, 1500), diameter, spread, 1.0, layout, closest)


def _foam(rng: np.random.Generator, shape: Shape) -> ScenePlan:
    """Foam, emulsion or tissue: cells that share walls."""
    diameter = _diameter(rng, shape, 12, 80)
    spread = float(rng.uniform(0.0, 0.3))
    arrangement = _packing(rng, shape, diameter, 1.0, "packed", spread)
    kind = pick(rng, {"fluorescent": 0.5, "transmitted": 0.5})
    blur = float(rng.uniform(0.4, 1.2))
    return ScenePlan(kind, "cells", arrangement, False, blur_px=blur)


def _hollow(rng: np.random.Generator, shape: Shape) -> ScenePlan:
    """Droplets and hollow beads with thin or thick walls, up to large sizes, alone and packed."""
    kind = pick(rng, {"fluorescent": 0.35, "transmitted": 0.65})
    layout = pick(rng, {"singles": 2, "mixed": 2, "clumps": 1, "packed": 2, "crystal": 0.7})
    spread, closest = float(rng.uniform(0.0, 0.35)), float(rng.uniform(0.98, 1.1))
    diameter = _diameter(rng, shape, 18, 150)
    if layout in ("packed", "crystal"):
        arrangement = _packing(rng, shape, diameter, closest, layout, spread)
    else:
        arrangement = _scattered(rng, shape, diameter, layout, closest, spread)
    look = pick(rng, {"hollow": 4, "droplet": 1, "ring": 1})
    blur = min(float(rng.uniform(0.4, 1.5)), 0.06 * diameter)
    return ScenePlan(kind, look, arrangement, False, blur_px=blur)


def _gel(rng: np.random.Generator, shape: Shape) -> ScenePlan:
    """Large transparent beads with texture and specks inside, which are no beads."""
    diameter = _diameter(rng, shape, 50, 200)
    layout = pick(rng, {"singles": 3, "clumps": 1, "packed": 1})
    spread, closest = float(rng.uniform(0.0, 0.15)), float(rng.uniform(0.97, 1.1))
    if layout == "packed":
        arrangement = _packing(rng, shape, diameter, closest, layout, spread)
    else:
        arrangement = _scattered(rng, shape, diameter, layout, closest, spread)
    kind = pick(rng, {"fluorescent": 0.2, "transmitted": 0.8})
    return ScenePlan(kind, "gel", arrangement, False, blur_px=float(rng.uniform(0.4, 1.5)))


def _heaps(rng: np.random.Generator, shape: Shape) -> ScenePlan:
    """Beads heaped in several layers: their light adds up, and only a maximum shows each of them."""
    diameter = _diameter(rng, shape, 7, 18) if rng.random() < 0.75 else _diameter(rng, shape, 6, 45)
    layout = pick(rng, {"heaps": 3, "packed": 1})
    closest, spread = float(rng.uniform(0.7, 0.95)), float(rng.uniform(0.0, 0.1))
    if layout == "packed":
        arrangement = _packing(rng, shape, diameter, closest, layout, spread)
    else:
        count = int(rng.uniform(0.08, 0.9) * shape[0] * shape[1] / (closest * diameter) ** 2)
        # `place` presses the beads of a heap closer together by 0.85.
        arrangement = Arrangement(min(max(count, 3), 1500), diameter, spread, 1.0, layout, closest / 0.85)
    kind = pick(rng, {"fluorescent": 0.85, "transmitted": 0.15})
    # The closer the beads, the sharper they must be to show as maxima.
    blur = diameter * float(rng.uniform(0.08, 0.25)) * min(1.0, closest / 0.85) ** 2
    look = pick(rng, _FILLED | ({"spot": 1} if kind == "fluorescent" else {"absorber": 1}))
    return ScenePlan(kind, look, arrangement, True, blur_px=max(0.4, blur))


def _unequal(rng: np.random.Generator, shape: Shape) -> ScenePlan:
    """Beads in contact, some of them 3 to 10 times as bright as others."""
    kind = pick(rng, {"fluorescent": 0.75, "transmitted": 0.25})
    look = pick(rng, _FILLED | {"ring": 0.5, "absorber": 0.7 if kind == "transmitted" else 0.0})
    layout = pick(rng, {"clumps": 3, "heaps": 1, "lattice": 1, "mixed": 1, "packed": 1, "crystal": 1})
    diameter, closest = _diameter(rng, shape, 8, 70), float(rng.uniform(0.97, 1.08))
    if layout in ("packed", "crystal"):
        arrangement = _packing(rng, shape, diameter, closest, layout, 0.05)
    else:
        arrangement = _scattered(rng, shape, diameter, layout, closest, float(rng.uniform(0.0, 0.15)))
    # The light of a bright bead must not cover a faint neighbour.
    blur = max(0.3, diameter * float(rng.uniform(0.01, 0.06)))
    ratio = log_uniform(rng, 3, 10)
    return ScenePlan(
        kind, look, arrangement, False, gain_ratio=ratio, blur_px=blur, covering=look in _POSITIVE
    )


def _few(rng: np.random.Generator, shape: Shape) -> ScenePlan:
    """Two to six beads in a large empty field."""
    kind = pick(rng, {"fluorescent": 0.5, "transmitted": 0.5})
    look = pick(
        rng, _FILLED | ({"spot": 1} if kind == "fluorescent" else {"absorber": 2, "dot": 3, "lens": 1})
    )
    arrangement = Arrangement(
        int(rng.integers(2, 7)),
        _diameter(rng, shape, 7, 20),
        float(rng.uniform(0.0, 0.05)),
        1.0,
        "singles",
        1.0,
    )
    return ScenePlan(kind, look, arrangement, False)


def _yeast(rng: np.random.Generator, shape: Shape) -> ScenePlan:
    """Cells in phase contrast: slightly oval dark bodies with bright halos and bright narrow gaps."""
    diameter = _diameter(rng, shape, 15, 50)
    layout = pick(rng, {"heaps": 3, "clumps": 2, "mixed": 2, "packed": 1})
    spread, closest = float(rng.uniform(0.05, 0.3)), float(rng.uniform(0.98, 1.08))
    if layout == "packed":
        arrangement = _packing(rng, shape, diameter, closest, layout, spread)
    else:
        arrangement = _scattered(rng, shape, diameter, layout, closest, spread)
    oval, blur = float(rng.uniform(0.0, 0.4)), float(rng.uniform(0.4, 1.2))
    return ScenePlan("transmitted", "yeast", arrangement, False, oval=oval, blur_px=blur, polarity="dark")


# Weight of each theme among all scenes, and the function that draws its plan.
THEMES: dict[str, tuple[float, Callable[[np.random.Generator, Shape], ScenePlan]]] = {
    "varied": (0.26, varied_plan),
    "clusters": (0.06, clustered_plan),
    "heaps": (0.16, _heaps),
    "packed": (0.11, _packed),
    "polarities": (0.04, _polarities),
    "foam": (0.03, _foam),
    "hollow": (0.05, _hollow),
    "gel": (0.03, _gel),
    "unequal": (0.04, _unequal),
    "few": (0.03, _few),
    "yeast": (0.02, _yeast),
    "support": (0.1, support_plan),
    "dirt": (0.13, dirt_plan),
}
