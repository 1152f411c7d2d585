"""Assignment of source images to training, validation and test."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from beadctl.dataset.tiling import TilingOptions
from beadctl.errors import SettingsError


def shares(options: TilingOptions) -> dict[str, float]:
    """Return the share of the images of each split.

    Raises
    ------
    SettingsError
        If nothing is left for training.
    """
    val, test = options.val_fraction, options.test_fraction
    if val + test >= 1:
        raise SettingsError(
            f"--val-fraction {val:g} and --test-fraction {test:g} (tile.val_fraction, tile.test_fraction) "
            "leave nothing to train on; lower one of them"
        )
    return {"train": 1 - val - test, "val": val, "test": test}


def group_names(names: Sequence[str], expression: str | None) -> dict[str, list[str]]:
    """Return the sorted names by group: the first group or whole match of an expression, else the name.

    The name stands too where the group takes no part in the match, as that of ``(x)?``.

    Raises
    ------
    SettingsError
        If the expression is malformed.
    """
    try:
        pattern = re.compile(expression) if expression else None
    except re.error as error:
        raise SettingsError(f"--group-by '{expression}': not a regular expression ({error})") from None
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        match = pattern.search(name) if pattern else None
        group: str | None = match.group(1 if match.re.groups else 0) if match else None
        groups.setdefault(name if group is None else group, []).append(name)
    return groups


def split_sources(
    names: Sequence[str],
    options: TilingOptions,
    density: Mapping[str, float] | None = None,
    held: Sequence[str] = (),
) -> dict[str, str]:
    """Return the split of each source image, ``train``, ``val`` or ``test``, by its name.

    Groups are ordered by bead density, shuffled among neighbours, and each goes as a whole to the split that
    is furthest below its share of those before and this one: the fractions are met as nearly as whole groups
    allow, and each split gets sparse and dense images. Training gets the first group, and of three or more
    every split with a fraction gets one. Groups without beads come last, so that no split is without beads if
    enough groups have some.

    Parameters
    ----------
    names : sequence of str
        Source images.
    options : TilingOptions
        Fractions, groups and seed.
    density : mapping, optional
        Beads per pixel of each image, by its name; without it the order is random.
    held : sequence of str
        Splits that have parts of another image, which is divided among them.

    Raises
    ------
    SettingsError
        If the fractions leave nothing for training, or the expression is malformed.

    Examples
    --------
    >>> split_sources(["a.tif", "b.tif", "c.tif"], TilingOptions(256, 32, 0.3, 0.3, seed=0))
    {'c.tif': 'train', 'a.tif': 'val', 'b.tif': 'test'}
    """
    groups, wanted = group_names(names, options.group_by), shares(options)
    needed = [split for split, share in wanted.items() if share > 0]
    count = {split: (split in held) / max(1, len(held)) for split in wanted}
    splits: dict[str, str] = {}
    order = [sorted(groups)[index] for index in np.random.default_rng(options.seed).permutation(len(groups))]
    if density is not None:
        # Neighbours by density form blocks, large enough for each split to get an image of every block.
        block = max(3, round(1 / min(wanted[split] for split in needed)))
        mean = {group: float(np.mean([density[name] for name in groups[group]])) for group in order}
        ranked = sorted(order, key=lambda group: mean[group])
        blocks = {group: rank // block for rank, group in enumerate(ranked)}
        order = sorted(order, key=lambda group: (mean[group] == 0, blocks[group]))
    for group in order:
        done = sum(count.values()) + len(groups[group])
        target = max(needed, key=lambda split: (count[split] == 0, wanted[split] * done - count[split]))
        target = target if count["train"] else "train"
        count[target] += len(groups[group])
        splits |= dict.fromkeys(groups[group], target)
    return splits
