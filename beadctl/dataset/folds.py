"""Folds for cross-validation: the tiles of a folder, divided among splits by source image in several ways."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from beadctl.dataset.manifest import COLUMNS, MANIFEST, TileRow
from beadctl.dataset.splitting import group_names
from beadctl.errors import SettingsError
from beadctl.files import write_csv
from beadctl.words import form, number_of

# Fewer would leave no image for each of training, validation and test.
FEWEST = 3


def fold_splits(
    rows: Sequence[TileRow], count: int, *, seed: int = 0, group_by: str | None = None
) -> list[dict[str, str]]:
    """Return the split of each source image, ``train``, ``val`` or ``test``, for each of several folds.

    The images are dealt to as many parts, by their density so that each part has sparse and dense ones. Each
    part is the test images of one fold and the validation images of another: every image is tested once, by a
    model that was neither trained nor chosen on it.

    Parameters
    ----------
    rows : sequence of TileRow
        All tiles.
    count : int
        Number of folds, at least 3.
    seed : int
        Of the choice among images of similar density.
    group_by : str, optional
        As `beadctl.dataset.tiling.TilingOptions.group_by`: images of a group stay together.

    Raises
    ------
    SettingsError
        If there are fewer images, or groups of them, with beads than folds.

    Examples
    --------
    >>> tile = TileRow("train", Path("a.tif"), Path("m.tif"), "a", 0, 0, 64, 64, 5, 0, 1, 2, "")
    >>> rows = [replace(tile, source=name) for name in "abc"]
    >>> [sorted(split.items()) for split in fold_splits(rows, 3)][0]
    [('a', 'train'), ('b', 'test'), ('c', 'val')]
    """
    if count < FEWEST:
        raise SettingsError(f"--folds {count}: give at least {FEWEST}, for training, validation and test")
    beads, pixels = dict[str, int](), dict[str, int]()
    for row in rows:
        beads[row.source] = beads.get(row.source, 0) + row.beads
        pixels[row.source] = pixels.get(row.source, 0) + row.height * row.width
    groups = group_names(list(beads), group_by)
    density = {
        group: sum(beads[name] for name in names) / sum(pixels[name] for name in names)
        for group, names in groups.items()
    }
    with_beads = sum(value > 0 for value in density.values())
    if with_beads < count:
        kinds = ("image", "images") if group_by is None else ("group of images", "groups of images")
        only = f"only {number_of(with_beads, *kinds)} {form(with_beads, 'has', 'have')} beads"
        remedy = "give fewer folds" if with_beads >= FEWEST else "annotate more, or leave --folds out"
        raise SettingsError(f"--folds {count}: {only}; {remedy}")
    rng = np.random.default_rng(seed)
    ranked = sorted(groups, key=lambda group: -density[group])
    part: dict[str, int] = {}
    for start in range(0, len(ranked), count):
        block = ranked[start : start + count]
        part |= dict(zip(block, rng.permutation(count).tolist(), strict=False))
    return [
        {name: _split((part[group] - fold) % count) for group, names in groups.items() for name in names}
        for fold in range(count)
    ]


def _split(place: int) -> str:
    return {0: "test", 1: "val"}.get(place, "train")


def write_fold(rows: Sequence[TileRow], splits: Mapping[str, str], folder: Path) -> None:
    """Write a folder of tiles that holds no tiles: its manifest names those of another, with other splits.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    cells = []
    for row in rows:
        values = {name: getattr(replace(row, split=splits[row.source]), name) for name in COLUMNS}
        paths = {name: Path(os.path.relpath(values[name], folder)).as_posix() for name in ("image", "mask")}
        cells.append(values | paths)
    write_csv(folder / MANIFEST, COLUMNS, cells)
