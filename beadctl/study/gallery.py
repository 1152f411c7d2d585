"""Pictures of the best and worst tiles of each arm."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.results.formats import overlays
from beadctl.results.html import Picture
from beadctl.study.outcome import Outcome, TileScore, labels
from beadctl.training.measured import answers
from beadctl.training.run_folder import BEST
from beadctl.words import number_of

MOST_ARMS = 8


def pictures(outcomes: Sequence[Outcome], out: Path, tiles: Path | None) -> list[Picture]:
    """Draw the best tile with beads and the worst tile of the best run of the best 8 arms each.

    The left half has the annotation, the right half the result.

    Parameters
    ----------
    outcomes : sequence of Outcome
        All runs.
    out : Path
        Folder of the comparison.
    tiles : Path or None
        Folder of tiles; None for simulated scenes.
    """
    measured = [run for run in outcomes if run.finished and run.tiles]
    best = {run.arm: run for run in sorted(measured, key=lambda run: run.jaccard)}
    names = labels(list(best))
    drawn = []
    for run in sorted(best.values(), key=lambda run: -run.jaccard)[:MOST_ARMS]:
        wanted = _best_and_worst(run.tiles)
        for answer in answers(out / run.folder / BEST, tiles, run.split, "cpu"):
            if answer.name in wanted:
                tile, rank = wanted[answer.name]
                caption = (
                    f"{names[run.arm]}, seed {run.seed}: {rank} {run.split} tile, {tile.image}. Jaccard "
                    f"{tile.jaccard:.3f}; left the annotation ({number_of(tile.true, 'bead')}), "
                    f"right the result ({tile.found})."
                )
                drawn.append(Picture(caption, _side_by_side(answer.image, answer.true, answer.found)))
    return drawn


def _best_and_worst(tiles: Sequence[TileScore]) -> dict[str, tuple[TileScore, str]]:
    """Return the best tile with beads and the worst of all, by name; of equal ones that with more beads."""
    # A tile without beads in which nothing is found shows nothing.
    shown = [tile for tile in tiles if tile.true or tile.jaccard < 1]
    beads = [tile for tile in shown if tile.true]
    best = sorted(beads, key=lambda tile: (-tile.jaccard, -tile.true))[:1]
    # Where all are alike, two of them are shown.
    others = [tile for tile in shown if tile not in best] or shown
    worst = sorted(others, key=lambda tile: (tile.jaccard, -tile.true))[:1]
    ranked = [(tile, "worst") for tile in worst] + [(tile, "best") for tile in best]
    return {tile.image: (tile, rank) for tile, rank in ranked}


def _side_by_side(image: NDArray[Any], true: NDArray[Any], found: NDArray[Any]) -> bytes:
    halves = [overlays.paint(image, instances.astype(np.uint32)) for instances in (true, found)]
    gap = np.full((image.shape[0], 4), overlays.GREYS - 1, np.uint8)
    stream = io.BytesIO()
    overlays.coloured(np.hstack((halves[0], gap, halves[1]))).save(stream, format="PNG", optimize=True)
    return stream.getvalue()
