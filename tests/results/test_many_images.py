"""The memory of a run over thousands of images grows by their names alone, less than a kilobyte each."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell the memory"),
]

# Python doubles its table of names for a moment about every 4,000 images: both runs have such a moment.
FEW, MANY, MOST_BYTES = 5000, 10000, 1000
COMMAND = """
import sys
from pathlib import Path
from beadctl.cli.main import run
assert run(sys.argv[1:]) == 0
(line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print("peak", line.split()[1])
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders of few and of many blank images, on which the network is not run."""
    found = {}
    for number in (FEW, MANY):
        found[number] = tmp_path_factory.mktemp("images")
        for index in range(number):
            path = found[number] / f"image_{index:05d}.tif"
            if index < 5:
                tifffile.imwrite(path, np.full((32, 32), index, np.uint8))
            else:
                path.hardlink_to(found[number] / f"image_{index % 5:05d}.tif")
    return found


def peak_bytes(*words):
    """The most memory of a command."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, words)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1]) * 1024


@pytest.mark.parametrize("command", ["count", "segment"])
def test_memory_hardly_grows_with_the_images(command, folders, model_path, tmp_path):
    peaks = {}
    for number, folder in folders.items():
        out = ["-o", tmp_path / str(number), "--save", "masks"] if command == "segment" else []
        peaks[number] = peak_bytes(command, folder, "-m", model_path, *out)
    slope = (peaks[MANY] - peaks[FEW]) / (MANY - FEW)
    print(f"{command}: {peaks} bytes of memory by number of images, {slope:.0f} bytes an image")
    assert slope < MOST_BYTES
