"""Validation runs the network as inference does."""

import numpy as np
import pytest
import torch

from beadctl.images import InMemory, InputName, Mirrored, NetworkInput
from beadctl.images.normalisation import NORMALISED
from beadctl.segmentation.options import SegmentOptions
from beadctl.training.architecture import Architecture
from beadctl.training.shown import INPUT, shown
from beadctl.training.unet import UNet
from beadctl.training.validation import compared, maps


def with_gap():
    """A normalised image whose right part, and one pixel, have no values."""
    image = np.random.default_rng(3).normal(0, 0.5, (40, 48)).astype(np.float32)
    image[:, 30:] = np.nan
    image[5, 6] = np.inf
    return image


@pytest.mark.parametrize("name", InputName)
def test_pixels_without_a_value_are_shown_as_at_inference(name):
    """The channels are those of the plane; the pixels are those of a mirror, as far as it reaches."""
    plane = InMemory(with_gap())
    channels = shown(with_gap(), name)
    np.testing.assert_array_equal(
        channels, NetworkInput.of(plane, name, NORMALISED).apply(Mirrored(plane).read_all())
    )
    np.testing.assert_array_equal(channels[0, :, 30:46], channels[0, :, 29:13:-1])
    assert not channels[0, :, 46:].any()
    assert channels[0, 5, 6] != 0


def test_no_bead_is_found_in_a_gap():
    network = UNet(Architecture(4, 3, inputs=3)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        # All is foreground.
        list(network.parameters())[-1].fill_(9.0)
    image, true = with_gap(), np.zeros((40, 48), np.int32)
    true[:, :30] = 1
    labels, score = compared(network, image, true, torch.device("cpu"), SegmentOptions(0.5, 0.5, 10))
    assert labels[:, :30].all()
    assert not labels[:, 30:].any()
    assert score.pixels.jaccard == 1


def test_pixels_of_probability_0_are_background_whatever_the_threshold():
    network = UNet(Architecture(4, 3, inputs=3)).eval()
    with torch.no_grad():
        # No pixel is foreground.
        list(network.parameters())[-1].fill_(-20.0)
    image, true = np.zeros((40, 48), np.float32), np.zeros((40, 48), np.int32)
    labels, score = compared(network, image, true, torch.device("cpu"), SegmentOptions(0.001, 0.5, 1))
    assert not labels.any()
    assert score.pixels.fp == 0


def test_validation_pads_like_inference(tiles):
    """Whole images of any size are mirrored below and to the right to whole strides."""
    torch.manual_seed(0)
    network = UNet(Architecture(4, 3, inputs=3)).eval()
    image = np.random.default_rng(0).normal(0, 0.5, (37, 50)).astype(np.float32)
    found = maps(network, image, torch.device("cpu"))
    assert [(plane.shape, plane.dtype) for plane in found.planes] == [(image.shape, np.uint8)] * 2
    wide = np.pad(shown(image, INPUT), ((0, 0), (0, 3), (0, 2)), mode="reflect")
    with torch.no_grad():
        answer = network(torch.from_numpy(wide)[None])[0, :, :37, :50].sigmoid() * 255
    # A value that lies on a half may round either way when convolutions sum in another order.
    assert np.abs(answer[0].numpy() - found.probability).max() < 0.5 + 1e-3
    assert np.abs(answer[1].numpy() - found.marker).max() < 0.5 + 1e-3
