"""The network: its maps, its weights, its checkpoints and its model file."""

import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.networks import KINDS, SMALL, ready
from torch import nn

from beadctl.training import checkpoint, export
from beadctl.training.architecture import Architecture
from beadctl.training.choices import ArchName
from beadctl.training.unet import PRIOR, UNet


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
