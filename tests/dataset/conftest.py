"""The command that cuts images into tiles, which the tests of this folder share."""

import pytest
from helpers.tiles import write_pairs


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """The words of the command, in a folder with images of `SIZES` and their masks."""
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path)
    return "tile", "images", "masks", "--size", "64", "--overlap", "16", "-o", "tiles"
