"""Assignment of source images to training, validation and test."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from beadctl.dataset.tiling import TilingOptions
from beadctl.errors import SettingsError


def split_sources(
    names: Sequence[str], options: TilingOptions, density: Mapping[str, float] | None = None
) -> dict[str, str]:
    """Return the split of each source image, ``train``, ``val`` or ``test``, by its name.

    Groups are ordered by bead density, shuffled among neighbours, and each goes as a whole to the split that
    is furthest below its share: the fractions are met as nearly as whole groups allow, and each split gets
    sparse and dense images. Training gets the first group, and of three or more every split with a fraction
    gets one.

    Parameters
    ----------
    names : sequence of str
        Source images.
    options : TilingOptions
        Fractions, groups and seed.
    density : mapping, optional
        Beads per pixel of each image, by its name; without it the order is random.

    Raises
    ------
    SettingsError
        If the fractions leave nothing for training, or the expression is malformed.

    Examples
    --------
    >>> split_sources(["a.tif", "b.tif", "c.tif"], TilingOptions(256, 32, 0.3, 0.3, seed=0))
    {'c.tif': 'train', 'a.tif': 'val', 'b.tif': 'test'}
    """
    val, test = options.val_fraction, options.test_fraction
    if val + test >= 1:
        raise SettingsError("tile.val_fraction + tile.test_fraction must stay below 1; lower one of them")
    groups: dict[str, list[str]] = {}
    try:
        pattern = re.compile(options.group_by) if options.group_by else None
    except re.error as error:
        raise SettingsError(f"--group-by {options.group_by!r}: not a regular expression ({error})") from None
    for name in sorted(names):
        match = pattern.search(name) if pattern else None
        group = match.group(1 if match.re.groups else 0) if match else name
        groups.setdefault(group, []).append(name)
    shares = {"train": 1 - val - test, "val": val, "test": test}
    held = dict.fromkeys(shares, 0)
    splits: dict[str, str] = {}
    needed = [split for split, share in shares.items() if share > 0]
    order = [sorted(groups)[index] for index in np.random.default_rng(options.seed).permutation(len(groups))]
    if density is not None:
        # Neighbours by density form blocks, large enough for each split to get an image of every block.
        block = max(3, round(1 / min(shares[split] for split in needed)))
        ranked = sorted(order, key=lambda group: float(np.mean([density[name] for name in groups[group]])))
        blocks = {group: rank // block for rank, group in enumerate(ranked)}
        order = sorted(order, key=lambda group: blocks[group])
    for group in order:
        target = max(needed, key=lambda split: (held[split] == 0, shares[split] - held[split] / len(names)))
        target = target if held["train"] else "train"
        held[target] += len(groups[group])
        splits |= dict.fromkeys(groups[group], target)
    return splits
