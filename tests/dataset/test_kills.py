"""A cutting that is killed at any moment, and run again, leaves the folder of one that nobody disturbed.

    python -m pytest -s -m "slow or not slow" tests/dataset/test_kills.py

kills a hundred and prints how they went.
"""

import sys

import pytest
import tifffile
from helpers.images import discs
from helpers.kills import Kills, undisturbed

from beadctl.dataset.manifest import MANIFEST, read_manifest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")

IMAGES = 6


@pytest.fixture(scope="module")
def cutting(tmp_path_factory):
    """The words of a cutting, whose tiles are in ``out``."""
    folder = tmp_path_factory.mktemp("annotated")
    for index in range(IMAGES):
        for name, plane in zip(("images", "masks"), discs(index + 3, 200, 300, seed=index), strict=True):
            (folder / name).mkdir(exist_ok=True)
            tifffile.imwrite(folder / name / f"{index}.tif", plane)
    return "tile", folder / "images", folder / "masks", "-o", "out", "--overlap", 8


def content(out):
    return {
        path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if not path.is_dir()
    }


@pytest.fixture(scope="module")
def kills(cutting, tmp_path_factory):
    """A cutting that nobody disturbed; at the end, its kills are told."""
    kills = Kills.of(tmp_path_factory.mktemp("undisturbed"), "out", content, *cutting, "--size", 32)
    yield kills
    print(f"\ntile: {kills}")


def look(out):
    """Look for a part of a file under its final name, and for a manifest without its tiles."""
    for path in out.rglob("[!.]*.tif"):
        tifffile.imread(path)
    if (out / MANIFEST).exists():
        assert all(row.image.exists() and row.mask.exists() for row in read_manifest(out))


def kill_and_rerun(kill, cutting, kills, folder):
    """Kill a cutting and run it again; every third one replaces tiles of another size."""
    words = *cutting, "--size", 32
    if kill % 3 == 0:
        undisturbed(folder, *cutting, "--size", 64)
        words = *words, "--overwrite"
    kills.kill_and_rerun(kill, folder, words, look)


@pytest.mark.parametrize("kill", range(3))
def test_a_killed_cutting_is_taken_up_to_the_byte(kill, cutting, kills, tmp_path):
    kill_and_rerun(kill, cutting, kills, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kill", range(1000, 1100))
def test_many_killed_cuttings(kill, cutting, kills, tmp_path):
    kill_and_rerun(kill, cutting, kills, tmp_path)
