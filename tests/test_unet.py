"""The network's shape, and the reach that seamless tiles depend on."""

import math

import pytest
import torch

from beadctl.training.unet import PRIOR, Architecture, UNet

SMALL = [Architecture(2, depth) for depth in (2, 3, 4)]


def positive(architecture):
    """A network in which every path counts and none cancels: positive weights, no dead ReLU."""
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
    # Brighter than all else, so that it also passes every max pooling.
    changed[0, 0, y, x] += 10
    rows, columns = torch.nonzero((network(image) != network(changed))[0].any(0), as_tuple=True)
    return max(int((rows - y).abs().max()), int((columns - x).abs().max()))


@pytest.mark.parametrize("architecture", SMALL, ids=str)
def test_reach_is_exact(architecture):
    """No pixel is reached from beyond it, and some pixel is reached from just there."""
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
    """And with one stride less it does not: the halo is neither too small nor too large."""
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


def test_known_reach_of_the_usual_network():
    assert (Architecture(16, 4).reach_px, Architecture(16, 4).halo_px, Architecture(16, 4).stride) == (
        51,
        48,
        8,
    )


@pytest.mark.parametrize("architecture", [*SMALL, Architecture(4, 3, max_channels=8)], ids=str)
def test_two_maps_of_the_inputs_size(architecture):
    stride = architecture.stride
    logits = UNet(architecture).eval()(torch.zeros(3, 1, 4 * stride, 6 * stride))
    assert logits.shape == (3, 2, 4 * stride, 6 * stride)


def test_starts_near_its_prior():
    torch.manual_seed(0)
    network = UNet(Architecture(8, 3)).eval()
    assert torch.sigmoid(network.head.bias).tolist() == pytest.approx([PRIOR, PRIOR])
    assert network(torch.zeros(1, 1, 32, 32)).mean().item() == pytest.approx(
        math.log(PRIOR / (1 - PRIOR)), abs=0.5
    )


def test_dropout_only_while_training():
    torch.manual_seed(0)
    network = UNet(Architecture(4, 3, dropout=0.5))
    image = torch.randn(1, 1, 16, 16)
    assert not torch.equal(network.train()(image), network(image))
    assert torch.equal(network.eval()(image), network(image))


@pytest.mark.parametrize(
    "numbers", [{"width": 0}, {"depth": 1}, {"dropout": 1.0}, {"width": 64, "max_channels": 32}]
)
def test_impossible_networks_are_refused(numbers):
    with pytest.raises(ValueError, match="impossible"):
        Architecture(**numbers)


def test_channels_double_up_to_their_cap():
    assert Architecture(16, 5).channels == (16, 32, 64, 128, 256)
    assert Architecture(16, 5, max_channels=64).channels == (16, 32, 64, 64, 64)
