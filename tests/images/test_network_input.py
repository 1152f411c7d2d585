"""What the network is shown: the same in every window, for any gain of a camera, and named in model files."""

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from beadctl.images import InMemory, InputName, Levels, NetworkInput, Window, levels_of, open_image
from beadctl.images import network_input as module
from beadctl.images.local_contrast import BlockSums
from beadctl.images.network_input import BAND_ROWS, STRIP_ROWS
from beadctl.images.normalisation import NormalisationLimits, clipped

INPUTS = pytest.mark.parametrize("name", InputName)


def image(shape, dtype="u2", seed=0):
    """Discs on uneven, noisy ground."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape)
    plane = 300 + x + rng.normal(0, 12, shape)
    for _ in range(1 + plane.size // 900):
        cy, cx = rng.uniform(0, shape)
        plane[(y - cy) ** 2 + (x - cx) ** 2 <= 30] += 150
    return plane.astype(dtype)


def shown(pixels, name=InputName.LOCAL, levels=None):
    return NetworkInput.of(InMemory(pixels), name, levels).apply(pixels)


def test_names_and_channels_are_those_in_model_files():
    """Files state these words; a change of what they mean needs new ones."""
    assert {name: (name.value, name.channels) for name in InputName} == {
        InputName.MEDIAN: ("median, larger tail to 0.1/99.9 %, clipped to 3", 1),
        InputName.LOCAL: (
            "middle of 0.1/99.9 %, clipped to 3; contrast within 8 and 32 px, clipped to 5",
            3,
        ),
    }
    assert InputName.LOCAL.sigmas_px == (8, 32)


@INPUTS
@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4", "f8", "bool"])
def test_channels_are_grey_levels_and_contrasts_of_them(name, dtype):
    pixels = image((70, 81), "f8")
    pixels = (pixels > 400 if dtype == "bool" else pixels / 4).astype(dtype)
    levels = levels_of(pixels)
    scaled = (levels.around_median if name is InputName.MEDIAN else levels.around_middle).scaled(pixels)
    channels = shown(pixels, name)
    assert (channels.shape, channels.dtype) == ((name.channels, 70, 81), np.float32)
    np.testing.assert_array_equal(channels[0], clipped(scaled))
    for channel, sigma_px in zip(channels[1:], name.sigmas_px, strict=True):
        np.testing.assert_array_equal(channel, BlockSums.of(scaled).around(sigma_px).apply(scaled))


@settings(max_examples=40)
@given(
    shape=st.tuples(st.integers(1, 150), st.integers(1, 60)),
    bands=st.sampled_from([8, BAND_ROWS]),
    strips=st.sampled_from([4, 12, STRIP_ROWS]),
    exact=st.booleans(),
    name=st.sampled_from(InputName),
    data=st.data(),
)
def test_a_window_is_shown_as_in_the_whole_plane(shape, bands, strips, exact, name, data):
    pixels = image(shape)
    levels = levels_of(pixels)
    wanted = shown(pixels, name, levels)
    top, left = (data.draw(st.integers(0, length - 1)) for length in shape)
    height, width = (
        data.draw(st.integers(1, length - first)) for length, first in zip(shape, (top, left), strict=True)
    )
    window = Window(top, left, height, width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BAND_ROWS", bands)
        patch.setattr(module, "STRIP_ROWS", strips)
        if not exact:
            patch.setattr(module, "LIMITS", NormalisationLimits(max_exact=0))
        part = NetworkInput.of(InMemory(pixels), name, levels).apply(pixels[window.slices], top, left)
    np.testing.assert_array_equal(part, wanted[:, *window.slices])


def test_bands_and_strips_lie_on_the_grid():
    assert BAND_ROWS % STRIP_ROWS == STRIP_ROWS % 4 == 0


@pytest.mark.parametrize("layout", [{}, {"tile": (16, 16)}, {"rowsperstrip": 3, "compression": "zlib"}])
def test_a_file_is_shown_as_its_array(tmp_path, monkeypatch, layout):
    pixels = image((90, 70))
    tifffile.imwrite(tmp_path / "a.tif", pixels, **layout)
    wanted = shown(pixels)
    with open_image(tmp_path / "a.tif").planes[0].open() as opened:
        np.testing.assert_array_equal(NetworkInput.of(opened, InputName.LOCAL).apply(pixels), wanted)
        monkeypatch.setattr(module, "LIMITS", NormalisationLimits(max_exact=0))
        monkeypatch.setattr(module, "BAND_ROWS", 8)
        np.testing.assert_array_equal(NetworkInput.of(opened, InputName.LOCAL).apply(pixels), wanted)


def test_a_plane_is_decoded_once():
    reads = []

    class Recording(InMemory):
        def read(self, window):
            reads.append(window)
            return super().read(window)

        def read_all(self):
            reads.append("all")
            return super().read_all()

    NetworkInput.of(Recording(image((90, 70))), InputName.LOCAL)
    NetworkInput.of(Recording(image((90, 70))), InputName.LOCAL, Levels(0, 300, 600))
    assert reads == ["all", "all"]


@settings(max_examples=25)
@given(
    gain=st.sampled_from([0.25, 1.0, 3.0, 17.0]),
    shift=st.integers(-2000, 2000),
    name=st.sampled_from(InputName),
    seed=st.integers(0, 5),
)
def test_gain_and_offset_of_the_camera_do_not_matter(gain, shift, name, seed):
    pixels = image((60, 66), "f8", seed)
    wanted = shown(pixels, name)
    np.testing.assert_allclose(shown(pixels * gain + shift, name), wanted, atol=1e-4)
    np.testing.assert_allclose(shown(-pixels * gain + shift, name), -wanted, atol=1e-4)


@INPUTS
@pytest.mark.parametrize(
    "pixels",
    [np.full((9, 9), 7, "u1"), np.full((9, 9), np.nan, "f4"), np.full((1, 30), 1e30), np.zeros((1, 1))],
)
def test_a_blank_plane_is_0(name, pixels):
    channels = shown(pixels, name)
    assert channels.shape == (name.channels, *pixels.shape)
    assert not channels.any()


@INPUTS
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3)])
def test_the_smallest_planes_are_shown(name, shape):
    assert np.isfinite(shown(image(shape), name)).all()


@INPUTS
def test_missing_pixels_are_0_and_the_others_do_not_see_them(name):
    pixels = image((50, 60), "f4")
    holes = np.random.default_rng(1).random(pixels.shape) < 0.1
    found = [shown(np.where(holes, np.float32(value), pixels), name) for value in (np.nan, np.inf, -np.inf)]
    assert not found[0][:, holes].any()
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


@pytest.mark.parametrize("axis", [0, 1])
def test_a_mirror_image_is_shown_mirrored(axis):
    pixels = image((64, 96))
    mirrored = shown(np.ascontiguousarray(np.flip(pixels, axis)))
    np.testing.assert_allclose(np.flip(mirrored, axis + 1), shown(pixels), atol=1e-4)


def test_a_bead_beside_a_much_brighter_object_is_seen_in_the_local_channels():
    y, x = np.indices((256, 256))
    noise = np.random.default_rng(0).normal(300, 4, y.shape)
    bead = (y - 60) ** 2 + (x - 60) ** 2 <= 36
    around = ((y - 60) ** 2 + (x - 60) ** 2 <= 144) & ~bead
    pixels = noise + 150 * bead
    pixels[180:240, 180:240] += 30 * 150
    grey, *local = (channel[bead].mean() - channel[around].mean() for channel in shown(pixels))
    assert grey < 0.1
    assert min(local) > 1
