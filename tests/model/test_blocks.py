"""Blocks: their cores tile the plane or window, their origins are on the stride, the last is reflected."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.images import InMemory, Window
from beadctl.model.blocks import Block, blocks, read_ahead, read_reflected


def ramp(height, width):
    return InMemory(np.arange(height * width, dtype=np.uint32).reshape(height, width))


SIZES = st.integers(1, 90)


@given(SIZES, SIZES, st.integers(0, 100), st.integers(0, 40), st.sampled_from([1, 2, 4, 8, 16]), st.data())
def test_cores_tile_the_window_and_blocks_are_on_the_grid(height, width, tile_size, halo, stride, data):
    window = None
    if data.draw(st.booleans()):
        top, left = (data.draw(st.integers(0, (edge - 1) // stride)) * stride for edge in (height, width))
        rows, columns = data.draw(st.integers(1, height - top)), data.draw(st.integers(1, width - left))
        window = Window(top, left, rows, columns)
    covered = np.zeros((height, width), int)
    found = list(blocks(height, width, window, tile_size=tile_size, halo=halo, stride=stride))
    for block in found:
        assert max(block.core.bottom - height, block.core.right - width) <= 0
        covered[block.core.slices] += 1
        assert not any(value % stride for value in (block.top, block.left, block.height, block.width))
        rows, columns = block.crop
        bottom, right = block.top + block.height, block.left + block.width
        assert rows.start >= halo or block.top == 0
        assert columns.start >= halo or block.left == 0
        assert block.height - rows.stop >= halo or bottom == -(-height // stride) * stride
        assert block.width - columns.stop >= halo or right == -(-width // stride) * stride
        assert min(block.top, block.left) >= 0
        assert max(bottom - height, right - width) < stride
        assert (block.top + rows.start, block.left + columns.start) == (block.core.top, block.core.left)
    wanted = np.zeros_like(covered)
    wanted[window.slices if window else ...] = 1
    np.testing.assert_array_equal(covered, wanted)
    if tile_size == 0 or tile_size >= max(height, width):
        assert len(found) == 1


@given(SIZES, SIZES, st.integers(9, 60), st.integers(0, 70), st.sampled_from([1, 4, 8]))
def test_a_block_is_a_part_of_the_reflected_plane(height, width, tile_size, halo, stride):
    plane = ramp(height, width)
    margin = 100 + halo
    whole = np.pad(plane.pixels, margin, mode="reflect")
    for block in blocks(height, width, tile_size=tile_size, halo=halo, stride=stride):
        y, x = block.top + margin, block.left + margin
        read = read_reflected(block, height, width, plane.read)
        np.testing.assert_array_equal(read, whole[y : y + block.height, x : x + block.width])
        assert read.dtype == np.uint32
        np.testing.assert_array_equal(read[block.crop], plane.pixels[block.core.slices])


@given(SIZES, SIZES, st.integers(-100, 100), st.integers(-100, 100), SIZES, SIZES)
def test_a_block_may_reach_beyond_the_plane(height, width, top, left, rows, columns):
    plane = ramp(height, width)
    whole = np.pad(plane.pixels, 200, mode="reflect")
    block = Block(Window(0, 0, 1, 1), top, left, rows, columns)
    wanted = whole[top + 200 :, left + 200 :][:rows, :columns]
    np.testing.assert_array_equal(read_reflected(block, height, width, plane.read), wanted)

    def channels(window):
        return np.stack([plane.read(window), 2 * plane.read(window)])

    read = read_reflected(block, height, width, channels)
    np.testing.assert_array_equal(read, np.stack([wanted, 2 * wanted]))


def test_no_more_than_the_block_is_read():
    sizes = []

    class Counting(InMemory):
        def read(self, window):
            sizes.append(window.height * window.width)
            return super().read(window)

    plane = Counting(ramp(400, 400).pixels)
    for block in blocks(400, 400, tile_size=64, halo=16, stride=8):
        read_reflected(block, 400, 400, plane.read)
    assert max(sizes) == 96 * 96


def test_the_next_block_is_read_while_one_is_used():
    some = list(blocks(64, 16, tile_size=16, halo=0, stride=16))
    is_read = {block: threading.Event() for block in some}
    pairs = []
    for block, top in read_ahead(some, lambda block: is_read[block].set() or block.top):
        following = some[len(pairs) + 1 :][:1]
        assert all(is_read[one].wait(60) for one in following)
        assert not any(is_read[one].is_set() for one in some[len(pairs) + 2 :])
        pairs.append((block, top))
    assert pairs == [(block, block.top) for block in some]


def test_what_fails_to_be_read_fails_in_its_turn():
    def read(block):
        if block.top == 32:
            raise OSError("gone")
        return block.top

    seen = []
    with pytest.raises(OSError, match="gone"):
        for _, top in read_ahead(blocks(64, 16, tile_size=16, halo=0, stride=16), read):
            seen.append(top)
    assert seen == [0, 16]
    assert list(read_ahead((), read)) == []
