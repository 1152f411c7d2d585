"""A model file read as a network: the same function, also once its normalisation is open."""

from dataclasses import replace

import numpy as np
import onnx
import torch
from torch import nn

from beadctl.files import sha256
from beadctl.images import InputName
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.training import checkpoint, import_onnx, start
from beadctl.training import export as exporting
from beadctl.training.architecture import Architecture
from beadctl.training.dataset import Simulated, Views
from beadctl.training.export import export
from beadctl.training.import_onnx import reopen
from beadctl.training.unet import UNet


def network_of(found: start.Start) -> UNet:
    network = UNet(replace(found.architecture, dropout=0.0))
    network.load_state_dict(found.state_dict)
    return network.eval()


def samples(count, first=0, size=32, name=InputName.LOCAL):
    views = Views(Simulated(64, size, name), size, 0, None)
    return torch.stack([views[0, index][0] for index in range(first, first + count)])


@torch.no_grad()
def maps(network, images):
    return torch.sigmoid(network(images)).numpy()


def untrained(run_dir, folder):
    """The model file of a network whose folded biases are all zero, so that the exporter leaves them out."""
    state = checkpoint.load(run_dir / "best.pt")
    torch.manual_seed(4)
    fresh = UNet(Architecture(**state.architecture)).state_dict()
    checkpoint.save(replace(state, average=fresh), folder / "fresh.pt")
    export(folder / "fresh.pt", folder / "fresh.onnx")
    return folder / "fresh.onnx"


def same_function(path):
    """Compare a model file with its network, before and after `reopen`, in evaluation and while training."""
    model, found = Model(path, "cpu"), start.weights(str(path))
    network = network_of(found)
    images, others = samples(64), samples(64, first=64)
    wanted, wanted_others = (np.concatenate(model.run(one.numpy()), 1) for one in (images, others))
    assert wanted.std() > 1e-3, "the maps must vary"
    assert np.abs(maps(network, images) - wanted).max() < 1e-4

    closed = np.abs(maps(network_of(found).train(), others) - wanted_others).mean()
    reopen(network.train(), images.split(5))
    assert network.training
    assert np.abs(maps(network.eval(), images) - wanted).max() < 1e-4
    assert np.abs(maps(network, others) - wanted_others).max() < 1e-4
    # While training: equal but for rounding where a batch is all the data, and nearly elsewhere.
    state = {name: value.clone() for name, value in network.state_dict().items()}
    assert np.abs(maps(network.train(), images) - wanted).max() < 1e-4
    network.load_state_dict(state)
    opened = np.abs(maps(network, others) - wanted_others).mean()
    assert opened < 0.04
    assert opened < 0.6 * closed
    return found


def test_a_trained_model_file_is_the_same_function(trained):
    found = same_function(trained.parent / "tiny.onnx")
    assert found.architecture == Architecture(**checkpoint.load(trained / "best.pt").architecture)
    assert found.source == "tiny.onnx"
    assert found.sha256 == sha256(trained.parent / "tiny.onnx")


def test_an_untrained_model_file_is_the_same_function(trained, tmp_path):
    path = untrained(trained, tmp_path)
    graph = onnx.load(path).graph
    assert any(len(node.input) == 2 for node in graph.node if node.op_type == "Conv"), "biases are left out"
    same_function(path)


def test_a_file_with_copied_skips_has_the_same_weights(trained, tmp_path, monkeypatch):
    """Files of version 0.2 have one convolution where those of today have two."""
    paths = [trained.parent / "tiny.onnx", tmp_path / "copied.onnx"]
    monkeypatch.setattr(exporting, "part", lambda network: network)
    network = checkpoint.load(trained / "best.pt").network()
    exporting.write_onnx(network, paths[1], 20, Model(paths[0], "cpu").facts)
    operators = [{node.op_type for node in onnx.load(path).graph.node} for path in paths]
    assert ["Concat" in names for names in operators] == [False, True]
    parted, copied = (import_onnx.read(Model(path, "cpu"))[1] for path in paths)
    assert parted.keys() == copied.keys()
    assert all(torch.equal(parted[name], copied[name]) for name in parted)


def test_the_default_model_is_the_same_function():
    found = start.weights("default")
    model = Model(DEFAULT_MODEL, "cpu")
    images = samples(4, size=64, name=model.facts.normalisation)
    network = network_of(found)
    reopen(network, [images])
    wanted = np.concatenate(model.run(images.numpy()), 1)
    assert np.abs(maps(network, images) - wanted).max() < 1e-4
    assert np.abs(maps(network.train(), images) - wanted).max() < 1e-4
    assert (found.source, found.sha256) == ("default", sha256(DEFAULT_MODEL))
    assert found.architecture.channels == (16, 32, 64, 112, 112)


def test_opening_measures_the_data_as_a_whole(tiny):
    """Each normalisation gets the mean and variance of its input, for any division into batches."""
    network = network_of(start.weights(str(tiny.parent / "tiny.onnx")))
    images = samples(9)
    seen = {}
    hooks = [
        layer.register_forward_pre_hook(lambda layer, given: seen.update({layer: given[0].double()}))
        for layer in network.modules()
        if isinstance(layer, nn.BatchNorm2d)
    ]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    reopen(network, images.split(4))
    assert len(seen) == 10
    for layer, given in seen.items():
        values = given.transpose(0, 1).flatten(1)
        np.testing.assert_allclose(layer.running_mean, values.mean(1), atol=1e-5, rtol=1e-4)
        np.testing.assert_allclose(layer.running_var, values.var(1, correction=0), atol=1e-6, rtol=1e-4)
