"""What each rule of the segmentation is worth: all planes again with one rule switched off.

    BEADCTL_DATA=DIR python tests/benchmarks/bench_rules.py [--set NAME ...] [--scenes 60] [--seed 31]

Figures are those of `scores.py`. The line of a rule has the differences to all rules on: a positive F1 says
that the planes are better without it. Rules that change nothing have no line. Scenes are those of
``simulate``.
"""

import argparse
import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from real_sets import SETS, Labels, Sample, centres_of, diameter_of, grey, sets
from scores import Scores

from beadctl.images import InMemory
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.segmentation import artefacts, half_contrast, instances, objects, scale
from beadctl.segmentation.holes import Holes, holes_of
from beadctl.segmentation.instances import Found, find_beads
from beadctl.segmentation.joining import joined
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane
from beadctl.segmentation.prediction import predict_plane
from beadctl.simulate import render

SCENE_PX = 400
PREDICTION_RULES = ("scale",)


def _limits(module: Any, **changed: Any) -> Callable[[], contextlib.AbstractContextManager[object]]:
    return lambda: mock.patch.object(module, "LIMITS", dataclasses.replace(module.LIMITS, **changed))


def _by_rise(*maps: Any, join_by: Any, **numbers: Any) -> Found:
    return find_beads(*maps, **numbers)


def _open_holes(*arguments: Any) -> Holes:
    holes = holes_of(*arguments)
    return dataclasses.replace(holes, owner=np.zeros_like(holes.owner))


OFF: dict[str, Callable[[], contextlib.AbstractContextManager[object]]] = {
    "scale": lambda: mock.patch.object(scale, "FACTORS", (1,)),
    "joiner": lambda: mock.patch.object(instances, "find_beads", _by_rise),
    "population": lambda: mock.patch.object(
        instances,
        "joined",
        lambda basins, joiner, stated=None, **_: joined(basins, joiner, stated, by_population=False),
    ),
    "relaxed": _limits(instances, relaxed=1.0),
    "holes": lambda: mock.patch.object(instances, "holes_of", _open_holes),
    "artefacts": lambda: mock.patch.object(artefacts, "artefacts", lambda _, __, t: np.zeros(len(t), bool)),
    "half contrast": lambda: mock.patch.object(half_contrast, "at_half_contrast", lambda labels, *_: labels),
    "classifier": lambda: mock.patch.object(
        objects, "judged", lambda _, __, t, *___: objects.Judged(np.zeros(len(t), bool))
    ),
}


@dataclass(frozen=True)
class Truth:
    """A plane and what is true of it."""

    image: NDArray[np.generic]
    centres: NDArray[np.float64]
    tolerance_px: float
    labels: Labels | None
    ignored: NDArray[np.bool_] | None = None


def truths(samples: Sequence[Sample]) -> Iterator[Truth]:
    """Read the images of a set."""
    for one in samples:
        yield Truth(grey(one.path), one.centres, one.tolerance_px, one.labels, one.ignored)


def scenes(count: int, seed: int) -> Iterator[Truth]:
    """Render simulated scenes."""
    for index in range(count):
        scene = render(np.random.default_rng([seed, index]), SCENE_PX)
        tolerance_px = max(3.0, diameter_of(scene.labels) / 2) if scene.labels.any() else 3.0
        yield Truth(scene.image, centres_of(scene.labels), tolerance_px, scene.labels)


def main() -> None:
    """Print a table for each set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", nargs="*", default=SETS, dest="sets", choices=SETS)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    args = parser.parse_args()
    model = Model(args.model, "cpu")
    options = SegmentOptions.of(model.facts)
    data: dict[str, list[Truth]] = {}
    if args.scenes:
        data["scenes"] = list(scenes(args.scenes, args.seed))
    if "BEADCTL_DATA" in os.environ:
        data |= {
            name: list(truths(one)) for name, one in sets(args.sets, Path(os.environ["BEADCTL_DATA"])).items()
        }
    print("| set | without | centre F1 | IoU50 F1 | count MAPE |\n|---|---|---|---|---|")
    for name, planes in data.items():
        predicted = [predict_plane(InMemory(one.image), model, options).unlabelled for one in planes]
        labelled = [
            label_plane(maps, one.image, options).labels for maps, one in zip(predicted, planes, strict=True)
        ]
        base = Scores.of(zip(planes, labelled, strict=True))
        print(f"| {name} | (all rules) | {' | '.join(base.cells())} |", flush=True)
        for rule, off in OFF.items():
            with off():
                maps = predicted
                if rule in PREDICTION_RULES:
                    maps = [
                        predict_plane(InMemory(one.image), model, options) if known.shrink > 1 else known
                        for known, one in zip(predicted, planes, strict=True)
                    ]
                found = [
                    label_plane(known, one.image, options).labels
                    for known, one in zip(maps, planes, strict=True)
                ]
            scores = Scores.of(zip(planes, found, strict=True))
            if any((a != b).any() for a, b in zip(found, labelled, strict=True)):
                print(f"| {name} | {rule} | {' | '.join(scores.cells(base))} |", flush=True)


if __name__ == "__main__":
    main()
