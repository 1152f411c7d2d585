"""Pairs of images and masks, which the tests of this folder share."""

import numpy as np
import pytest
import tifffile
from helpers.audited import field
from helpers.faults import shifted


@pytest.fixture
def folder(tmp_path):
    """Six pairs: two whose masks are swapped, one that is shifted, three that are right."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    pairs = [field(seed) for seed in range(6)]
    masks = [labels for _, labels in pairs]
    masks[0], masks[1] = masks[1], masks[0]
    masks[2] = shifted(masks[2], 4, -3)
    for number, ((image, _), mask) in enumerate(zip(pairs, masks, strict=True)):
        tifffile.imwrite(tmp_path / f"images/f{number}.tif", image)
        tifffile.imwrite(tmp_path / f"masks/f{number}_masks.tif", mask.astype(np.uint16))
    return tmp_path
