"""Cross-validation of a tuning: as many tunings as folds, each compared on images that it has not seen."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from beadctl.annotations.sample import Sample
from beadctl.console import Messages
from beadctl.dataset.folds import write_fold
from beadctl.dataset.manifest import read_manifest
from beadctl.evaluation.comparison import Comparison
from beadctl.evaluation.scoring import Score
from beadctl.images import ReadOptions
from beadctl.training.export import ExportOptions
from beadctl.training.preparation import Asked
from beadctl.tuning.folder import FOLDS, RUN, TILES
from beadctl.tuning.steps import Tuned, tuned_on

COLUMNS = ("fold", "images", "beads", "F1@0.5", "Jaccard", "count error")
TITLE = "Cross-validation: tuned model (default model)"


def cross_validated(
    samples: Sequence[Sample],
    asked: Asked,
    options: ExportOptions,
    read: ReadOptions,
    messages: Messages,
    splits: Sequence[Mapping[str, str]],
) -> list[Tuned]:
    """Tune once for each fold, and compare on its test images; each image is tested once.

    Parameters
    ----------
    samples, options, read, messages
        As for `beadctl.tuning.steps.tuned_on`.
    asked : Asked
        The training, with the folder of all tiles, beside which those of the folds are written.
    splits : sequence of mapping
        Those of each fold, as `beadctl.dataset.folds.fold_splits` returns them.

    Raises
    ------
    BeadctlError
        As `beadctl.tuning.steps.tuned_on`.
    """
    found = []
    for number, fold in enumerate(prepared_folds(asked, splits), start=1):
        messages.info(f"fold {number} of {len(splits)}")
        found.append(tuned_on(samples, fold, options, read, messages))
    return found


def prepared_folds(asked: Asked, splits: Sequence[Mapping[str, str]]) -> Iterator[Asked]:
    """Write the tiles of each fold, and yield its training; parameters are those of `cross_validated`."""
    assert asked.tiles is not None
    rows = read_manifest(asked.tiles)
    for number, split in enumerate(splits, start=1):
        folder = asked.tiles.parent / FOLDS / str(number)
        write_fold(rows, split, folder / TILES)
        yield replace(asked, tiles=folder / TILES, out=folder / RUN)


def table(folds: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """Return a row under `COLUMNS` for each fold, and the mean and standard deviation over the folds.

    The figures of the default model are in brackets.
    """
    figures = [(_figures(one.model), _figures(one.default)) for one in folds]
    rows = [
        (str(number), str(len(one.images)), str(one.beads), *map(_text, *values))
        for number, (one, values) in enumerate(zip(folds, figures, strict=True), start=1)
    ]
    tuned, default = (list(zip(*(pair[side] for pair in figures), strict=True)) for side in (0, 1))
    mean = map(_text, map(statistics.fmean, tuned), map(statistics.fmean, default))
    spread = map(_text, map(statistics.stdev, tuned), map(statistics.stdev, default))
    return [*rows, ("mean", "", "", *mean), ("sd", "", "", *spread)]


def _figures(score: Score) -> tuple[float, float, float]:
    return score.instances.f1(0.5), score.pixels.jaccard, score.counts.mape


def _text(tuned: float, default: float) -> str:
    return f"{tuned:.3f} ({default:.3f})"
