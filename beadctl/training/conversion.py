"""A model file in lower precision, written only where masks and counts stay near those of its source."""

import contextlib
import dataclasses
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.console import Messages
from beadctl.errors import ModelError, SettingsError
from beadctl.files import atomic
from beadctl.images import Found, Plane, ReadOptions, open_image
from beadctl.model.metadata import require_onnx, require_writable, with_facts
from beadctl.model.runtime import CPU_PROVIDER
from beadctl.model.session import Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.prediction import predict_plane
from beadctl.training.blend import Blend
from beadctl.training.drift import LIMITS, Drift, DriftLimits, drift_of
from beadctl.training.export import ExportOptions, export

# Squares of this edge are kept of what the network is shown, and not more of them than this.
CROP_PX, MOST_CROPS = 256, 128
# Values beyond this share, on either side, are cut off: a few far ones would make all steps coarse.
BEYOND = 1e-5
# Values of each map, in one square, by which the share is measured.
SAMPLED = 20_000


class Reduced(StrEnum):
    """Arithmetic of a converted file: eight-bit integers for CPUs, half precision for GPUs."""

    INT8 = "int8"
    FP16 = "fp16"

    @classmethod
    def asked(cls, source: Path, images: Sequence[Path], *, int8: bool, fp16: bool) -> "Reduced | None":
        """Return which conversion the flags of `export` ask for, if any.

        Raises
        ------
        SettingsError
            If both are asked for, one without images, images without one, or a model file without one.
        """
        if int8 and fp16:
            raise SettingsError("--int8 and --fp16 are two files; export them one after the other")
        asked = cls.INT8 if int8 else cls.FP16 if fp16 else None
        if asked and not images:
            raise SettingsError(f"--{asked} needs images to compare on: --calibration IMAGES")
        if not asked and images:
            raise SettingsError("--calibration is for --int8 or --fp16; add one of them")
        if not asked and source.suffix == ".onnx":
            raise SettingsError(f"{source}: is a model file already; add --int8, --fp16 or --bioimageio")
        return asked


def convert(
    source: Path,
    out: Path,
    precision: Reduced,
    images: Sequence[Found],
    *,
    read: ReadOptions = ReadOptions(),
    overwrite: bool = False,
    limits: DriftLimits = LIMITS,
    messages: Messages,
) -> Drift:
    """Write a model file in lower precision, with the facts of its source; a failure leaves no file.

    With `Reduced.INT8` the ranges of all values are those that occur on the images, but for the farthest
    (`BEYOND`), at the scales at which the network is shown them. The first and the last convolutions stay in
    single precision: the ones see the image, the others make the maps.

    Parameters
    ----------
    source, out : Path
        A model file in single precision, and the ``.onnx`` file to write.
    precision : Reduced
        Its arithmetic.
    images : sequence of Found
        On which ranges are measured and both files are compared, on the CPU.
    read : ReadOptions
        How they are read.
    overwrite : bool
        Replace `out`.
    limits : DriftLimits
        How far the beads of both files may differ.
    messages : Messages
        Prints progress.

    Raises
    ------
    OutputError
        If `out` exists, does not end in ``.onnx``, or cannot be written.
    ModelError
        If the source cannot be used or is of lower precision itself, the images hold no bead, or both files
        differ by more than the limits.
    ImageError
        If an image cannot be read.
    MissingExtraError
        If the package onnx is not installed.
    """
    require_writable(out, "-o", overwrite=overwrite)
    onnx = require_onnx()
    planes = [plane for item in images for plane in open_image(item.path, read).planes]
    model = Watched(source)
    if model.facts.precision != "fp32":
        raise ModelError(f"{source}: is {model.facts.precision} already; convert the file it was made of")
    options = SegmentOptions.of(model.facts, read=read)
    proto = onnx.load(source)
    with atomic(out) as temporary:
        if precision is Reduced.INT8:
            _watch(model, planes, options, messages)
            proto = _in_int8(proto, model.crops)
        else:
            proto = _in_fp16(proto)
        facts = dataclasses.replace(model.facts, precision=precision.value)
        temporary.write_bytes(with_facts(proto.SerializeToString(), facts))
        with messages.progress(len(planes), "comparing") as advance:
            drift = drift_of(model, Model(temporary, "cpu"), planes, options, advance)
        drift.require(limits, out, precision)
        return drift


def _watch(model: "Watched", planes: Sequence[Plane], options: SegmentOptions, messages: Messages) -> None:
    """Show a network planes as `segment` does."""
    with messages.progress(len(planes), "calibrating") as advance:
        for plane in planes:
            with plane.open() as pixels:
                predict_plane(pixels, model, options, pixel_size_um=plane.pixel_size_um)
            advance()


@contextlib.contextmanager
def in_single_precision(run: Path, options: ExportOptions, blend: Blend | None = None) -> Iterator[Path]:
    """Yield the model file to convert: `run` itself if it is one, else a temporary one.

    Parameters and errors are those of `beadctl.training.export.export`.
    """
    if run.suffix == ".onnx":
        yield run
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{run.name}.onnx"
        export(run, path, options, blend=blend)
        yield path


class Watched(Model):
    """A model that keeps squares of what it is shown; on the CPU.

    Attributes
    ----------
    crops : list of ndarray of float32, shape (1, C, H, W)
        A random choice, one of a run, at most `MOST_CROPS`.
    """

    def __init__(self, path: Path) -> None:
        self.crops: list[NDArray[np.float32]] = []
        self._runs, self._rng = 0, np.random.default_rng(0)
        super().__init__(path, "cpu")
        # What was shown to try the network is no image.
        self.crops, self._runs = [], 0

    def run(self, tile: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the network; see `Model.run`."""
        # Reservoir sampling: every run of the network has the same chance to be kept.
        self._runs += 1
        place = int(self._rng.integers(self._runs)) if self._runs > MOST_CROPS else len(self.crops)
        if place < MOST_CROPS:
            self.crops[place : place + 1] = [self._crop(tile)]
        return super().run(tile)

    def _crop(self, tile: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a square from a random place of a tile."""
        parts = []
        for length in tile.shape[2:]:
            edge = min(length, CROP_PX)
            start = int(self._rng.integers(length - edge + 1))
            parts.append(slice(start, start + edge))
        return tile[:1, :, parts[0], parts[1]].copy()


def _in_int8(proto: Any, crops: Sequence[NDArray[np.float32]]) -> Any:
    """Return a network with pairs of QuantizeLinear and DequantizeLinear around its inner nodes.

    Weights are signed with a scale a channel and use seven of their bits: the products of eight-bit weights
    overflow on processors without VNNI, which then give other counts.
    """
    onnx = require_onnx()
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(crops[:1])

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            crop = next(self._left, None)
            return None if crop is None else {"image": crop}

    for index, node in enumerate(proto.graph.node):
        node.name = node.name or f"{node.op_type}_{index}"
    # Of onnxruntime's own ways, one keeps the farthest value, and the others hold all maps of all squares.
    ranges = {name: [{"rmin": low, "rmax": high}] for name, (low, high) in _ranges_of(proto, crops).items()}
    with tempfile.TemporaryDirectory() as folder, _quiet():
        plain, written = (Path(folder) / name for name in ("plain.onnx", "int8.onnx"))
        onnx.save(proto, plain)
        quantize_static(
            plain,
            written,
            Reader(),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            nodes_to_exclude=sorted(_outer_nodes(proto.graph)),
            extra_options={"TensorQuantOverrides": ranges},
        )
        return onnx.load(written)


def _ranges_of(proto: Any, crops: Sequence[NDArray[np.float32]]) -> dict[str, tuple[np.float32, np.float32]]:
    """Return the range of each map of a network, 0 included, without the share `BEYOND` on either side."""
    import onnxruntime

    onnx = require_onnx()
    told = onnx.ModelProto()
    told.CopyFrom(proto)
    names = [name for node in told.graph.node for name in node.output]
    del told.graph.output[:]
    told.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(told.SerializeToString(), providers=[CPU_PROVIDER])
    rng = np.random.default_rng(0)
    sampled: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for crop in crops:
        for name, values in zip(names, session.run(names, {"image": crop}), strict=True):
            sampled[name].append(rng.choice(values.ravel(), min(SAMPLED, values.size)))
    ends = {name: np.quantile(np.concatenate(of), (BEYOND, 1 - BEYOND)) for name, of in sampled.items()}
    return {
        name: (np.float32(min(low, 0.0)), np.float32(max(high, 0.0))) for name, (low, high) in ends.items()
    }


def _in_fp16(proto: Any) -> Any:
    """Return a network that computes in half precision; its input and its maps stay single."""
    require_onnx()
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    with _quiet():
        half = convert_float_to_float16(proto, keep_io_types=True)
        # Before onnxruntime 1.32, a value that stays single for two nodes is converted by two equal nodes.
        nodes = list({node.SerializeToString(): node for node in half.graph.node}.values())
        del half.graph.node[:]
        half.graph.node.extend(nodes)
        # It adds the conversions of the input at the end, where ONNX wants them before their use.
        OnnxModel.graph_topological_sort(half.graph)
    # Of some values it still states the type that they had.
    del half.graph.value_info[:]
    return half


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what converters log of the steps that they would have liked to see before."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _outer_nodes(graph: Any) -> set[str]:
    """Return the nodes from the input to the first convolutions, and from the last ones to the outputs."""
    by_input: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            by_input.setdefault(name, []).append(node)
    by_output = {name: [node] for node in graph.node for name in node.output}
    outer: set[str] = set()
    for ends, neighbours, side in ((graph.input, by_input, "output"), (graph.output, by_output, "input")):
        names = [end.name for end in ends]
        while names:
            for node in neighbours.get(names.pop(), []):
                outer.add(node.name)
                if node.op_type != "Conv":
                    names += getattr(node, side)
    return outer
