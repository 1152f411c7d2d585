"""A folder of one image in every flavour, of broken files and of strange names: a row a plane."""

import csv
import io
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import tifffile
from helpers.flavours import write_flavours
from helpers.hostile import write_broken, write_named
from helpers.images import discs

from beadctl.text import name_text

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no such names, links and pipes")

BEADS = 4
# The superuser reads a closed folder too, unless this is taken from him.
PLAIN = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--")


@dataclass(frozen=True)
class Tortured:
    """What the folder holds, and what `segment` and `count` made of it."""

    planes: dict[str, int]
    reasons: dict[str, str]
    said: dict[str, subprocess.CompletedProcess]
    out: Path

    def rows(self, command):
        """Return the rows of a command by the name of their image."""
        text = (
            self.said["count"].stdout if command == "count" else (self.out / "counts.csv").read_text("utf-8")
        )
        found = {}
        for row in csv.DictReader(io.StringIO(text, newline="")):
            found.setdefault(row["image"], []).append(row)
        return found


@pytest.fixture(scope="module")
def tortured(tmp_path_factory, model_path):
    folder, out, counted = (tmp_path_factory.mktemp(name) for name in ("torture", "results", "counted"))
    image = discs(BEADS, 64, 80)[0]
    planes = write_flavours(folder, image)
    reasons = write_broken(folder, image)
    named, refused = write_named(folder, image)
    planes, reasons = planes | named, reasons | refused
    before = PLAIN if os.geteuid() == 0 and shutil.which("setpriv") else ()
    said = {}
    for command, more in (
        ("segment", ("-o", out, "--save", "masks")),
        ("count", ("-o", counted, "--format", "csv")),
    ):
        words = [*before, sys.executable, "-m", "beadctl", command, folder, "-m", model_path, *more]
        said[command] = subprocess.run(
            list(map(str, words)),
            capture_output=True,
            encoding="utf-8",
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            timeout=300,
            check=False,
        )
    return Tortured(planes, reasons, said, out)


@pytest.mark.parametrize("command", ["segment", "count"])
def test_a_row_a_plane_and_no_traceback(tortured, command):
    said = tortured.said[command]
    assert said.returncode == 1
    assert "Traceback" not in said.stderr
    assert "internal error" not in said.stderr
    expected = {name_text(PurePosixPath(name)): count for name, count in tortured.planes.items()}
    expected |= {name_text(PurePosixPath(name)): 1 for name in tortured.reasons}
    rows = tortured.rows(command)
    assert {name: [row["plane"] for row in of_image] for name, of_image in rows.items()} == {
        name: [str(plane) for plane in range(count)] for name, count in expected.items()
    }


@pytest.mark.parametrize("command", ["segment", "count"])
def test_every_flavour_has_the_same_beads(tortured, command):
    rows = tortured.rows(command)
    wrong = {
        name: (row["status"], row["count"], row["reason"])
        for name in tortured.planes
        for row in rows[name_text(PurePosixPath(name))]
        if (row["status"], row["count"]) != ("ok", str(BEADS))
    }
    assert not wrong


def test_every_flavour_has_the_same_label_image(tortured):
    expected = tifffile.imread(tortured.out / "masks/u1_little_masks.tif")
    assert len(np.unique(expected)) == BEADS + 1
    for name, count in tortured.planes.items():
        path = PurePosixPath(name)
        stem = path.name.removesuffix(".ome.tif") if name.endswith(".ome.tif") else path.stem
        found = tifffile.imread(tortured.out / "masks" / path.parent / f"{stem}_masks.tif")
        assert (found.reshape(count, *expected.shape) == expected).all(), name


@pytest.mark.parametrize("command", ["segment", "count"])
def test_every_failure_has_its_reason(tortured, command):
    rows = tortured.rows(command)
    errors = tortured.said[command].stderr.splitlines()
    for name, reason in tortured.reasons.items():
        (row,) = rows[name_text(PurePosixPath(name))]
        assert (row["status"], row["count"]) == ("failed", ""), name
        assert reason in row["reason"]
        assert row["reason"]
        assert f"error: {row['image']}: {row['reason']}" in errors


def test_what_has_no_row_has_a_line(tortured):
    for said in tortured.said.values():
        assert "pipe or device" in said.stderr
    assert Counter(path.suffix for path in (tortured.out / "masks").rglob("*") if path.is_file()) == {
        ".tif": len(tortured.planes)
    }
