"""Freed memory that stays with the process."""

import platform
import subprocess
import sys

import pytest

from beadctl.training.heap import freed_blocks_kept

# In a process of its own: what earlier tests left in the heap takes the block too.
SCRIPT = """
import os
from pathlib import Path

import torch

from beadctl.training.heap import freed_blocks_kept

BLOCK_BYTES = 96 * 2**20


def resident_after_a_block():
    block = torch.ones(BLOCK_BYTES, dtype=torch.uint8)
    del block
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


before = resident_after_a_block()
with freed_blocks_kept():
    within = resident_after_a_block()
after = resident_after_a_block()
print((within - before) / BLOCK_BYTES, (after - before) / BLOCK_BYTES)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's heap has the switch")
def test_freed_blocks_stay_until_the_end():
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True, timeout=300
    )
    within, after = map(float, run.stdout.split())
    assert within > 0.5 > abs(after)


def test_an_error_within_passes_through():
    with pytest.raises(KeyError), freed_blocks_kept():
        raise KeyError
