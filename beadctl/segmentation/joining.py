"""Basins are joined to beads by the joiner of a model file: the likeliest neighbours first."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from beadctl.model.joiner import Joiner
from beadctl.segmentation.basins import Basins
from beadctl.segmentation.regions import Floats, Population, Regions
from beadctl.segmentation.size_prior import SizePrior
from beadctl.segmentation.watershed import Flat

# By how much the log-odds that join are lower and higher where the fewest and the most beads are counted.
LOG_ODDS = 1.0
# Digits of log-odds that count, and borders that are judged at once, which bounds the memory.
DIGITS, AT_ONCE = 6, 2**15


@dataclass(frozen=True, eq=False)
class Joined:
    """The region of each basin, (n,), at the joiner's own odds, and where most and fewest are parted."""

    instance: Flat
    most: Flat
    fewest: Flat


def joined(
    basins: Basins, joiner: Joiner, stated: SizePrior | None = None, *, by_population: bool = True
) -> Joined:
    """Join the basins of a plane.

    First without knowledge of the plane's population, then with that of the regions found.

    Parameters
    ----------
    basins : Basins
        Of the plane.
    joiner : Joiner
        Of the model file.
    stated : SizePrior, optional
        Of a stated diameter: that of the population, and it makes unions likelier that are nearer to it.
    by_population : bool
        Whether regions are compared with those of the plane at all.
    """
    single, least = Regions.of(basins), joiner.least_log_odds
    population = None
    if by_population:
        alone = _log_odds(single, joiner)
        population = _agglomerated(single, joiner, alone, least).population
        if stated:
            diameter_px = stated.diameter_px
            population = replace(population or Population(diameter_px), diameter_px=diameter_px)
    start = _log_odds(single, joiner, population, stated)
    levels = (least, least + LOG_ODDS, least - LOG_ODDS)
    return Joined(
        *(_agglomerated(single, joiner, start, level, population, stated).of_basin for level in levels)
    )


def _agglomerated(
    regions: Regions,
    joiner: Joiner,
    log_odds: Floats,
    least: float,
    population: Population | None = None,
    stated: SizePrior | None = None,
) -> Regions:
    """Join neighbours of the given log-odds, (M,), while those of any reach `least`.

    Regions that are each other's likeliest neighbour are joined, all of the plane at once, and their borders
    judged again. Equals are joined together, so the result depends on no order.
    """
    while True:
        pairs = regions.borders.pairs
        best = np.full(len(regions.height), -np.inf)
        np.maximum.at(best, pairs, log_odds[:, None])
        chosen = (log_odds >= least) & (log_odds >= best[pairs].max(axis=1))
        if not chosen.any():
            return regions
        before, known = regions, log_odds
        regions = regions.joined(chosen)
        log_odds = np.empty(len(regions.borders.pairs))
        again = np.asarray(regions.changed[regions.borders.pairs].any(axis=1), bool)
        log_odds[again] = _log_odds(regions, joiner, population, stated, again)
        log_odds[~again] = _of_pairs(before, known, regions, ~again)


def _log_odds(
    regions: Regions,
    joiner: Joiner,
    population: Population | None = None,
    stated: SizePrior | None = None,
    of: NDArray[np.bool_] | slice = slice(None),
) -> Floats:
    """Return the log-odds of neighbours to be one bead; a stated size adds that of the areas."""
    borders = np.arange(len(regions.borders.pairs))[of]
    log_odds = np.empty(borders.size)
    for start in range(0, borders.size, AT_ONCE):
        rows = borders[start : start + AT_ONCE]
        likely = joiner.perceptron.log_odds(regions.features(population, rows))
        if stated:
            area = regions.sums[regions.borders.pairs[rows], 0]
            likely += stated.oddness(area).mean(axis=1) - stated.oddness(area.sum(axis=1))
        log_odds[start : start + AT_ONCE] = likely
    # Sums of a matrix product differ in the last digit by the place of a row, and equals are joined together.
    return np.round(log_odds, DIGITS)


def _of_pairs(before: Regions, log_odds: Floats, regions: Regions, kept: NDArray[np.bool_]) -> Floats:
    """Return the log-odds before of the borders that remain."""
    size = len(before.height)
    codes = before.borders.pairs @ np.array([size, 1])
    order = np.argsort(codes, kind="stable")
    wanted = regions.borders.pairs[kept] @ np.array([size, 1])
    return np.asarray(log_odds[order[np.searchsorted(codes, wanted, sorter=order)]])
