"""What each rule of the segmentation is worth: all planes again with one rule switched off.

    BEADCTL_DATA=DIR python tests/benchmarks/bench_rules.py [--set NAME ...] [--scenes 60] [--seed 31]

Figures are those of `bench_peers.py`: F1 of centres, F1 at an IoU of a half where outlines are annotated,
mean relative count error. The line of a rule has the differences to all rules on: a positive F1 says that the
planes are better without it. Rules that change nothing have no line. Scenes are those of ``simulate``.
"""

import argparse
import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
from bench_peers import SETS, Labels, Sample, centres_of, diameter_of, grey, hits, sets
from numpy.typing import NDArray

from beadctl.evaluation.metrics import instance_counts
from beadctl.images import InMemory
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.segmentation import artefacts, declump, instances, scale
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane, predict_plane
from beadctl.segmentation.size_prior import SizePrior
from beadctl.simulate import render

SCENE_PX = 400
PREDICTION_RULES = ("scale",)


def _limits(**changed: float) -> Callable[[], contextlib.AbstractContextManager[object]]:
    return lambda: mock.patch.object(instances, "LIMITS", dataclasses.replace(instances.LIMITS, **changed))


OFF: dict[str, Callable[[], contextlib.AbstractContextManager[object]]] = {
    "scale": lambda: mock.patch.object(scale, "FACTORS", (1,)),
    "size prior": lambda: mock.patch.object(SizePrior, "of", return_value=None),
    "size prior (watershed)": lambda: mock.patch.object(
        instances, "SizePrior", mock.Mock(of=mock.Mock(return_value=None))
    ),
    "relaxed": _limits(relaxed=1.0),
    "best": _limits(best=0.0),
    "artefacts": lambda: mock.patch.object(artefacts, "artefacts", lambda _, __, t: np.zeros(len(t), bool)),
    "declump": lambda: mock.patch.object(declump, "declumped", lambda labels, *_: (labels, [])),
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


@dataclass(frozen=True)
class Figures:
    """Scores over planes."""

    centre_f1: float
    iou_f1: float | None
    count_mape: float

    @classmethod
    def of(cls, truths: Sequence[Truth], found: Sequence[Labels]) -> "Figures":
        """Score label images."""
        tp = total = overlap_tp = overlap_total = 0
        errors = []
        for truth, labels in zip(truths, found, strict=True):
            centres = centres_of(labels)
            if truth.ignored is not None and len(centres):
                centres = centres[~truth.ignored[tuple(centres.astype(int).T)]]
            tp += hits(truth.centres, centres, truth.tolerance_px)
            total += len(truth.centres) + len(centres)
            errors.append(abs(len(centres) - len(truth.centres)) / max(len(truth.centres), 1))
            if truth.labels is not None and truth.ignored is None:
                counts = instance_counts(truth.labels.astype(np.uint32), labels)
                overlap_tp += counts.tp[0]
                overlap_total += 2 * counts.tp[0] + counts.fp[0] + counts.fn[0]
        iou_f1 = 2 * overlap_tp / overlap_total if overlap_total else None
        return cls(2 * tp / max(1, total), iou_f1, float(np.mean(errors)))

    def cells(self, base: "Figures | None" = None) -> list[str]:
        """Return the figures, or their differences to others."""
        pairs = [(getattr(self, name), getattr(base, name) if base else 0.0) for name in vars(self)]
        shape = "{:+.3f}" if base else "{:.3f}"
        return ["" if mine is None or other is None else shape.format(mine - other) for mine, other in pairs]


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
        base = Figures.of(planes, labelled)
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
            figures = Figures.of(planes, found)
            if any((a != b).any() for a, b in zip(found, labelled, strict=True)):
                print(f"| {name} | {rule} | {' | '.join(figures.cells(base))} |", flush=True)


if __name__ == "__main__":
    main()
