"""A cutting that is killed at any moment, and run again, leaves the folder of one that nobody disturbed."""

import random
import signal
import sys

import pytest
import tifffile
from helpers.images import discs
from helpers.kills import disturb, undisturbed

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
def expected(cutting, tmp_path_factory):
    """The files of a cutting, and how long it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    # The first process waits for the imports.
    undisturbed(folder, "--version")
    seconds = undisturbed(folder, *cutting, "--size", 32)
    return content(folder / "out"), seconds


def kill_and_rerun(kill, cutting, expected, folder):
    """Kill a cutting at a share of its time, look at what it left, run it again and compare.

    Every third one replaces tiles of another size.
    """
    files, seconds = expected
    moment, number = random.Random(kill).uniform(0, 1), (signal.SIGKILL, signal.SIGTERM)[kill % 2]
    words = [*cutting, "--size", 32]
    if kill % 3 == 0:
        undisturbed(folder, *cutting, "--size", 64)
        words.append("--overwrite")
    disturb(folder, number, moment * seconds, *words)
    out = folder / "out"
    # No part of a file under its final name, and no manifest without its tiles.
    for path in out.rglob("[!.]*.tif"):
        tifffile.imread(path)
    if (out / MANIFEST).exists():
        assert all(row.image.exists() and row.mask.exists() for row in read_manifest(out))
    undisturbed(folder, *words)
    assert content(out) == files


@pytest.mark.parametrize("kill", range(3))
def test_a_killed_cutting_is_taken_up_to_the_byte(kill, cutting, expected, tmp_path):
    kill_and_rerun(kill, cutting, expected, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kill", range(1000, 1100))
def test_many_killed_cuttings(kill, cutting, expected, tmp_path):
    kill_and_rerun(kill, cutting, expected, tmp_path)
