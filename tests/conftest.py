"""What the tests share: a small but real model file, images with known beads, and the command line."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import tifffile
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from beadctl import __version__, cli
from beadctl.modelfile import METADATA_KEY, ModelFacts
from beadctl.simulate import render

# Machines that run tests are shared, so the time of one example says nothing.
settings.register_profile("beadctl", deadline=None, max_examples=60)
settings.load_profile("beadctl")

STRIDE = 8


def gaussian(size: int, sigma: float) -> np.ndarray:
    """A normalised Gaussian kernel, (1, 1, size, size)."""
    axis = np.arange(size) - size // 2
    line = np.exp(-0.5 * (axis / sigma) ** 2)
    kernel = np.outer(line, line)
    return (kernel / kernel.sum()).astype(np.float32)[None, None]


def write_model(
    path: Path, *, halo: int = 16, seed: bool = True, facts: dict | None = None, metadata: bool = True
) -> Path:
    """Write a detector of anything brighter or darker than the background, with fixed weights.

    The contrast is smoothed and compared with half the largest contrast of the 3 x 3 cells of 8 px around:
    like a U-Net it looks at a coarse grid, so its answer is right only for blocks on that grid. It reaches
    3 + 8 px beyond a cell, so a halo of 16 px is enough and one of 8 px is not.
    """
    weights = {
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
        helper.make_node("Abs", ["image"], ["contrast"]),
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
    if seed:
        nodes += [
            helper.make_node("Conv", ["contrast", "blur"], ["wide"], kernel_shape=[7, 7], pads=[3] * 4),
            helper.make_node("Sub", ["wide", "middle"], ["peak"]),
            helper.make_node("Mul", ["peak", "steep"], ["height"]),
            helper.make_node("Sigmoid", ["height"], ["seed"]),
        ]
        outputs.append("seed")
    used = {name for node in nodes for name in node.input}
    shape = ["batch", 1, "rows", "columns"]
    graph = helper.make_graph(
        nodes,
        "blobs",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
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
            "seed_threshold": 0.3,
        } | (facts or {})
        helper.set_model_props(model, {METADATA_KEY: ModelFacts(**content).to_json()})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def discs(
    count: int, height: int = 96, width: int = 128, *, dtype=np.uint8, dark: bool = False, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return an image with so many separate discs of 10 px on a noisy background, and its label image."""
    rng = np.random.default_rng([seed, count, height, width])
    places = [(y, x) for y in range(12, height - 11, 24) for x in range(12, width - 11, 24)]
    chosen = rng.permutation(len(places))[:count]
    assert len(chosen) == count
    rows, columns = np.indices((height, width))
    labels = np.zeros((height, width), np.uint16)
    for label, index in enumerate(sorted(chosen), start=1):
        y, x = np.array(places[index]) + rng.uniform(-2, 2, 2)
        labels[(rows - y) ** 2 + (columns - x) ** 2 <= 5.0**2] = label
    image = rng.normal(0.3, 0.004, labels.shape) + 0.4 * (labels > 0)
    # An image without a bead would be stretched to its noise; marks too small to be one give the scale.
    image[2:5, 2:4] = image[2:5, 16:18] = 0.7
    image = 1 - image if dark else image
    return (image * np.iinfo(dtype).max).astype(dtype), labels


@dataclass(frozen=True)
class Said:
    """What the command line answered."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """Its error lines; a traceback is no answer."""
        assert "Traceback" not in self.err
        return [line for line in self.err.splitlines() if line.startswith("error: ")]

    @property
    def error(self) -> str:
        """Its only error line."""
        (line,) = self.errors
        return line


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    """No settings of the person who runs the tests."""
    for name in os.environ:
        if name.startswith("BEADCTL_") and name != "BEADCTL_DATA":
            monkeypatch.delenv(name)
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def model_path(tmp_path_factory) -> Path:
    """A model file that finds blobs of either polarity; stride 8, halo 16."""
    return write_model(tmp_path_factory.mktemp("model") / "blobs.onnx")


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """The command line, in this process and in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Said:
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return call


COUNTS = {
    ("dark.png", 0): 4,
    ("rgb.png", 0): 3,
    ("stack.tif", 0): 2,
    ("stack.tif", 1): 0,
    ("stack.tif", 2): 5,
    ("deep/sixteen.tif", 0): 7,
}


@pytest.fixture
def bead_folder(tmp_path) -> Path:
    """Images as people have them: 8 and 16 bits, PNG, RGB, a stack; `COUNTS` beads, and a simulated one."""
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    Image.fromarray(discs(4, dark=True)[0]).save(folder / "dark.png")
    grey = discs(3)[0]
    Image.fromarray(np.stack([grey, grey // 2, grey], -1)).save(folder / "rgb.png")
    stack = np.stack([discs(count, 64, 128)[0] for count in (2, 0, 5)])
    tifffile.imwrite(folder / "stack.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    tifffile.imwrite(
        folder / "deep" / "sixteen.tif",
        discs(7, dtype=np.uint16)[0],
        ome=True,
        metadata={"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5},
    )
    tifffile.imwrite(folder / "deep" / "sim.tif", render(np.random.default_rng(2), (72, 100)).image)
    return folder
