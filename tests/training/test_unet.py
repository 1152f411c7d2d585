"""The network's architecture, and the receptive field that seamless tiles depend on."""

import hashlib
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from beadctl.training import checkpoint, export
from beadctl.training.architecture import Architecture
from beadctl.training.choices import ArchName
from beadctl.training.unet import PRIOR, UNet

SMALL = [
    *(Architecture(2, depth) for depth in (2, 3, 4)),
    *(Architecture(2, 3, kind=kind, dilation=dilation) for kind in ArchName for dilation in (1, 2, 4)),
]
KINDS = [Architecture(4, 3, kind=kind, dilation=2) for kind in ArchName]


def ready(architecture, seed=0):
    """A network whose normalisations have statistics and factors away from 0 and 1."""
    torch.manual_seed(seed)
    network = UNet(architecture).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
    return network


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


@pytest.mark.parametrize(
    ("architecture", "tensors", "names"),
    [(Architecture(4, 3), 66, "0c2bb8b636b4b8ec"), (Architecture(), 92, "7e213924f1ad6466")],
    ids=str,
)
def test_the_plain_network_keeps_the_names_of_its_weights(architecture, tensors, names):
    """Checkpoints of earlier versions must load."""
    state = UNet(architecture).state_dict()
    assert (len(state), hashlib.sha256("\n".join(state).encode()).hexdigest()[:16]) == (tensors, names)


def test_first_weights_depend_on_the_seed_and_are_scaled_by_their_inputs():
    """He initialisation: a variance of 2 over the number of inputs of each kernel, and biases of 0."""
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(UNet(Architecture(16, 4)).state_dict())
    same, other = (all(torch.equal(states[0][k], state[k]) for k in state) for state in states[1:])
    assert (same, other) == (True, False)
    for name, weight in states[0].items():
        if weight.ndim == 4 and weight.numel() > 1000:
            assert weight.var().item() == pytest.approx(2 / weight[0].numel(), rel=0.15), name
        elif name.startswith("shrink") and name.endswith("bias"):
            assert (weight == 0).all()


def test_a_checkpoint_from_before_there_were_kinds_loads(tmp_path):
    network = UNet(Architecture(4, 2)).eval()
    architecture = network.architecture.as_dict()
    del architecture["kind"], architecture["dilation"]
    saved_and_loaded(network, architecture, tmp_path)


@pytest.mark.parametrize("architecture", KINDS, ids=str)
def test_each_kind_comes_back_from_its_checkpoint(architecture, tmp_path):
    saved_and_loaded(ready(architecture), architecture.as_dict(), tmp_path)


def saved_and_loaded(network, architecture, folder):
    state = checkpoint.Checkpoint(
        architecture=architecture,
        model=network.state_dict(),
        average=network.state_dict(),
        optimizer={},
        scaler={},
        rng={},
        epoch=1,
        step=1,
        best_epoch=1,
        best_score=0.5,
        elapsed_s=1.0,
        history=[],
        settings={},
    )
    checkpoint.save(state, folder / "best.pt")
    back = checkpoint.load(folder / "best.pt").network()
    image = torch.randn(1, 1, 32, 32)
    assert back.architecture == network.architecture
    assert torch.equal(back(image), network(image))


def test_plain_values_of_a_kind():
    values = Architecture(kind=ArchName.RESUNET).as_dict()
    assert type(values["kind"]) is str
    assert Architecture(**json.loads(json.dumps(values))) == Architecture(kind="resunet")


@torch.no_grad()
@pytest.mark.parametrize("architecture", KINDS, ids=str)
def test_folding_leaves_no_normalisation_and_the_same_maps(architecture):
    network = ready(architecture).double()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    folded = export.fold(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    image = torch.randn(2, 1, 32, 24, dtype=torch.float64)
    torch.testing.assert_close(folded(image), network(image), atol=1e-10, rtol=1e-10)
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize("architecture", KINDS, ids=str)
def test_the_exported_network_is_the_trained_one(architecture, tmp_path):
    """At several sizes and batch sizes: `verify` refuses a file that differs."""
    onnx = pytest.importorskip("onnx")
    network = ready(replace(architecture, inputs=3))
    facts = export.ModelFacts(
        name="tiny",
        licence="CC0-1.0",
        beadctl_version="0",
        stride=architecture.stride,
        halo=architecture.halo_px,
        threshold=0.5,
        marker_threshold=0.5,
        min_area_px=4,
        diameter_px=None,
        polarity="both",
        training={},
        data="",
        validation={},
    )
    path = tmp_path / "tiny.onnx"
    export.write_onnx(network, path, 20, facts)
    rng = np.random.default_rng(1)
    images = [rng.normal(0, 1, shape).astype(np.float32) for shape in ((3, 32, 44), (3, 40, 24))]
    report = export.verify(path, network, images, facts)
    assert report.comparisons == 5
    assert report.largest_difference < 1e-5
    operators = {node.op_type for node in onnx.load(path).graph.node}
    assert not operators & {"BatchNormalization", "Concat"}
    assert ("Mul" in operators) == (architecture.kind == ArchName.ATTENTION_UNET)


@torch.no_grad()
@pytest.mark.parametrize("architecture", KINDS, ids=str)
def test_channels_last_gives_the_same_maps(architecture):
    network = ready(architecture).double()
    image = torch.randn(2, 1, 24, 32, dtype=torch.float64)
    plain = network(image)
    last = network.to(memory_format=torch.channels_last)(image.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, plain, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("architecture", KINDS, ids=str)
def test_every_weight_learns(architecture):
    torch.manual_seed(0)
    network = UNet(architecture).train()
    # Squared, as the plain sum of what a normalisation gives does not depend on its input.
    network(torch.randn(4, 1, 32, 32)).square().mean().backward()
    still = [name for name, weight in network.named_parameters() if not weight.grad.abs().max() > 0]
    assert still == []


@torch.no_grad()
def test_a_residual_block_passes_its_input_on():
    """With the two convolutions silent, what comes out of every block is its shortcut alone."""
    network = ready(Architecture(4, 3, max_channels=4, kind="resunet"))
    block = network.down[1][0]
    block.body[-1].weight.zero_()
    block.body[-1].bias.zero_()
    signal = torch.rand(1, 4, 8, 8)
    assert torch.equal(block(signal), signal)
    assert torch.equal(block(-signal), torch.zeros_like(signal))


@torch.no_grad()
def test_a_gate_shuts_its_skip():
    """Shut, open and half open, by the offset of the last normalisation alone."""
    network = ready(Architecture(4, 3, kind="attention-unet"))
    gate = network.gate[0]
    skip, signal = torch.randn(2, 1, 8, 6, 6)
    gate.attention[-1].weight.zero_()
    for offset, share in ((-200.0, 0.0), (0.0, 0.5), (200.0, 1.0)):
        gate.attention[-1].bias.fill_(offset)
        assert torch.equal(gate(skip, signal), share * skip)
    # Shutting every skip changes the output.
    image = torch.randn(1, 1, 32, 32)
    opened = network(image)
    for one in network.gate:
        one.attention[-1].weight.zero_()
        one.attention[-1].bias.fill_(-200.0)
    shut = network(image)
    assert not torch.allclose(shut, opened, atol=1e-3)


@torch.no_grad()
def test_a_gate_looks_at_its_own_pixel_only():
    gate = ready(Architecture(4, 3, kind="attention-unet")).gate[0]
    skip, signal = torch.randn(2, 1, 8, 6, 6)
    changed = signal.clone()
    changed[..., 2, 3] += 1
    rows, columns = torch.nonzero((gate(skip, changed) != gate(skip, signal))[0].any(0), as_tuple=True)
    assert (rows.tolist(), columns.tolist()) == ([2], [3])


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
