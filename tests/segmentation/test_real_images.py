"""The default model on real images, where the person who runs the tests has them (BEADCTL_DATA)."""

import csv
import io
import os
from pathlib import Path

import pytest

from beadctl.model.session import DEFAULT_MODEL

DATA = os.environ.get("BEADCTL_DATA")
PATTERNS = ("fluorescent/**/*.tif", "microbeads/**/160x*.png", "nuclei/**/*.tif")

pytestmark = [
    pytest.mark.skipif(not DATA, reason="BEADCTL_DATA names no folder of real images"),
    pytest.mark.skipif(not DEFAULT_MODEL.exists(), reason="the package has no default model"),
]


def image_of(pattern):
    found = sorted(path for path in Path(DATA).glob(pattern) if "mask" not in str(path).lower())
    if not found:
        pytest.skip(f"no {pattern} in BEADCTL_DATA")
    return found[0]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_counts_do_not_depend_on_the_tiles(run, pattern):
    image = image_of(pattern)
    told = set()
    for tile_size in (128, 256, 512, 0):
        said = run("count", image, "--tile-size", tile_size, "--format", "csv")
        assert said.code == 0, said.err
        told.add(said.out)
    (text,) = told
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["status"] == "ok"
    assert int(row["count"]) > 0
