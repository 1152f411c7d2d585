"""How often the interval of beads per mL holds the truth, on simulated series of known concentration.

    python tests/benchmarks/bench_concentration.py [--series 4] [--fields 3] [--seed 71] [--model FILE]

For each look, stocks are diluted 1, 2, 4 and 8 times, and so many fields of a chamber 100 um deep are drawn
of each dilution. A line tells for a look, or a dilution, in which share of the groups of fields the interval
of the stock's concentration holds it: that by the scatter of the counts alone, and the combined one; then the
mean of found over true concentration. A model without figures by density is measured first, on fields of
another seed.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench_intervals import FIT_FIELDS, Counter

from beadctl.counting.detection import Band, detection_interval, field_interval
from beadctl.counting.measured import Measured
from beadctl.counting.specimen import Specimen
from beadctl.evaluation.bands import Observed
from beadctl.model.session import DEFAULT_MODEL
from beadctl.results.groups import Grouping
from beadctl.results.ledger import Row
from beadctl.simulate import render_suspension
from beadctl.simulate.suspension import KINDS_OF, MOST_COVER

DILUTIONS = (1, 2, 4, 8)
# Share of a field that beads of the stock cover, and their diameter, px.
COVERS, DIAMETERS_PX = (0.05, 0.25), (7.0, 24.0)
PIXEL_UM, DEPTH_UM, SIZE = 0.5, 100.0, 256


@dataclass(frozen=True)
class Group:
    """The fields of one dilution: which intervals hold the concentration, and found over true."""

    look: str
    dilution: int
    scatter: bool
    combined: bool
    ratio: float


def row(name: str, field: Observed, band: Band) -> Row:
    """Return a field's row of counts.csv, as far as groups need it."""
    detection = detection_interval(field.count, band)
    inside = field_interval(field.count, detection, field.thresholds, band.widening)
    return Row(
        name,
        0,
        "",
        "ok",
        field.count,
        pixel_size_um=PIXEL_UM,
        field_area_px=SIZE**2,
        field_area_um2=SIZE**2 * PIXEL_UM**2,
        field_low=inside.low,
        field_high=inside.high,
    )


def series(
    look: str, index: int, fields: int, seed: int, count: Counter, bands: Sequence[Band]
) -> Iterator[Group]:
    """Count the fields of a series, and yield a group for each dilution whose fields all have a band."""
    rng = np.random.default_rng([seed, index, list(KINDS_OF).index(look)])
    diameter_px, cover = (float(np.exp(rng.uniform(*np.log(ends)))) for ends in (DIAMETERS_PX, COVERS))
    each = np.pi / 4 * diameter_px**2 / SIZE**2
    volume_ml = SIZE**2 * PIXEL_UM**2 * DEPTH_UM / 1e12
    stock = cover / each / volume_ml
    for dilution in DILUTIONS:
        rows = []
        for number in range(fields):
            beads = min(int(rng.poisson(cover / each / dilution)), int(MOST_COVER / each))
            field = count(render_suspension(rng, look, beads, diameter_px, SIZE))
            band = field.band_of(bands)
            rows += [row(f"{number}.tif", field, band)] if band else []
        if len(rows) < fields:
            continue
        specimens = {one.image: Specimen(look, float(dilution)) for one in rows}
        (found,) = Grouping(specimens, Measured(DEPTH_UM)).rows(rows)
        alone = [dataclasses.replace(one, field_low=None, field_high=None) for one in rows]
        (scatter,) = Grouping(specimens, Measured(DEPTH_UM)).rows(alone)
        yield Group(
            look,
            dilution,
            scatter.beads_per_ml_low <= stock <= scatter.beads_per_ml_high,
            found.beads_per_ml_low <= stock <= found.beads_per_ml_high,
            found.beads_per_ml / stock,
        )


def line(name: str, groups: Sequence[Group]) -> str:
    """Return a line of the table."""
    shares = (np.mean([getattr(one, what) for one in groups]) for what in ("scatter", "combined", "ratio"))
    return f"| {name} | {len(groups)} | {' | '.join(f'{share:.3f}' for share in shares)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=4, help="of each look")
    parser.add_argument("--fields", type=int, default=3, help="of each dilution")
    parser.add_argument("--look", nargs="*", default=list(KINDS_OF), choices=KINDS_OF, dest="looks")
    parser.add_argument("--seed", type=int, default=71)
    parser.add_argument("--fit", type=int, default=FIT_FIELDS, help="fields for a model without figures")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    args = parser.parse_args()
    count = Counter(args.model)
    bands = count.bands(args.fit)
    print("| groups of | number | by scatter | combined | found / true |\n|---|---|---|---|---|", flush=True)
    everything: list[Group] = []
    began = time.monotonic()
    for look in args.looks:
        found = [
            group
            for index in range(args.series)
            for group in series(look, index, args.fields, args.seed, count, bands)
        ]
        everything += found
        print(line(look, found), flush=True)
        if look == args.looks[0]:
            minutes = (time.monotonic() - began) * len(args.looks) / 60
            print(f"about {minutes:.0f} minutes in all", file=sys.stderr)
    for dilution in DILUTIONS:
        print(line(f"{dilution}x", [one for one in everything if one.dilution == dilution]))
    print(line("all", everything))


if __name__ == "__main__":
    main()
