"""Arrays as large as a plane."""

import errno
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl import scratch
from beadctl.errors import OutputError


@pytest.mark.parametrize("most_bytes", [0, 10**6])
def test_an_array_of_zeros_that_can_be_written(most_bytes):
    array = scratch.zeros((30, 50), np.uint32, most_bytes=most_bytes)
    assert array.shape == (30, 50)
    assert array.dtype == np.uint32
    assert not array.any()
    array[3:5] = 7
    scratch.release(array, array[2:], np.zeros(3))
    assert int(array.sum()) == 7 * 100
    assert (array[4, 10:12] == 7).all()


def test_an_empty_array():
    assert scratch.zeros((0, 5), np.uint8, most_bytes=0).shape == (0, 5)


def test_a_file_leaves_nothing_behind(tmp_path):
    array = scratch.zeros((1000, 1000), np.uint8, most_bytes=0, folder=tmp_path)
    array[:] = 3
    if os.name == "posix":
        assert list(tmp_path.iterdir()) == []
    del array
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the disk is not asked before")
def test_a_disk_that_is_too_small_is_said_before_work(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(
        OutputError, match=r"no room \(No space left on device\); it needs 2.0 GiB .*; set TMPDIR"
    ):
        scratch.zeros((2**15, 2**16), np.uint8, most_bytes=0)
    assert list(Path(tmp_path).iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is not known")
def test_released_pages_are_no_memory_of_the_process(tmp_path):
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    array = scratch.zeros((4096, 16384), np.uint8, most_bytes=0, folder=tmp_path)
    before = resident()
    for rows in scratch.bands(*array.shape):
        array[rows] = 1
        scratch.release(array)
    assert resident() - before < 2**24
    assert int(array[-1, -1]) == 1


def test_bands_cover_a_plane_once():
    for height, width, px in [(1, 1, 1), (7, 3, 6), (100, 1000, 10), (5, 0, 10)]:
        rows = [row for band in scratch.bands(height, width, px=px) for row in range(band.start, band.stop)]
        assert rows == list(range(height))


@given(st.lists(st.binary(max_size=30)), st.sampled_from([0, 20, 10**6]))
def test_pieces_are_read_as_they_were_added(added, most_bytes):
    pieces = scratch.Pieces(most_bytes)
    for piece in added:
        pieces.append(piece)
    assert list(pieces) == list(pieces) == added
    assert pieces.size == len(b"".join(added))


def test_many_pieces_are_a_file_that_leaves_nothing_behind(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    opened, make = [], tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **how: opened.append(how) or make(**how))
    pieces = scratch.Pieces(100)
    pieces.append(b"x" * 60)
    assert not opened
    pieces.append(b"x" * 60)
    assert len(opened) == 1
    assert list(pieces) == [b"x" * 60] * 2
    del pieces
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_small_for_pieces_is_said(monkeypatch):
    def full(self, piece):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "write", full)
    with pytest.raises(OutputError, match=r"No space left on device\); set TMPDIR"):
        scratch.Pieces().append(b"x")
