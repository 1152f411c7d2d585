"""What a stated diameter is worth: none is stated, the true median, and 0.7 and 1.4 times it.

    BEADCTL_DATA=DIR python tests/benchmarks/bench_diameter.py [--set NAME ...] [--scenes 8] [--seed 7000]

Figures are those of `scores.py`. Scenes are those of ``simulate``, with beads of at least 40 px, gels of 100
px; noisy ones are varied scenes with beads of 12 px and more and noise over half of their signal. Of each
real set the first images are taken.
"""

import argparse
import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from unittest import mock

import numpy as np
from bench_rules import Truth
from real_sets import centres_of, diameter_of, grey, sets
from scores import Scores

from beadctl.images import InMemory
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import segment_plane
from beadctl.segmentation.sizes import Diameter
from beadctl.simulate import scene
from beadctl.simulate.themes import themed_plan

REAL = ("powder", "nuclei", "dish_beads")
# Times the true median diameter; 0 for none stated.
STATED = (0.0, 0.7, 1.0, 1.4)


@dataclass(frozen=True)
class Kind:
    """A kind of scenes: theme, edge of the image, least bead, and least noise over signal."""

    theme: str
    edge_px: int
    least_diameter_px: float
    least_noise: float = 0.0


KINDS = {
    "gel": Kind("gel", 1024, 100),
    "hollow": Kind("hollow", 768, 40),
    "packed": Kind("packed", 768, 40),
    "varied": Kind("varied", 768, 40),
    "noisy": Kind("varied", 768, 12, 0.5),
}


def scenes(kind: Kind, seed: int) -> Iterator[tuple[Truth, float]]:
    """Render scenes of a kind without end, each with its median diameter, px."""
    index = 0
    while True:
        with mock.patch.object(scene, "draw_plan", lambda rng, shape: themed_plan(rng, kind.theme, shape)):
            one = scene.render(np.random.default_rng(seed + index), kind.edge_px)
        index += 1
        if one.labels.max() < 3 or float(one.facts["noise_over_signal"]) < kind.least_noise:
            continue
        diameter_px = diameter_of(one.labels)
        if diameter_px >= kind.least_diameter_px:
            centres, tolerance_px = centres_of(one.labels), max(3.0, diameter_px / 2)
            yield Truth(one.image, centres, tolerance_px, one.labels), diameter_px


def real(name: str, data: Path) -> Iterator[tuple[Truth, float]]:
    """Read the images of a set, each with its median diameter, px."""
    for one in sets([name], data)[name]:
        yield Truth(grey(one.path), one.centres, one.tolerance_px, one.labels, one.ignored), one.diameter_px


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = (*KINDS, *REAL)
    parser.add_argument("--set", nargs="*", default=names, dest="sets", choices=names)
    parser.add_argument("--scenes", type=int, default=8, help="scenes of a kind, and images of a set")
    parser.add_argument("--seed", type=int, default=7000)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    args = parser.parse_args()
    model = Model(args.model, "cpu")
    options = SegmentOptions.of(model.facts)
    data = os.environ.get("BEADCTL_DATA", "")
    print("| set | stated diameter | centre F1 | IoU50 F1 | count MAPE |\n|---|---|---|---|---|")
    for name in args.sets:
        if name in REAL and not data:
            continue
        planes = real(name, Path(data)) if name in REAL else scenes(KINDS[name], args.seed)
        known = list(islice(planes, args.scenes))
        for times in STATED:
            labelled = []
            for truth, diameter_px in known:
                diameter = Diameter(times * diameter_px, "px") if times else None
                asked = dataclasses.replace(options, diameter=diameter)
                labelled.append((truth, segment_plane(InMemory(truth.image), model, asked).labels))
            stated = f"{times:g} of the true" if times else "none"
            print(f"| {name} | {stated} | {' | '.join(Scores.of(labelled).cells())} |", flush=True)


if __name__ == "__main__":
    main()
