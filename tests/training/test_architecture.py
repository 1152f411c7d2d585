"""The numbers of a network, and the receptive field that seamless tiles depend on."""

import json
import math

import numpy as np
import pytest
import torch
from helpers.networks import KINDS, SMALL, ready
from hypothesis import given, settings
from hypothesis import strategies as st

from beadctl.training.architecture import Architecture
from beadctl.training.choices import ArchName
from beadctl.training.unet import UNet


def positive(architecture):
    """A network in which no path cancels another: positive weights, no dead ReLU."""
    network = UNet(architecture).double().eval()
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            parameter.data = parameter.data.abs() + 0.01
        elif name.endswith("bias"):
            parameter.data.fill_(0.1)
    return network


@torch.no_grad()
def influence(network, size, y, x):
    """Largest distances, along either axis, from a perturbed input pixel to outputs that changed."""
    image = torch.rand(1, 1, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    changed = image.clone()
    # The brightest pixel passes every max pooling.
    changed[0, 0, y, x] += 10
    rows, columns = torch.nonzero((network(image) != network(changed))[0].any(0), as_tuple=True)
    return max(int((rows - y).abs().max()), int((columns - x).abs().max()))


@pytest.mark.parametrize("architecture", SMALL, ids=str)
def test_reach_is_exact(architecture):
    """No output depends on a pixel beyond the reach, and some output on one at it."""
    torch.manual_seed(0)
    network, stride, reach = positive(architecture), architecture.stride, architecture.reach_px
    size = (2 * reach // stride + 4) * stride
    middle = size // 2 // stride * stride
    found = [influence(network, size, middle + phase, middle + phase) for phase in range(stride)]
    assert max(found) == reach
    assert architecture.halo_px % stride == 0


@torch.no_grad()
@pytest.mark.parametrize("architecture", SMALL, ids=str)
def test_a_tile_with_its_halo_gives_the_whole_images_pixels(architecture):
    """With a halo of one stride less it does not."""
    torch.manual_seed(0)
    network, halo, stride = positive(architecture), architecture.halo_px, architecture.stride
    core, start = 2 * stride, 2 * halo
    image = torch.rand(1, 1, 4 * halo + core, 4 * halo + core, dtype=torch.float64)
    whole = network(image)[..., start : start + core, start : start + core]

    def largest_difference(margin):
        first, last = start - margin, start + core + margin
        tile = network(image[..., first:last, first:last])[
            ..., margin : margin + core, margin : margin + core
        ]
        return float(((tile - whole) / whole).abs().max())

    assert largest_difference(halo) < 1e-13
    assert largest_difference(halo - stride) > 1e-10


@torch.no_grad()
@pytest.mark.parametrize("architecture", KINDS, ids=str)
def test_tiles_put_together_are_the_whole_image(architecture):
    """Every tile of a grid, those at the border too, with real-valued weights and normalisations."""
    network, halo, stride = ready(architecture).double(), architecture.halo_px, architecture.stride
    height, width, core = 18 * stride, 21 * stride, 5 * stride
    image = torch.randn(1, 1, height, width, dtype=torch.float64)
    put_together = torch.full((1, 2, height, width), math.nan, dtype=torch.float64)
    for top in range(0, height, core):
        for left in range(0, width, core):
            first_row, first_column = max(0, top - halo), max(0, left - halo)
            tile = network(image[..., first_row : top + core + halo, first_column : left + core + halo])
            inner = tile[..., top - first_row :, left - first_column :][..., :core, :core]
            put_together[..., top : top + core, left : left + core] = inner
    torch.testing.assert_close(put_together, network(image), atol=1e-9, rtol=0)


def spread(changed, architecture):
    """Outputs along one axis that depend on the inputs where `changed`, by the network's definition."""

    def convolve(line, spacing=1):
        padded = np.pad(line, spacing)
        return padded[: len(line)] | line | padded[2 * spacing :]

    for _ in range(architecture.depth - 1):
        changed = convolve(convolve(changed)).reshape(-1, 2).any(1)
    changed = convolve(convolve(changed), architecture.dilation)
    for _ in range(architecture.depth - 1):
        changed = convolve(convolve(np.repeat(changed, 2)))
    return changed


@settings(deadline=None, max_examples=60)
@given(depth=st.integers(2, 6), dilation=st.integers(1, 12))
def test_reach_and_halo_are_those_of_a_line_of_pixels(depth, dilation):
    """Forward over a line of booleans, where the network follows intervals backward."""
    architecture = Architecture(1, depth, dilation=dilation)
    stride, reach, halo = architecture.stride, architecture.reach_px, architecture.halo_px
    middle = (reach // stride + 3) * stride
    found, behind = 0, 0
    for pixel in range(middle, middle + stride):
        line = np.zeros(2 * middle + stride, bool)
        line[pixel] = True
        outputs = np.flatnonzero(spread(line, architecture))
        found = max(found, int(np.abs(outputs - pixel).max()))
        # A tile owns whole cells of the grid: how far from this pixel is the furthest cell it changes?
        behind = max(behind, middle - int(outputs.min()) // stride * stride)
    assert (found, behind) == (reach, halo)


def test_known_reach_of_the_usual_network():
    assert (Architecture(16, 4).reach_px, Architecture(16, 4).halo_px, Architecture(16, 4).stride) == (
        51,
        48,
        8,
    )
    assert [Architecture(16, 4, dilation=dilation).halo_px for dilation in (2, 4)] == [56, 72]
    assert {Architecture(16, 4, kind=kind).reach_px for kind in ArchName} == {51}


def test_plain_values_of_a_kind():
    values = Architecture(kind=ArchName.RESUNET).as_dict()
    assert type(values["kind"]) is str
    assert Architecture(**json.loads(json.dumps(values))) == Architecture(kind="resunet")


@pytest.mark.parametrize(
    "numbers",
    [
        {"width": 0},
        {"depth": 1},
        {"dropout": 1.0},
        {"width": 64, "max_channels": 32},
        {"kind": "vnet"},
        {"dilation": 0},
        {"inputs": 0},
    ],
)
def test_impossible_networks_are_refused(numbers):
    with pytest.raises(ValueError, match="impossible"):
        Architecture(**numbers)


def test_channels_double_up_to_their_cap():
    assert Architecture(16, 5).channels == (16, 32, 64, 128, 256)
    assert Architecture(16, 5, max_channels=64).channels == (16, 32, 64, 64, 64)
