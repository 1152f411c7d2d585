"""Files that a run cannot start from, each refused in one line."""

import math
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from helpers.model import write_model
from helpers.starting import facts_of
from helpers.training import one_line
from onnx import TensorProto, numpy_helper

from beadctl.errors import ModelError
from beadctl.model.metadata import with_facts
from beadctl.training import checkpoint, start
from beadctl.training.architecture import Architecture
from beadctl.training.unet import UNet


def wrong(kind, path, tiny):
    """Make a file or folder that cannot be started from, out of the model file at `path`."""
    proto, folder = onnx.load(path), path.parent
    kernel = next(one for one in proto.graph.initializer if one.name.endswith("down.1.0.weight"))
    match kind:
        case "missing":
            return folder / "absent.onnx"
        case "folder":
            (folder / "empty").mkdir()
            return folder / "empty"
        case "text":
            path.write_text("not a model")
        case "cut":
            path.write_bytes(path.read_bytes()[:2000])
        case "foreign":
            write_model(path)
        case "no metadata":
            del proto.metadata_props[:]
            onnx.save(proto, path)
        case "shapeless":
            path.write_bytes(with_facts(path.read_bytes(), replace(facts_of(path), training={"width": 4})))
        case "no training":
            path.write_bytes(with_facts(path.read_bytes(), replace(facts_of(path), training=[1])))
        case "half":
            values = numpy_helper.to_array(kernel).astype(np.float16)
            kernel.CopyFrom(numpy_helper.from_array(values, kernel.name + ".half"))
            name = kernel.name.removesuffix(".half")
            cast = onnx.helper.make_node("Cast", [kernel.name], [name], to=TensorProto.FLOAT)
            proto.graph.node.insert(0, cast)
            onnx.save(proto, path)
        case "outside":
            onnx.save(proto, path, save_as_external_data=True, size_threshold=200, location="weights.bin")
        case "strange checkpoint":
            path = folder / "other.pt"
            torch.save(UNet(Architecture(2, 2)).state_dict(), path)
        case "unfitting checkpoint":
            state = checkpoint.load(tiny / "best.pt")
            path = folder / "other.pt"
            checkpoint.save(replace(state, architecture=Architecture(8, 3).as_dict()), path)
        case "impossible checkpoint":
            state = checkpoint.load(tiny / "best.pt")
            path = folder / "other.pt"
            checkpoint.save(replace(state, architecture={"rooms": 3}), path)
        case "strange joiner":
            state = checkpoint.load(tiny / "best.pt")
            path = folder / "other.pt"
            checkpoint.save(replace(state, facts={**state.facts, "joiner": {"least": 2}}), path)
        case changed:
            facts = facts_of(path)
            training = facts.training | changed
            path.write_bytes(with_facts(path.read_bytes(), replace(facts, training=training)))
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "no such file to start from; give default,"),
        ("folder", r"no best\.pt to start from"),
        ("text", "not a model"),
        ("cut", "not a model"),
        ("foreign", "does not state the shape"),
        ("no metadata", "not a beadctl model"),
        ("shapeless", "does not state the shape"),
        ("no training", "its metadata has"),
        ("half", "plain float32"),
        ("outside", "keeps its weights in another file"),
        ("strange checkpoint", "another program"),
        ("unfitting checkpoint", "damaged checkpoint"),
        ("strange joiner", "damaged checkpoint"),
        ("impossible checkpoint", "damaged checkpoint"),
        *(
            (changed, "not those of the network")
            for changed in (
                {"width": 8},
                {"depth": 4},
                {"depth": 2},
                {"depth": 10_000},
                {"width": 10**12, "max_channels": 10**13},
                {"arch": "resunet"},
                # The same shapes, and another function.
                {"dilation": 3},
                # Beyond 64 bits.
                {"dilation": 10**30},
            )
        ),
        ({"arch": "transformer"}, "does not state the shape"),
        ({"dropout": 2}, "does not state the shape"),
        ({"width": math.inf}, "does not state the shape"),
    ],
    ids=str,
)
def test_files_that_cannot_be_started_from(tiny, tmp_path, kind, words):
    shutil.copy(tiny.parent / "tiny.onnx", tmp_path / "model.onnx")
    path = wrong(kind, tmp_path / "model.onnx", tiny)
    with pytest.raises(ModelError, match=words) as error:
        start.weights(str(path))
    assert path.name in one_line(error)
