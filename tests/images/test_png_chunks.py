"""Damaged PNG files are refused before the decoder sees them."""

import gc
import struct
import sys
import zlib

import imagecodecs
import numpy as np
import pytest
from helpers.reading import noise, read_error, read_plane
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from beadctl.images.png_chunks import check_chunks

IMAGE = noise((20, 30), "u1")
CONTENT = imagecodecs.png_encode(IMAGE)
HEADER_END = 33


def chunk(name, body, checksum=None):
    crc = zlib.crc32(name + body) if checksum is None else checksum
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)


# Bits other than that by which a chunk says that it may be left out.
@given(at=st.integers(8, len(CONTENT) - 13), changed=st.integers(1, 31))
def test_a_changed_byte_is_seen(at, changed):
    content = bytearray(CONTENT)
    content[at] ^= changed
    with pytest.raises(ValueError, match=r"^chunk .* (is cut off|has another checksum)$"):
        check_chunks(bytes(content))


@given(cut=st.integers(9, len(CONTENT) - 13).filter(lambda cut: cut != HEADER_END))
def test_a_file_that_is_cut_within_a_chunk_is_refused(cut):
    with pytest.raises(ValueError, match="is cut off"):
        check_chunks(CONTENT[:cut])


def test_what_pixels_do_not_need_may_be_damaged(tmp_path):
    """A text with a wrong checksum, which libpng leaves out."""
    path = tmp_path / "a.png"
    path.write_bytes(CONTENT[:HEADER_END] + chunk(b"tEXt", b"Comment\0x", checksum=1) + CONTENT[HEADER_END:])
    np.testing.assert_array_equal(read_plane(path), IMAGE)


def test_the_reason_names_the_chunk(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(CONTENT[:60])
    assert "damaged or truncated (chunk IDAT is cut off)" in read_error(path)


@pytest.mark.parametrize("frames", [1, 3])
def test_frames_are_not_left_out_in_silence(tmp_path, frames):
    first, *more = [Image.fromarray(np.full((4, 5), 10 * n, np.uint8)) for n in range(frames)]
    first.save(tmp_path / "a.png", save_all=True, append_images=more)
    if frames == 1:
        assert not read_plane(tmp_path / "a.png").any()
    else:
        assert "a.png: has 3 frames, of which one can be read" in read_error(tmp_path / "a.png")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is never deallocated")
def test_damaged_files_cost_no_reference_to_none(tmp_path):
    """With each one lost, a batch with 20,000 damaged PNG files came nearer to the end of the process."""
    path = tmp_path / "a.png"
    path.write_bytes(CONTENT[:-20] + bytes([CONTENT[-20] ^ 1]) + CONTENT[-19:])
    read_error(path)
    gc.collect()
    before = sys.getrefcount(None)
    for _ in range(600):
        read_error(path)
    gc.collect()
    assert sys.getrefcount(None) > before - 200
