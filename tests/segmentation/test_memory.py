"""A large plane of many beads is measured in little memory: planes are files, read in bands."""

import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="other systems keep pages that were given back"),
]

SIDE, BEADS = 12_000, 100_000
# The planes are 1.2 GB, and 100 MB of the bound are Python with its libraries.
MOST_MB = 300
MEASURE = """
import resource, sys
import numpy as np
from beadctl import scratch
from beadctl.images import Normalisation
from beadctl.segmentation import artefacts, half_contrast
from beadctl.segmentation.measure import measure
from beadctl.segmentation.touching import group_sizes

side, beads = int(sys.argv[1]), int(sys.argv[2])
# As for planes so large that all are files.
scratch.keep_in_memory(0)

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

shape = side, side
labels, image = scratch.zeros(shape, np.uint32), scratch.zeros(shape, np.uint16)
probability, marker = scratch.zeros(shape, np.uint8), scratch.zeros(shape, np.uint8)
across = round(beads**0.5)
spacing = side // (across + 1)
rows, columns = np.mgrid[-5:6, -5:6]
disc = rows**2 + columns**2 <= 25
rng = np.random.default_rng(1)
for number in range(beads):
    y, x = (spacing * (1 + part) for part in divmod(number, across + 1))
    # Every tenth bead is two in one, larger and brighter.
    for shift in (0, 8) if number % 10 == 0 else (0,):
        window = slice(y - 5, y + 6), slice(x - 5 + shift, x + 6 + shift)
        labels[window][disc] = number + 1
    if number % 500 == 0:
        scratch.release(labels)
for band in scratch.bands(*shape, px=2**20):
    inside, bright = labels[band] > 0, labels[band] % 10 == 1
    image[band] = rng.integers(900, 1100, inside.shape, np.uint16)
    image[band] += inside * np.uint16(3000) + bright * np.uint16(1500)
    probability[band], marker[band] = inside * np.uint8(250), inside * np.uint8(240)
    scratch.release(labels, image, probability, marker)
made = peak_mb()
table = measure(labels, image, probability, marker)
gone = artefacts.artefacts(labels, image, table)
outlined = half_contrast.at_half_contrast(labels, image, Normalisation(1000.0, 1200.0))
group_sizes(labels, table.label)
print(len(table), int(gone.sum()), outlined is labels, made, peak_mb())
"""


def test_a_hundred_thousand_beads(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(SIDE), str(BEADS)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    beads, gone, untouched, made, peak = done.stdout.split()
    assert int(beads) == BEADS
    assert int(gone) == 0
    assert untouched == "False"
    assert float(made) < float(peak) < MOST_MB, done.stdout
