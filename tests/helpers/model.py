"""A small but real model file."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from beadctl import __version__
from beadctl.images import InputName
from beadctl.model.metadata import METADATA_KEY, ModelFacts

STRIDE = 8


def gaussian(size: int, sigma: float) -> np.ndarray:
    """A normalised Gaussian kernel, (1, 1, size, size)."""
    axis = np.arange(size) - size // 2
    line = np.exp(-0.5 * (axis / sigma) ** 2)
    kernel = np.outer(line, line)
    return (kernel / kernel.sum()).astype(np.float32)[None, None]


def write_model(
    path: Path,
    *,
    halo: int = 16,
    marker: str | None = "marker",
    facts: dict | None = None,
    metadata: bool = True,
) -> Path:
    """Write a model with fixed weights that finds blobs brighter or darker than the background.

    By default its input is that of files before schema 3; of several channels the strongest one counts.
    The contrast is smoothed and compared with half the largest contrast of the 3 x 3 cells of 8 px around.
    Like a U-Net it uses a coarse grid, so that blocks must lie on that grid. Its receptive field reaches
    3 + 8 px beyond a cell: a halo of 16 px is enough and one of 8 px is not.

    `marker` names the second output; None leaves it out.
    """
    facts = {"normalisation": InputName.MEDIAN} | (facts or {})
    weights = {
        "channel": np.array([1], np.int64),
        "smooth": gaussian(5, 1.0),
        "blur": gaussian(7, 1.8),
        "scales": np.array([1, 1, STRIDE, STRIDE], np.float32),
        "share": np.float32(0.5),
        "least": np.float32(0.2),
        "slope": np.float32(12),
        "middle": np.float32(0.5),
        "steep": np.float32(9),
    }
    pads = {"kernel_shape": [5, 5], "pads": [2] * 4}
    nodes = [
        helper.make_node("Abs", ["image"], ["contrasts"]),
        helper.make_node("ReduceMax", ["contrasts", "channel"], ["contrast"], keepdims=1),
        helper.make_node("Conv", ["contrast", "smooth"], ["fine"], **pads),
        helper.make_node(
            "MaxPool", ["fine"], ["cells"], kernel_shape=[STRIDE, STRIDE], strides=[STRIDE, STRIDE]
        ),
        helper.make_node("MaxPool", ["cells"], ["coarse"], kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node(
            "Resize",
            ["coarse", "", "scales"],
            ["around"],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        helper.make_node("Mul", ["around", "share"], ["half"]),
        helper.make_node("Max", ["half", "least"], ["limit"]),
        helper.make_node("Sub", ["fine", "limit"], ["above"]),
        helper.make_node("Mul", ["above", "slope"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
    ]
    outputs = ["probability"]
    if marker:
        nodes += [
            helper.make_node("Conv", ["contrast", "blur"], ["wide"], kernel_shape=[7, 7], pads=[3] * 4),
            helper.make_node("Sub", ["wide", "middle"], ["peak"]),
            helper.make_node("Mul", ["peak", "steep"], ["height"]),
            helper.make_node("Sigmoid", ["height"], [marker]),
        ]
        outputs.append(marker)
    used = {name for node in nodes for name in node.input}
    shape = ["batch", 1, "rows", "columns"]
    graph = helper.make_graph(
        nodes,
        "blobs",
        [
            helper.make_tensor_value_info(
                "image", TensorProto.FLOAT, ["batch", facts["normalisation"].channels, "rows", "columns"]
            )
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    if metadata:
        content = {
            "name": "blobs",
            "licence": "CC0-1.0",
            "beadctl_version": __version__,
            "stride": STRIDE,
            "halo": halo,
            "min_area_px": 12,
            "marker_threshold": 0.3,
        } | facts
        helper.set_model_props(model, {METADATA_KEY: ModelFacts(**content).to_json()})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path
