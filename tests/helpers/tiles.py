"""Annotated images of several sizes to cut into tiles, and what a folder of tiles holds."""

from pathlib import Path

import numpy as np
import tifffile

from helpers.images import discs

SIZES = {"a.tif": (96, 128), "b.tif": (130, 70), "deep/c.tif": (48, 160), "d.tif": (40, 30)}


def write_pairs(folder):
    """Write images and masks of `SIZES`, each with one or two beads."""
    for index, (name, shape) in enumerate(SIZES.items()):
        image, labels = (
            discs(min(index + 1, 2), *shape, dtype=np.uint16) if min(shape) > 40 else discs(1, *shape)
        )
        for kind, array in (("images", image), ("masks", labels)):
            (folder / kind / name).parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(folder / kind / name, array)


def content(folder):
    """Return the bytes of every file, by its path in the folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*.*")
        if path.is_file()
    }
