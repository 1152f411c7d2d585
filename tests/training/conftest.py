"""Tiles of a few bright discs, which no test changes."""

import pytest
from helpers.training import write_tiles


@pytest.fixture(scope="session")
def tiles(tmp_path_factory):
    return write_tiles(tmp_path_factory.mktemp("tiles"))
