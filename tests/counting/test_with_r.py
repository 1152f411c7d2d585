"""All statistics of counts are those of R, on random tables and edge cases; skipped where R is missing."""

import csv
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from beadctl.counting.agreement import agreement
from beadctl.counting.concentration import concentration
from beadctl.counting.dilution import DilutedField, dilution_series
from beadctl.counting.groups import Field, group_statistics, outliers
from beadctl.counting.interval import Interval, poisson_interval
from beadctl.counting.measured import Measured
from beadctl.counting.sizes import Nominal, share_inside, size_histogram, size_statistics

SCRIPT = Path(__file__).with_name("oracle.R")
RNG = np.random.default_rng(21)
COUNTS = (0, 1, 2, 9, 100, 12_345)
SHARES = ((0, 1), (1, 1), (0, 40), (3, 40), (40, 40), (5000, 9000))
# Fields of one size, of several sizes, one that lies far off, with zeros, and two alone.
GROUPS = (
    [(int(n), 1.0) for n in RNG.poisson(40, 8)],
    [(int(n), float(area)) for n, area in zip(RNG.poisson(60, 6), RNG.uniform(0.5, 2, 6), strict=True)],
    [(50, 1.0), (47, 1.0), (55, 1.0), (4, 1.0), (52, 1.0)],
    [(0, 1.0), (0, 1.0), (3, 1.0), (0, 1.0)],
    [(5, 1.0), (15, 1.0)],
)
PAIRS = (
    [(int(n + d), int(n)) for n, d in zip(RNG.poisson(100, 20), RNG.integers(-9, 14, 20), strict=True)],
    [(0, 0), (3, 1), (2, 4), (200, 150)],
    [(8, 9), (12, 10), (9, 9), (30, 33), (14, 0)],
)
SIZES = (RNG.normal(5, 0.4, 200), RNG.lognormal(1, 0.5, 31), np.array([4.0, 5, 5, 5, 6]), np.array([2.0, 3]))


def series(stock, alpha, factors, fields, slope=-1.0):
    """Counts of fields of unlike sizes."""
    found = []
    for factor in factors:
        for area in RNG.uniform(0.7, 1.4, fields):
            mean = stock * area * factor**slope * (RNG.gamma(1 / alpha, alpha) if alpha else 1)
            found.append((factor, int(RNG.poisson(mean)), float(area)))
    return found


SERIES = (
    series(100, 0, (1, 2, 4, 8, 16), 3),
    series(200, 0.25, (1, 4, 16, 64), 5),
    series(300, 0, (1, 2, 4, 8), 2, slope=-0.7),
    [(1, 60, 1.0), (1, 52, 1.0), (10, 6, 1.0), (10, 4, 1.0), (100, 1, 1.0), (100, 0, 1.0)],
)


def write(path, columns, lines):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *lines])


@pytest.fixture(scope="module")
def by_r(tmp_path_factory):
    """What R says of each statistic, in the order of the tables."""
    if not shutil.which("Rscript"):
        pytest.skip("Rscript (r-base-core) is not installed")
    folder = tmp_path_factory.mktemp("r")
    write(folder / "counts.csv", ["count"], [[n] for n in COUNTS])
    write(folder / "shares.csv", ["inside", "all"], SHARES)
    for name, columns, tables in (
        ("groups", ["group", "count", "area"], GROUPS),
        ("pairs", ["pair", "count", "manual"], PAIRS),
        ("sizes", ["set", "diameter"], [[[repr(float(one))] for one in table] for table in SIZES]),
        ("series", ["series", "dilution", "count", "area"], SERIES),
    ):
        lines = [[number, *line] for number, table in enumerate(tables) for line in table]
        write(folder / f"{name}.csv", columns, lines)
    said = subprocess.run(
        ["Rscript", "--vanilla", str(SCRIPT)],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    assert said.returncode == 0, said.stderr
    found = defaultdict(list)
    for name, *values in map(str.split, said.stdout.splitlines()):
        found[name].append([float(value) for value in values])
    return found


def ends(interval):
    return [interval.low, interval.high]


def test_intervals_of_counts_and_shares(by_r):
    assert [ends(poisson_interval(n)) for n in COUNTS] == [pytest.approx(one) for one in by_r["poisson"]]
    for (inside, every), expected in zip(SHARES, by_r["wilson"], strict=True):
        diameters = np.repeat([1.0, 9.0], [inside, every - inside])
        found = share_inside(diameters, Nominal(1.0, 0.1))
        assert ends(found.interval) == pytest.approx(expected, abs=1e-9)


def test_groups(by_r):
    for number, fields in enumerate(GROUPS):
        found = group_statistics([Field(str(k), *field) for k, field in enumerate(fields)])
        counts, areas = np.array(fields, float).T
        assert [found.dispersion, found.dispersion_p] == pytest.approx(by_r["dispersion"][number], rel=1e-9)
        if np.ptp(areas):
            continue
        assert [found.mean, found.sd, found.cv, found.standard_error] == pytest.approx(by_r["mean"][number])
        low, high = by_r["student"][number]
        assert ends(found.interval) == pytest.approx([max(0, low), high])
        assert outliers(counts).tolist() == by_r["outliers"][number]


def test_agreement(by_r):
    for number, pairs in enumerate(PAIRS):
        found = agreement(*zip(*pairs, strict=True))
        assert [found.bias, *ends(found.bias_interval)] == pytest.approx(by_r["bias"][number])
        assert ends(found.limits) == pytest.approx(by_r["limits"][number])
        assert [found.concordance] == pytest.approx(by_r["concordance"][number])
        assert [found.mape] == pytest.approx(by_r["mape"][number])


def test_diameters(by_r):
    for number, diameters in enumerate(SIZES):
        found = size_statistics(diameters)
        figures = [found.mean, found.sd, found.d10, found.d50, found.d90]
        assert figures == pytest.approx(by_r["sizes"][number])
        assert [size_histogram(diameters).beads.size] == by_r["bars"][number]


def test_dilution_series(by_r):
    kinds = set()
    for number, points in enumerate(SERIES):
        found = dilution_series([DilutedField(*point) for point in points])
        *slope, alpha = by_r["slope"][number]
        assert [found.slope, *ends(found.slope_interval)] == pytest.approx(slope, rel=1e-4)
        assert found.alpha == pytest.approx(alpha, rel=1e-3)
        assert [found.stock, *ends(found.stock_interval)] == pytest.approx(by_r["stock"][number], rel=1e-4)
        assert [found.proportional_p] == pytest.approx(by_r["proportional"][number], rel=1e-4)
        assert [found.proportionality_index] == pytest.approx(by_r["index"][number], rel=1e-4)
        assert [found.r2] == pytest.approx(by_r["r2"][number], rel=1e-4)
        assert [found.r2_log] == pytest.approx(by_r["r2_log"][number])
        kinds.add((found.alpha > 0, found.proportional_p < 0.05))
    # Counts of Poisson's and of more scatter, and in proportion or not.
    assert kinds >= {(False, False), (True, False), (False, True)}


def test_concentration(by_r):
    ((value, half),) = by_r["concentration"]
    count = Interval(*stats.norm.interval(0.95, 80, 6))
    stock = concentration(80, count, 4e5, Measured(100, 3), Measured(20, 0.8))
    assert stock.beads_per_ml == pytest.approx(value)
    assert ends(stock.interval) == pytest.approx([value - half, value + half])
