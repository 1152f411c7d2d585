"""What the tests of workers have in common."""

from pathlib import Path

import pytest
import tifffile
from helpers.images import discs


@pytest.fixture
def few(tmp_path) -> Path:
    """A folder of three images with one to three beads."""
    folder = tmp_path / "few"
    folder.mkdir()
    for index in range(3):
        tifffile.imwrite(folder / f"{index}.tif", discs(index + 1, seed=index)[0])
    return folder
