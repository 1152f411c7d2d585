"""The plan of a scene: kind of image, look and arrangement of its beads."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.simulate.drawing import Beads, Shape, circles
from beadctl.simulate.layout import Arrangement, place, vary
from beadctl.simulate.packing import PACKINGS, pack
from beadctl.simulate.sampling import log_uniform, pick

KINDS = {"fluorescent": 0.33, "transmitted": 0.41, "sphere": 0.18, "nuclear": 0.08}
FLUORESCENT = {"disc": 3, "spot": 3, "dome": 4, "ring": 1.5, "shell": 1, "airy": 1, "radial": 0.5}
TRANSMITTED = {
    "dot": 11, "disc": 1, "absorber": 4, "lens": 4, "phase": 2.5, "airy": 1.5,
    "droplet": 1.5, "radial": 2, "ring": 1.5, "shell": 1, "spot": 1,
}  # fmt: skip
_COMMON = {"singles": 2.5, "overlapping": 1, "chains": 1, "clumps": 2, "heaps": 0.8, "lattice": 1, "mixed": 2}
LAYOUTS: dict[str, dict[str, float]] = {
    "fluorescent": _COMMON | {"heaps": 2},
    "transmitted": _COMMON,
    "sphere": {"singles": 3, "overlapping": 4, "clumps": 1, "lattice": 1, "mixed": 2, "satellites": 3},
    "nuclear": {"singles": 3, "overlapping": 1, "mixed": 1, "clumps": 0.6},
}
# Layouts of fluorescent beads in contact with others.
CLUSTERED: dict[str, float] = {"clumps": 3, "heaps": 3, "chains": 1, "mixed": 1}
# Themes whose beads are placed and varied alike.
VARIED = ("varied", "clusters")
# Soft looks have no edge: beads that overlap or differ much in size would appear as one.
SOFT = ("dot", "spot", "airy")
# Solid looks have a filled outline: blurred beads in contact are still separated by the waist between them.
SOLID = ("disc", "dome", "shell", "absorber", "dot")


@dataclass(frozen=True)
class ScenePlan:
    """Kind, look and arrangement of a scene.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    look : str
        A key of `beadctl.simulate.looks.LOOKS`, or ``sphere``, ``cells`` (foam) or ``yeast``.
    arrangement : Arrangement
        Sizes and positions of the beads.
    melting : bool
        Whether beads in contact are blurred until only a waist separates them.
    theme : str
        A key of `beadctl.simulate.themes.THEMES`.
    second_look, second_share : str and float
        Look of a second population, a key of `LOOKS`, and its share of the beads; none if empty.
    opposite_share : float
        Share of the beads that are bright where the others are dark, or dark where they are bright.
    gain_ratio : float
        Ratio of the brightness of the brightest to that of the faintest bead, log-uniform between them; 1 for
        the usual variation.
    oval : float or None
        Largest aspect ratio minus 1; drawn at random if None.
    blur_px : float or None
        Standard deviation of the blur, px; drawn at random if None.
    covering : bool
        Whether only the largest signal counts where beads meet, see `accumulate`.
    polarity : str
        ``dark`` or ``bright`` beads in transmitted light; drawn at random if empty.
    """

    kind: str
    look: str
    arrangement: Arrangement
    melting: bool
    theme: str = "varied"
    second_look: str = ""
    second_share: float = 0.0
    opposite_share: float = 0.0
    gain_ratio: float = 1.0
    oval: float | None = None
    blur_px: float | None = None
    covering: bool = False
    polarity: str = ""

    @property
    def is_emitting(self) -> bool:
        """Whether beads emit light on a dark background."""
        return self.kind in ("fluorescent", "nuclear")

    @property
    def diameter_px(self) -> float:
        """Median diameter as in the manifest, px."""
        return round(self.arrangement.diameter_px, 2)

    @property
    def closest(self) -> float:
        """Least distance of two centres over the sum of their radii, as in the manifest."""
        return round(self.arrangement.closest, 3)


def varied_plan(rng: np.random.Generator, shape: Shape) -> ScenePlan:
    """Draw the plan of a scene of any kind, look and layout, of a height and width `shape`, px."""
    return _plan(rng, shape, pick(rng, KINDS), LAYOUTS)


def clustered_plan(rng: np.random.Generator, shape: Shape) -> ScenePlan:
    """Draw the plan of a scene of fluorescent beads in clusters, of a height and width `shape`, px."""
    return _plan(rng, shape, "fluorescent", {"fluorescent": CLUSTERED})


def _plan(
    rng: np.random.Generator, shape: Shape, kind: str, layouts: dict[str, dict[str, float]]
) -> ScenePlan:
    look = {"sphere": "sphere", "nuclear": "blob"}.get(kind) or pick(
        rng, FLUORESCENT if kind == "fluorescent" else TRANSMITTED
    )
    arrangement = _arrangement(rng, kind, look, pick(rng, layouts[kind]), shape)
    # A nucleus may be elongated, so that only a sharp outline distinguishes it from two.
    can_melt = look in SOLID and kind != "nuclear" and arrangement.layout not in ("singles", "satellites")
    melting = can_melt and bool(rng.random() < (0.75 if look == "dot" else 0.55))
    if melting:
        # Closer beads show no waist, nor do beads of unequal size; a person would count them as one.
        least = 0.75 if arrangement.layout == "heaps" else 0.5 if look == "dot" else 0.7
        closest = float(rng.uniform(least, 1.0))
        arrangement = replace(arrangement, spread=min(arrangement.spread, 0.08), bimodal=1.0, closest=closest)
    return ScenePlan(kind, look, arrangement, melting)


def _arrangement(rng: np.random.Generator, kind: str, look: str, layout: str, shape: Shape) -> Arrangement:
    # A bead that fills the image shows no outline.
    largest = float(np.clip(0.4 * min(shape), 4.0, 110.0))
    diameter = min(_diameter(rng, kind, look), largest)
    spread = float(rng.choice([rng.uniform(0, 0.03), rng.uniform(0.05, 0.2), rng.uniform(0.2, 0.6)]))
    if kind == "nuclear":
        spread = float(rng.uniform(0.08, 0.25))
    elif kind == "sphere" and rng.random() < 0.5:
        # Diameters of atomised powder are log-normal over more than a decade.
        spread = float(rng.uniform(0.4, 0.8))
    elif rng.random() < 0.45:
        spread = float(rng.uniform(0, 0.05))
    bimodal = float(rng.uniform(1.5, 3.5)) if rng.random() < 0.1 else 1.0
    touching = float(rng.uniform(0.96, 1.1))
    closest = float(rng.uniform(0.72, 0.98)) if layout != "singles" and rng.random() < 0.6 else touching
    if look in SOFT:
        closest, spread = max(closest, 0.92 if look == "dot" else 1.0), min(spread, 0.2)
    area = shape[0] * shape[1]
    cover = log_uniform(rng, 0.003, 0.5) if rng.random() < 0.6 else float(rng.uniform(0.05, 0.6))
    if kind == "sphere":
        cover = float(rng.uniform(0.06, 3.0))
    mean_area = np.pi / 4 * diameter**2 * np.exp(2 * spread**2)
    most = (1200 if kind == "sphere" else 1600) * area / 512**2
    count = max(1, int(min(cover * area / mean_area, most)))
    return Arrangement(count, diameter, spread, bimodal, layout, closest)


def _diameter(rng: np.random.Generator, kind: str, look: str) -> float:
    draw = rng.random()
    if kind == "sphere":
        return log_uniform(rng, 10, 110)
    if kind == "nuclear":
        return log_uniform(rng, 12, 60)
    if draw < (0.8 if look == "dot" else 0.5):
        return log_uniform(rng, 6, 16)
    return log_uniform(rng, 3, 60) if draw < 0.9 else log_uniform(rng, 30, 110)


def draw_beads(rng: np.random.Generator, plan: ScenePlan, shape: Shape) -> Beads:
    """Draw the beads of a scene of a height and width `shape`, px; none in 10 % of the varied ones."""
    kind = plan.kind
    if plan.theme not in VARIED:
        return _themed_beads(rng, plan, shape)
    beads = circles([], [], []) if rng.random() < 0.1 else place(rng, plan.arrangement, shape)
    oval = float(rng.uniform(0.1, 1.4)) if kind == "nuclear" else float(rng.choice([0.0, 0.06, 0.15]))
    rough = 0.0
    if kind == "nuclear" or rng.random() < (0.5 if kind == "sphere" else 0.12):
        rough = float(rng.uniform(0.0, {"nuclear": 0.05, "sphere": 0.04}.get(kind, 0.02)))
    if kind == "sphere" and rng.random() < 0.3:
        oval = float(rng.uniform(0.0, 0.4))
    beads = vary(rng, beads, oval=oval, rough=rough)
    gain = beads.gain
    if plan.look in SOFT or plan.melting:
        gain = np.clip(gain, 0.5, 1.5)
    if plan.melting and rng.random() < 0.6:
        # Equal brightness, so that a darker place is an overlap of several beads.
        gain = np.asarray(gain**0.35, np.float32)
    if kind == "transmitted" and not plan.melting and rng.random() < 0.1:
        # Beads above the focal plane gather light and those below scatter it.
        sign = np.where(rng.random(len(beads)) < rng.uniform(0.2, 0.8), -1.0, 1.0)
        gain = np.asarray(gain * sign, np.float32)
    if kind == "sphere":
        # Spheres of one material are about equally bright, and brighter than the background.
        gain = np.clip(gain, 0.6, 1.5)
    return replace(beads, gain=gain)


def _themed_beads(rng: np.random.Generator, plan: ScenePlan, shape: Shape) -> Beads:
    if plan.arrangement.layout in PACKINGS:
        placed = pack(rng, plan.arrangement, shape)
    else:
        placed = place(rng, plan.arrangement, shape)
    oval = float(rng.choice([0.0, 0.06, 0.15])) if plan.oval is None else plan.oval
    beads = vary(rng, placed, oval=oval, rough=float(rng.uniform(0.0, 0.02)) if rng.random() < 0.15 else 0.0)
    gain: NDArray[np.floating[Any]] = beads.gain
    if plan.gain_ratio != 1.0:
        gain = np.exp(rng.uniform(-0.5, 0.5, len(beads)) * np.log(plan.gain_ratio))
        if rng.random() < 0.5:
            # Two stains or materials: faint and bright beads, none between.
            gain = plan.gain_ratio ** np.where(gain < 1, -0.5, 0.5) * np.clip(beads.gain, 0.8, 1.25)
    elif plan.look in ("cells", "yeast", "gel"):
        gain = np.clip(gain, 0.7, 1.4)
    elif plan.blur_px is not None and plan.blur_px > 0.1 * plan.diameter_px:
        # Next to brighter ones, a faint blurred bead would be no more than a gap.
        gain = np.sqrt(np.clip(gain, 0.4, 1.8))
    if plan.opposite_share:
        gain = gain * np.where(rng.random(len(beads)) < plan.opposite_share, -1.0, 1.0)
    # Packed beads have no space to be larger out of focus.
    softness = np.minimum(beads.softness_px, 0.12 * placed.radius_px + 0.6)
    return replace(
        beads,
        radius_px=placed.radius_px,
        softness_px=np.asarray(softness, np.float32),
        gain=np.asarray(gain, np.float32),
    )
