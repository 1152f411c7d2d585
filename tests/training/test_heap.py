"""Freed memory that stays with the process."""

import os
import platform
from pathlib import Path

import pytest
import torch

from beadctl.training.heap import freed_blocks_kept

BLOCK_BYTES = 96 * 2**20


def resident_after_a_block():
    """Bytes in memory after a large block was filled and freed."""
    block = torch.ones(BLOCK_BYTES, dtype=torch.uint8)
    del block
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's heap has the switch")
def test_freed_blocks_stay_until_the_end():
    with freed_blocks_kept():
        pass  # The end of it gives back what earlier tests left.
    before = resident_after_a_block()
    with freed_blocks_kept():
        within = resident_after_a_block()
    after = resident_after_a_block()
    assert within - before > BLOCK_BYTES / 2 > abs(after - before)


def test_an_error_within_passes_through():
    with pytest.raises(KeyError), freed_blocks_kept():
        raise KeyError
