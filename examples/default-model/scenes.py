"""Render scenes for training without an end: scenes.py OUT SEED [EARLIER].

Each file in OUT is a block of scenes of 384 px: images normalised for the network, then labels. Whoever reads
a block deletes it, which makes room for the next.
EARLIER is a folder with the simulator of an earlier revision, as a package `earlier_simulate`.
"""

import importlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.images import InputName, levels_of
from beadctl.simulate import render
from beadctl.simulate.plan import draw_beads
from beadctl.simulate.sampling import log_uniform, pick
from beadctl.simulate.scene import recorded
from beadctl.simulate.themes import draw_plan, themed_plan

Tile = tuple[NDArray[np.float16], NDArray[np.int16]]

SIZE_PX = 384
BLOCK = 16
DTYPES = np.float16, np.int16
LARGEST = 1e3
INPUT = InputName.LOCAL
# Blocks that wait to be read, of one process.
WAITING = 4
# Weights of what is rendered; without the earlier simulator the others.
SHARES = {"any": 0.62, "spheres": 0.08, "large": 0.04, "earlier": 0.26}
# Shares that are kept: of spheres by layout, of the earlier simulator's scenes by kind.
SPHERES, OTHER_SPHERES = {"satellites": 1.0, "overlapping": 0.6}, 0.3
EARLIER, OTHERS = {"fluorescent": 1.0, "sphere": 1.0}, 0.25


def any_scene(rng: np.random.Generator) -> Any:
    """Render a scene as `beadctl simulate` does."""
    return render(rng, SIZE_PX)


def spheres(rng: np.random.Generator) -> Any:
    """Render spheres of electron microscopy, most of them in front of others."""
    shape = (SIZE_PX, SIZE_PX)
    while True:
        plan = draw_plan(rng, shape)
        wanted = SPHERES.get(plan.arrangement.layout, OTHER_SPHERES)
        if plan.kind == "sphere" and plan.arrangement.count and rng.random() < wanted:
            return recorded(rng, plan, draw_beads(rng, plan, shape), shape)


def large(rng: np.random.Generator) -> Any:
    """Render one to five large beads alone in the field."""
    shape = (SIZE_PX, SIZE_PX)
    plan = themed_plan(rng, "few", shape)
    diameter_px, count = log_uniform(rng, 40, 170), int(rng.integers(1, 6))
    plan = replace(plan, arrangement=replace(plan.arrangement, diameter_px=diameter_px, count=count))
    return recorded(rng, plan, draw_beads(rng, plan, shape), shape)


def earlier(package: Path) -> Callable[[np.random.Generator], Any]:
    """Return what renders the earlier simulator's fluorescent beads, spheres and a part of its others."""
    sys.path.insert(0, str(package))
    simulate = importlib.import_module("earlier_simulate")
    plan = importlib.import_module("earlier_simulate.plan")

    def rendered(rng: np.random.Generator) -> Any:
        while True:
            seed = int(rng.integers(2**62))
            kind = plan.draw_plan(np.random.default_rng(seed), (SIZE_PX, SIZE_PX)).kind
            if rng.random() < EARLIER.get(kind, OTHERS):
                return simulate.render(np.random.default_rng(seed), SIZE_PX)

    return rendered


def tile(image: NDArray[Any], labels: NDArray[Any]) -> Tile:
    """Return an image as the network is trained on it, with its labels."""
    levels = levels_of(image, INPUT.surround)
    # The largest numbers of half precision are far beyond what the network is shown.
    scaled = np.clip(INPUT.normalisation(levels).scaled(image), -LARGEST, LARGEST)
    return scaled.astype(np.float16), labels.astype(np.int16)


def write(tiles: list[Tile], path: Path) -> None:
    """Write a block of tiles, whole or not at all."""
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        for planes in zip(*tiles, strict=True):
            np.stack(planes).tofile(file)
    temporary.rename(path)


def main(out: Path, seed: int, package: Path | None) -> None:
    """Write blocks until the parent process ends."""
    kinds = {"any": any_scene, "spheres": spheres, "large": large}
    kinds |= {"earlier": earlier(package)} if package else {}
    shares = {name: SHARES[name] for name in kinds}
    # The process that trains comes first.
    os.nice(10)
    rng, parent = np.random.default_rng([seed, 0x5EED]), os.getppid()
    paths = [out / f"{seed}-{number}.block" for number in range(WAITING)]
    while os.getppid() == parent:
        if free := [path for path in paths if not path.exists()]:
            scenes = [kinds[pick(rng, shares)](rng) for _ in range(BLOCK)]
            write([tile(scene.image, scene.labels) for scene in scenes], free[0])
        else:
            time.sleep(0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
