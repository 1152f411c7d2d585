"""The command that writes results, its shards, a plate and a store, which the tests of this folder share."""

import pytest
import tifffile
from helpers.images import discs


@pytest.fixture
def segment(run, model_path):
    """`beadctl segment` with the small model."""
    return lambda *arguments: run("segment", *arguments, "-m", model_path)


@pytest.fixture
def plate(tmp_path, temporary_folder):
    """Three images in ``plate``; what is done with them leaves no temporary file."""
    for place, beads in (("a2.tif", 2), ("a10.tif", 3), ("day1/b.tif", 4)):
        (path := tmp_path / "plate" / place).parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, discs(beads, 96, 96)[0])
    yield
    assert not list(temporary_folder.iterdir())


@pytest.fixture
def memory():
    """A store in memory with a bucket."""
    fsspec = pytest.importorskip("fsspec", reason="the extra remote is not installed")
    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    yield store
    store.store.clear()


@pytest.fixture
def divided(run, model_path):
    """A function that runs a command as several shards, and returns their exit codes."""

    def call(*words, count=7, numbers=None):
        order = numbers or reversed(range(1, count + 1))
        said = [run(*words, "-m", model_path, "--shard", f"{number}/{count}") for number in order]
        assert not any("Traceback" in one.err for one in said)
        return [one.code for one in said]

    return call
