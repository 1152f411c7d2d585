"""Damaged copies of a file, of which a reader must make an error of one line."""

import time

import numpy as np

from beadctl.errors import ImageError
from beadctl.images import open_image

MOST_SECONDS = 60


def damaged_copies(content, count):
    """Yield copies that are cut off, or have single bytes or a number of 32 bits replaced, by seed."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        copy = bytearray(content)
        if seed % 3 == 0:
            del copy[rng.integers(1, len(copy)) :]
        elif seed % 3 == 1:
            for at in rng.integers(0, len(copy), rng.integers(1, 30)):
                copy[at] = rng.integers(256)
        else:
            value = rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1])
            at = rng.integers(0, len(copy) - 4)
            copy[at : at + 4] = int(value).to_bytes(4, "little")
        yield bytes(copy)


def faults_of_damaged_copies(path, count=300):
    """Read damaged copies of a file; return what is wrong with their errors, if anything."""
    started = time.monotonic()
    content, wrong = path.read_bytes(), []
    for seed, copy in enumerate(damaged_copies(content, count)):
        path.write_bytes(copy)
        try:
            for plane in open_image(path).planes[:8]:
                with plane.open() as pixels:
                    if plane.height * plane.width < 10**6:
                        pixels.read_all()
        except ImageError as error:
            if "\n" in str(error) or str(path) not in str(error):
                wrong.append((seed, str(error)))
    path.write_bytes(content)
    if time.monotonic() - started > MOST_SECONDS:
        wrong.append((-1, f"{time.monotonic() - started:.0f} s"))
    return wrong
