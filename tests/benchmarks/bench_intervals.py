"""How often the intervals of counts hold the truth, by look and density of simulated fields.

    python tests/benchmarks/bench_intervals.py [--fields 40] [--seed 61] [--model FILE] [--scenes 0]

For each look, and mean shares of the field that beads cover of 1, 5 and 20 %, fields are drawn whose number
of beads is a Poisson draw about a known mean. A line tells in which share of the fields

- the Poisson interval, and the combined one, hold the mean;
- those by precision and recall, by thresholds, and the field interval hold the number of beads in the field;

and the median width of the combined interval over that of the count of a model without errors. Last come all
fields by density, the chance that looks differ so much if they do not (Pearson's chi2 of the combined
interval), and with --scenes so many scenes of all kinds, whose mean is a draw from what their number
allows (Jeffreys' posterior). A model without figures by density is measured first, on fields of another seed.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from beadctl.counting.detection import Band, combined_interval, detection_interval, field_interval
from beadctl.counting.interval import Interval, poisson_interval
from beadctl.evaluation.bands import Observed, fitted_bands
from beadctl.images import InMemory
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import segment_plane
from beadctl.simulate import Scene, draw_suspension, render, render_suspension
from beadctl.simulate.suspension import KINDS_OF, MOST_COVER

COVERS = (0.01, 0.05, 0.2)
DIAMETERS_PX = (7.0, 24.0)
# Of the model's own figures, where it brings none.
FIT_SEED, FIT_FIELDS = 5151, 600
HEADS = ("look", "density", "fields", "Poisson", "detection", "thresholds", "field", "combined", "width")


@dataclass(frozen=True)
class Judged:
    """Which intervals of a field hold the truth, and the relative width of the combined one."""

    look: str
    density: str
    poisson: bool
    detection: bool
    thresholds: bool
    field: bool
    combined: bool
    width: float


def holds(interval: Interval, truth: float) -> bool:
    """Return whether an interval holds a value."""
    return interval.low <= truth <= interval.high


def judged(look: str, density: str, mean: float, field: Observed, band: Band) -> Judged:
    """Return which intervals of a field hold its mean and its number of beads."""
    detection = detection_interval(field.count, band)
    inside = field_interval(field.count, detection, field.thresholds, band.widening)
    combined = combined_interval(field.count, inside)
    alone = combined_interval(field.count, Interval(field.count, field.count))
    return Judged(
        look,
        density,
        holds(poisson_interval(field.count), mean),
        holds(detection, field.true),
        holds(field.thresholds, field.true),
        holds(Interval(np.floor(inside.low), np.ceil(inside.high)), field.true),
        holds(combined, mean),
        (combined.high - combined.low) / (alone.high - alone.low),
    )


def suspensions(look: str, cover: float, number: int, seed: int, size: int) -> Iterator[tuple[float, Scene]]:
    """Yield fields of a look and their mean numbers of beads."""
    for index in range(number):
        rng = np.random.default_rng([seed, index, list(KINDS_OF).index(look), round(1000 * cover)])
        diameter_px = float(np.exp(rng.uniform(*np.log(DIAMETERS_PX))))
        each = np.pi / 4 * diameter_px**2 / size**2
        count = min(int(rng.poisson(cover / each)), int(MOST_COVER / each))
        yield cover / each, render_suspension(rng, look, count, diameter_px, size)


class Counter:
    """A model that counts fields."""

    def __init__(self, path: Path = DEFAULT_MODEL) -> None:
        self.model = Model(path, "cpu")
        self.options = SegmentOptions.of(self.model.facts)

    def __call__(self, scene: Scene) -> Observed:
        """Count a field, and compare it with its truth."""
        return Observed.of(scene.labels, segment_plane(InMemory(scene.image), self.model, self.options))

    def bands(self, number: int = FIT_FIELDS, size: int = 256) -> tuple[Band, ...]:
        """Return the model's figures by density, or else measure them."""
        if self.model.facts.bands:
            return self.model.facts.bands
        rngs = (np.random.default_rng([FIT_SEED, index]) for index in range(number))
        return fitted_bands([self(draw_suspension(rng, size)) for rng in rngs])


def row(look: str, density: str, fields: Sequence[Judged]) -> str:
    """Return a line of the table: shares of the fields."""
    names = ("poisson", "detection", "thresholds", "field", "combined")
    shares = [f"{np.mean([getattr(one, name) for one in fields]):.3f}" for name in names]
    width = f"{np.median([one.width for one in fields]):.2f}"
    return "| " + " | ".join((look, density, str(len(fields)), *shares, width)) + " |"


def looks_alike(fields: Sequence[Judged]) -> float:
    """Return the p value of the hypothesis that the combined interval holds as often in every look."""
    table = np.array(
        [
            [sum(one.combined == held for one in fields if one.look == look) for held in (True, False)]
            for look in dict.fromkeys(one.look for one in fields)
        ]
    )
    return float(stats.chi2_contingency(table).pvalue) if len(table) > 1 and table.any(axis=0).all() else 1.0


def measured(
    looks: Sequence[str],
    count: Callable[[Scene], Observed],
    bands: Sequence[Band],
    number: int,
    seed: int,
    size: int,
) -> Iterator[Judged]:
    """Yield the fields of all looks and densities that a band holds."""
    for look in looks:
        for cover in COVERS:
            for mean, scene in suspensions(look, cover, number, seed, size):
                field = count(scene)
                if band := field.band_of(bands):
                    yield judged(look, f"{cover:.0%}", mean, field, band)


def kinds(
    number: int, count: Callable[[Scene], Observed], bands: Sequence[Band], seed: int, size: int
) -> Iterator[Judged]:
    """Yield scenes of all kinds, by their layout."""
    for index in range(number):
        rng = np.random.default_rng([seed, index])
        scene = render(rng, size)
        field = count(scene)
        if band := field.band_of(bands):
            layout = str(scene.facts["layout"]) if field.true else "no bead"
            yield judged(
                layout, "doubtful" if field.flagged else "", rng.gamma(field.true + 0.5), field, band
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fields", type=int, default=40, help="of each look and density")
    parser.add_argument("--look", nargs="*", default=list(KINDS_OF), choices=KINDS_OF, dest="looks")
    parser.add_argument("--scenes", type=int, default=0)
    parser.add_argument("--seed", type=int, default=61)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--fit", type=int, default=FIT_FIELDS, help="fields for a model without figures")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    args = parser.parse_args()
    count = Counter(args.model)
    bands = count.bands(args.fit, args.size)
    for band in bands:
        figures = f"precision {band.precision:.3f}, recall {band.recall:.3f}, widening {band.widening:g}"
        print(f"{band}: {figures}, {band.fields} fields", flush=True)
    print(f"\n| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}", flush=True)
    everything: list[Judged] = []
    began = time.monotonic()
    for look in args.looks:
        found = list(measured([look], count, bands, args.fields, args.seed, args.size))
        everything += found
        for density in [f"{cover:.0%}" for cover in COVERS]:
            print(row(look, density, [one for one in found if one.density == density]), flush=True)
        print(row(look, "all", found), flush=True)
        if look == args.looks[0]:
            minutes = (time.monotonic() - began) * len(args.looks) / 60
            print(f"about {minutes:.0f} minutes in all", file=sys.stderr)
    for density in [f"{cover:.0%}" for cover in COVERS]:
        print(row("all", density, [one for one in everything if one.density == density]))
    print(row("all", "all", everything), flush=True)
    print(f"differences between looks: p = {looks_alike(everything):.2f}", flush=True)
    others = list(kinds(args.scenes, count, bands, args.seed, args.size))
    for layout, density in sorted({(one.look, one.density) for one in others}):
        print(row(layout, density, [one for one in others if (one.look, one.density) == (layout, density)]))


if __name__ == "__main__":
    main()
