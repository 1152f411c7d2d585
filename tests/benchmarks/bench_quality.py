"""How well the quality flags tell wrong counts from right ones, on real images and simulated scenes.

    BEADCTL_DATA=DIR python tests/benchmarks/bench_quality.py [--set NAME ...] [--scenes 100] [--seed 41]

A count is wrong if it is off by over a fifth, and right if it is within a twentieth; one bead more or less is
always right. Of dish_beads, whose masks draw some clumps as one bead, these count neither way. For each set:
planes that are wrong and of these flagged, planes that are right and of these flagged. Then, over all sets,
the same for other limits of the doubt; and how many planes of a doubt are wrong, which should be its share.
"""

import argparse
import dataclasses
import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench_rules import Truth, scenes, truths
from real_sets import SETS, sets
from scipy import ndimage
from scores import scored_centres
from skimage import measure

from beadctl.images import InMemory
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import segment_plane
from beadctl.segmentation.quality import LIMITS

WRONG, RIGHT = 0.2, 0.05
STEPS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
# Sets whose masks draw some clumps as one bead.
MERGED = ("dish_beads",)
# An annotated region is a clump where it is that much larger than the median one and so little convex.
CLUMP_AREA, CLUMP_SOLIDITY = 1.5, 0.9
OTHER_LIMITS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7)


@dataclass(frozen=True)
class Judged:
    """A plane's true count, the one found, and the doubt about it."""

    true: int
    found: int
    doubt: float

    @property
    def error(self) -> float:
        """Relative count error; 0 for one bead more or less."""
        off = abs(self.found - self.true)
        return off / max(self.true, 1) if off > 1 else 0.0


def without_clumps(truth: Truth) -> Truth:
    """Return a plane whose annotated clumps, and what is found there, are not scored."""
    assert truth.labels is not None
    regions = measure.regionprops(truth.labels)
    typical = np.median([one.area for one in regions])
    clumps = [one for one in regions if one.area > CLUMP_AREA * typical and one.solidity < CLUMP_SOLIDITY]
    if not clumps:
        return truth
    there = np.isin(truth.labels, [one.label for one in clumps])
    beads = [one.centroid for one in regions if one not in clumps]
    ignored = ndimage.binary_dilation(there, iterations=3)
    return dataclasses.replace(truth, centres=np.array(beads).reshape(-1, 2), ignored=ignored)


def judged(truth: Truth, model: Model, options: SegmentOptions) -> Judged:
    """Count the beads of a plane; beads that are not scored count neither way."""
    found = segment_plane(InMemory(truth.image), model, options)
    return Judged(len(truth.centres), len(scored_centres(truth, found.labels)), found.doubt)


def shares(planes: list[Judged], limit: float) -> str:
    """Return cells: wrong planes, flagged ones of these, right planes, flagged ones of these."""
    cells = []
    for group in (
        [one for one in planes if one.error > WRONG],
        [one for one in planes if one.error <= RIGHT],
    ):
        flagged = sum(one.doubt >= limit for one in group)
        cells += [str(len(group)), f"{flagged} ({flagged / len(group):.2f})" if group else ""]
    return " | ".join(cells)


def wrong_of(planes: list[Judged]) -> str:
    """Return cells: number of planes, their mean doubt, and the share of wrong ones."""
    doubt, wrong = np.mean([(one.doubt, one.error > WRONG) for one in planes], axis=0)
    return f"{len(planes)} | {doubt:.2f} | {wrong:.2f}"


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", nargs="*", default=SETS, dest="sets", choices=SETS)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=41)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    args = parser.parse_args()
    model = Model(args.model, "cpu")
    options = SegmentOptions.of(model.facts)
    data = {"scenes": list(scenes(args.scenes, args.seed))} if args.scenes else {}
    if "BEADCTL_DATA" in os.environ:
        chosen = sets(args.sets, Path(os.environ["BEADCTL_DATA"]))
        data |= {name: list(truths(samples)) for name, samples in chosen.items()}
        data |= {name: [without_clumps(one) for one in data[name]] for name in MERGED if name in data}
    everything: list[Judged] = []
    print("| set | wrong | flagged | right | flagged |\n|---|---|---|---|---|")
    for name, planes in data.items():
        found = [judged(plane, model, options) for plane in planes]
        everything += found
        print(f"| {name} | {shares(found, LIMITS.doubt)} |", flush=True)
    print("\n| limit | wrong | flagged | right | flagged |\n|---|---|---|---|---|")
    for limit in sorted({*OTHER_LIMITS, LIMITS.doubt}):
        print(f"| {limit:.2f} | {shares(everything, limit)} |")
    print("\n| doubt | planes | mean doubt | wrong |\n|---|---|---|---|")
    for low, high in itertools.pairwise(STEPS):
        if within := [one for one in everything if low <= one.doubt < high]:
            print(f"| {low:.2f} to {high:.2f} | {wrong_of(within)} |")


if __name__ == "__main__":
    main()
