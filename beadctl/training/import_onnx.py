"""Trainable weights from an exported model file: batch normalisation is put back."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from beadctl.errors import ModelError
from beadctl.model.metadata import ModelFacts
from beadctl.model.session import Model
from beadctl.training.architecture import Architecture
from beadctl.training.choices import ArchName
from beadctl.training.unet import UNet

# Largest difference of the file and the network made from it that rounding explains.
TOLERANCE = 1e-4
# The cap on the channels of files that do not state one.
FIRST_CAP = 512

Kernel = tuple[Tensor, Tensor | None]


def read(model: Model) -> tuple[Architecture, dict[str, Tensor]]:
    """Read the network of a model file.

    Convolutions are matched by their order of execution, which is the same in the file and in the network; by
    name they would not match, as the exporter drops zeros and merges equal tensors. A convolution of a skip
    beside the level below it is two in the file, or one in files of version 0.2. The folded bias of a
    convolution becomes that of a batch normalisation that is otherwise the identity, until `reopen` gives it
    statistics. File and network must then agree on the same input.

    Parameters
    ----------
    model : Model
        An ``.onnx`` file that beadctl exported, opened.

    Returns
    -------
    architecture, state : Architecture and dict of str to Tensor
        By the file's facts; and for ``UNet(architecture).load_state_dict``, float32 on the CPU.

    Raises
    ------
    ModelError
        If the file is incomplete, or its weights and facts disagree.
    """
    path = model.path
    kernels = _kernels(path)
    architecture = _architecture(model.facts, path)
    foreign = ModelError(
        f"{path}: its weights are not those of the network that its facts describe; "
        "start from a file that beadctl export wrote, or from its run"
    )
    # Facts may state any size: depth and halo are compared first, then shapes on a device without memory.
    if architecture.depth > len(kernels) or architecture.halo_px > model.facts.halo:
        raise foreign
    try:
        with torch.device("meta"):
            network = UNet(architecture).eval()
        state = _state(network, kernels)
    except RuntimeError:
        raise foreign from None
    if state is None:
        raise foreign
    network.load_state_dict(state, assign=True)
    if not _difference(model, network) <= TOLERANCE:
        raise foreign
    return architecture, state


@torch.no_grad()
def reopen(network: UNet, batches: Iterable[Tensor]) -> None:
    """Give the batch normalisations of a network from `read` the statistics of training data.

    With mean m and variance v of its input x over the data, and its bias b, a normalisation is set to
    ``sqrt(v + eps) * (x - m) / sqrt(v + eps) + (m + b)``. That is x + b as before, also while training as far
    as a batch has the statistics of the data. As the network's function does not change, one pass measures
    the inputs of all normalisations.

    Parameters
    ----------
    network : UNet
        Changed in place.
    batches : iterable of Tensor
        Training samples, (N, C, S, S) float, on the network's device.
    """
    layers = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    measured = {layer: _Moments(layer.num_features) for layer in layers}
    hooks = [
        layer.register_forward_pre_hook(lambda layer, given: measured[layer].add(given[0]))
        for layer in layers
    ]
    mode = network.training
    network.eval()
    try:
        for batch in batches:
            network(batch)
    finally:
        network.train(mode)
        for hook in hooks:
            hook.remove()
    for layer, moments in measured.items():
        assert layer.running_mean is not None
        assert layer.running_var is not None
        layer.running_mean.copy_(moments.mean)
        layer.running_var.copy_(moments.variance)
        layer.weight.copy_((moments.variance + layer.eps).sqrt())
        layer.bias.add_(moments.mean.to(layer.bias))


class _Moments:
    """Mean and variance of each channel over all batches, by the update of Chan, Golub, LeVeque (1979)."""

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.mean = torch.zeros(channels, dtype=torch.float64)
        self.squares = torch.zeros_like(self.mean)

    @property
    def variance(self) -> Tensor:
        return self.squares / max(self.count, 1)

    def add(self, x: Tensor) -> None:
        """Take in (N, channels, H, W)."""
        variance, mean = (one.double().cpu() for one in torch.var_mean(x.float(), (0, 2, 3), correction=0))
        count = x.numel() // x.shape[1]
        total, away = self.count + count, mean - self.mean
        self.squares += variance * count + away.square() * (self.count * count / total)
        self.mean += away * (count / total)
        self.count = total


def _kernels(path: Path) -> list[Kernel]:
    """Return weight and bias of each convolution of a file, in the order in which they run."""
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    held = {tensor.name: tensor for tensor in graph.initializer}

    def values(name: str) -> Tensor:
        tensor = held.get(name)
        if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT or tensor.external_data:
            raise ModelError(
                f"{path}: does not hold its weights as plain float32; "
                "start from a file that beadctl export wrote, or from its run"
            )
        return torch.from_numpy(np.array(onnx.numpy_helper.to_array(tensor)))

    return [
        # The exporter drops a bias of zeros.
        (values(node.input[1]), values(node.input[2]) if len(node.input) > 2 and node.input[2] else None)
        for node in graph.node
        if node.op_type == "Conv"
    ]


def _architecture(facts: ModelFacts, path: Path) -> Architecture:
    stated: Any = facts.training
    try:
        return Architecture(
            width=int(stated["width"]),
            depth=int(stated["depth"]),
            dropout=float(stated.get("dropout", 0)),
            max_channels=int(stated.get("max_channels", FIRST_CAP)),
            kind=str(stated.get("arch", ArchName.UNET.value)),
            dilation=int(stated.get("dilation", 1)),
            inputs=facts.normalisation.channels,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise ModelError(
            f"{path}: does not state the shape of its network; start from the run that it was exported from"
        ) from None


def _state(network: UNet, kernels: list[Kernel]) -> dict[str, Tensor] | None:
    """Return the weights by the network's names, or None where they do not fit."""
    order = _order(network)
    # A normalisation follows the convolution that it was folded into.
    places = [place for place, (_, module) in enumerate(order) if isinstance(module, nn.Conv2d)]
    pairs = [(order[place], order[place + 1 : place + 2]) for place in places]
    whole = _whole(kernels, [convolution.weight.shape for (_, convolution), _ in pairs])
    if whole is None:
        return None
    state: dict[str, Tensor] = {}
    for ((name, convolution), after), (weight, bias) in zip(pairs, whole, strict=True):
        channels = convolution.weight.shape[0]
        bias = torch.zeros(channels) if bias is None else bias
        if weight.shape != convolution.weight.shape or bias.shape != (channels,):
            return None
        state[f"{name}.weight"] = weight
        if convolution.bias is not None:
            state[f"{name}.bias"] = bias
            continue
        ((place, layer),) = after
        state |= {
            f"{place}.weight": torch.full((channels,), 1 + layer.eps).sqrt(),
            f"{place}.bias": bias,
            f"{place}.running_mean": torch.zeros(channels),
            f"{place}.running_var": torch.ones(channels),
            f"{place}.num_batches_tracked": torch.tensor(0),
        }
    return state


def _whole(kernels: list[Kernel], shapes: list[torch.Size]) -> list[Kernel] | None:
    """Return one kernel a shape, of which a file may have two halves; None where they are too few or many."""
    left, whole = iter(kernels), list[Kernel]()
    for shape in shapes:
        weight, bias = next(left, (None, None))
        if weight is not None and 2 * weight.shape[1] == shape[1]:
            other, _ = next(left, (torch.empty(0), None))
            if other.shape != weight.shape:
                return None
            weight = torch.cat((weight, other), 1)
        if weight is None:
            return None
        whole.append((weight, bias))
    return None if next(left, None) else whole


def _order(network: UNet) -> list[tuple[str, Any]]:
    """Return the convolutions and normalisations with their names in the order in which they run."""
    names = {module: name for name, module in network.named_modules()}
    order: list[tuple[str, Any]] = []
    hooks = [
        module.register_forward_pre_hook(lambda module, _: order.append((names[module], module)))
        for module in names
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    ]
    network(
        torch.empty(
            1,
            network.architecture.inputs,
            network.architecture.stride,
            network.architecture.stride,
            device="meta",
        )
    )
    for hook in hooks:
        hook.remove()
    return order


@torch.inference_mode()
def _difference(model: Model, network: UNet) -> float:
    """Return the largest difference of the maps of a file and a network; infinity for other shapes."""
    edge = 8 * network.architecture.stride
    image = (
        np.random.default_rng(0).normal(0, 1, (1, network.architecture.inputs, edge, edge)).astype(np.float32)
    )
    wanted = np.concatenate(model.run(image), axis=1)
    found = torch.sigmoid(network(torch.from_numpy(image))).numpy()
    return float(np.abs(wanted - found).max()) if wanted.shape == found.shape else float("inf")
