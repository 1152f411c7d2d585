"""Model files in lower precision: self-describing standard ONNX, and no file where beads differ too much."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import tifffile

torch = pytest.importorskip("torch")

from helpers.model import write_model
from helpers.training import TINY as SMALL
from onnxruntime.transformers import float16

from beadctl.console import Messages
from beadctl.errors import DeviceError, ModelError, OutputError, SettingsError
from beadctl.evaluation.metrics import MatchCounts
from beadctl.images import InMemory, find
from beadctl.model.metadata import METADATA_KEY
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.simulate import render, write
from beadctl.training.conversion import MOST_CROPS, Reduced, Watched, convert
from beadctl.training.drift import LIMITS, Drift, DriftLimits
from beadctl.training.options import TrainOptions
from beadctl.training.train import train

QUIET = Messages.of(quiet=True, verbose=False)
TINY = dataclasses.replace(SMALL, simulate=2, validation_scenes=1, epochs=1)
EXAMPLES = Path(__file__).parents[2] / "examples" / "images"
# What any conversion meets, and what none does.
ANY, NONE = DriftLimits(9.0, 9.0, 9.0), DriftLimits(-1.0, -1.0, -1.0)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    write(folder, 2, 128, 5)
    return find([folder / "images"])


@pytest.fixture(scope="module")
def converted(scenes, tmp_path_factory):
    """Both files of the default model, and their drift."""
    folder = tmp_path_factory.mktemp("converted")
    return {
        precision: (
            folder / f"{precision}.onnx",
            convert(
                DEFAULT_MODEL, folder / f"{precision}.onnx", precision, scenes, limits=ANY, messages=QUIET
            ),
        )
        for precision in Reduced
    }


@pytest.mark.parametrize("precision", Reduced)
def test_a_converted_file_is_standard_onnx_with_the_facts_of_its_source(converted, precision):
    path, _ = converted[precision]
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    source = onnx.load(DEFAULT_MODEL)
    assert {node.domain for node in proto.graph.node} <= {"", "ai.onnx"}
    assert proto.ir_version <= source.ir_version
    assert 18 <= next(one.version for one in proto.opset_import if one.domain in ("", "ai.onnx")) <= 20
    assert [one.key for one in proto.metadata_props].count(METADATA_KEY) == 1
    assert not any(tensor.external_data for tensor in proto.graph.initializer)
    facts = Model(path, "cpu", 1).facts
    assert facts == dataclasses.replace(Model(DEFAULT_MODEL, "cpu", 1).facts, precision=precision.value)
    (stated,) = (one.value for one in proto.metadata_props if one.key == METADATA_KEY)
    assert json.loads(stated)["precision"] == precision


def test_int8_of_the_default_model_counts_as_it_does_on_the_example_images(tmp_path):
    """Far values in a few pixels do not make the steps of all others coarse."""
    convert(DEFAULT_MODEL, tmp_path / "int8.onnx", Reduced.INT8, find([EXAMPLES]), messages=QUIET)
    assert Model(tmp_path / "int8.onnx", "cpu", 1).facts.precision == "int8"


def test_int8_weights_are_signed_seven_bits_with_a_scale_a_channel(converted):
    """Between the outer convolutions, which stay in single precision."""
    graph = onnx.load(converted[Reduced.INT8][0]).graph
    tensors = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    kernels = [made_by.get(node.input[1]) for node in graph.node if node.op_type == "Conv"]
    inner = [node for node in kernels if node is not None]
    assert len(kernels) - len(inner) == 2
    for node in inner:
        assert node.op_type == "DequantizeLinear"
        weights, scale, zero = (tensors[name] for name in node.input)
        assert weights.dtype == np.int8
        assert np.abs(weights.astype(int)).max() <= 64
        assert scale.shape == (len(weights),)
        assert not zero.any()


def test_fp16_has_half_the_bytes_and_takes_and_gives_single_precision(converted):
    path, drift = converted[Reduced.FP16]
    assert path.stat().st_size < 0.6 * DEFAULT_MODEL.stat().st_size
    model = Model(path, "cpu", 1)
    tile = np.zeros((1, model.facts.normalisation.channels, 64, 64), np.float32)
    assert {one.dtype for one in model.run(tile)} == {np.dtype(np.float32)}
    assert drift.beads > 0


def test_values_that_are_converted_twice_make_one_node(scenes, tmp_path, monkeypatch):
    """As by onnxruntime before 1.32, which cannot load what it writes then."""
    real = float16.convert_float_to_float16

    def twice(*arguments, **named):
        half = real(*arguments, **named)
        half.graph.node.extend([node for node in half.graph.node if node.op_type == "Cast"])
        return half

    monkeypatch.setattr(float16, "convert_float_to_float16", twice)
    source, out = write_model(tmp_path / "blobs.onnx"), tmp_path / "half.onnx"
    convert(source, out, Reduced.FP16, scenes, limits=ANY, messages=QUIET)
    proto = onnx.load(out)
    onnx.checker.check_model(proto, full_check=True)
    assert "Cast" in {node.op_type for node in proto.graph.node}


@pytest.mark.gpu
@pytest.mark.skipif(
    "CUDAExecutionProvider" not in onnxruntime.get_available_providers(), reason="no CUDA device here"
)
def test_half_precision_on_a_gpu_gives_the_maps_of_the_cpu(converted):
    try:
        model = Model(converted[Reduced.FP16][0], "cuda", 1)
    except DeviceError as error:
        pytest.skip(str(error))
    plane = InMemory(render(np.random.default_rng(8), (96, 160)).image)
    for found, wanted in zip(
        model.maps(plane).planes, Model(DEFAULT_MODEL, "cpu", 1).maps(plane).planes, strict=True
    ):
        assert np.abs(found.astype(int) - wanted).mean() < 0.5


@pytest.mark.parametrize("precision", Reduced)
def test_maps_of_a_converted_file_are_near_and_seamless(converted, precision):
    model = Model(converted[precision][0], "cpu", 1)
    plane = InMemory(render(np.random.default_rng(8), (101, 143)).image)
    whole, single = model.maps(plane), Model(DEFAULT_MODEL, "cpu", 1).maps(plane)
    for tiled, one, wanted in zip(
        model.maps(plane, tile_size=64).planes, whole.planes, single.planes, strict=True
    ):
        assert np.abs(tiled.astype(int) - one).max() <= 1
        assert np.abs(one.astype(int) - wanted).mean() < (8 if precision is Reduced.INT8 else 0.5)


@pytest.mark.parametrize("precision", Reduced)
def test_a_file_that_drifts_too_far_is_not_written(scenes, tmp_path, precision):
    out = tmp_path / "far.onnx"
    with pytest.raises(ModelError, match=f"{precision} drifts too far: .* no file was written") as caught:
        convert(DEFAULT_MODEL, out, precision, scenes, limits=NONE, messages=QUIET)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_converted_is_refused(converted, scenes, tmp_path):
    path, _ = converted[Reduced.FP16]
    with pytest.raises(ModelError, match="is fp16 already"):
        convert(path, tmp_path / "again.onnx", Reduced.INT8, scenes, messages=QUIET)
    with pytest.raises(OutputError, match="already exists"):
        convert(DEFAULT_MODEL, path, Reduced.FP16, scenes, messages=QUIET)
    with pytest.raises(OutputError, match=r"ends in \.onnx"):
        convert(DEFAULT_MODEL, tmp_path / "model.bin", Reduced.FP16, scenes, messages=QUIET)
    image = tmp_path / "blank.tif"
    tifffile.imwrite(image, np.full((64, 64), 7, np.uint8))
    with pytest.raises(ModelError, match="without a bead in the images fp16"):
        convert(DEFAULT_MODEL, tmp_path / "none.onnx", Reduced.FP16, find([image]), messages=QUIET)
    assert not list(tmp_path.glob("*.onnx"))


def test_the_command_converts_a_model_file_and_a_run(run, scenes, tmp_path):
    folder = scenes[0].path.parent
    said = run("export", DEFAULT_MODEL, "--fp16", "--calibration", folder, "-o", "half.onnx")
    assert said.code == 0, said.err
    assert "beads in 2 planes became" in said.err
    assert Model(tmp_path / "half.onnx", "cpu", 1).facts.precision == "fp16"
    train(TINY, tmp_path / "run", tiles=None, options=TrainOptions(device="cpu", workers=0, threads=1))
    # Too few steps to find a bead.
    none = run("export", "run", "--int8", "--calibration", folder, "-o", "none.onnx")
    assert none.code == 3
    assert "none.onnx: without a bead in the images" in none.err
    assert not (tmp_path / "none.onnx").exists()


@pytest.mark.parametrize(
    ("source", "images", "flags", "word"),
    [
        ("run", ["a"], {"int8": True, "fp16": True}, "two files"),
        ("run", [], {"int8": True, "fp16": False}, "--calibration IMAGES"),
        ("run", ["a"], {"int8": False, "fp16": False}, "--int8 or --fp16"),
        ("bead.onnx", [], {"int8": False, "fp16": False}, "model file already"),
    ],
)
def test_flags_that_do_not_fit_are_refused(tmp_path, source, images, flags, word):
    with pytest.raises(SettingsError, match=word):
        Reduced.asked(tmp_path / source, images, **flags)


def test_flags_ask_for_a_conversion(tmp_path):
    assert Reduced.asked(tmp_path, [], int8=False, fp16=False) is None
    assert Reduced.asked(tmp_path, [tmp_path], int8=True, fp16=False) is Reduced.INT8
    assert Reduced.asked(tmp_path / "a.onnx", [tmp_path], int8=False, fp16=True) is Reduced.FP16


def test_drift_is_measured_in_counts_beads_and_outlines():
    drift = Drift(2, 200, 201, 3, MatchCounts(199, 2, 1), MatchCounts(9000, 100, 50), 3000.0)
    assert drift.figures == DriftLimits(0.015, pytest.approx(1 - 398 / 401), 0.05)
    drift.require(DriftLimits(0.015, 0.01, 0.05), DEFAULT_MODEL, "int8")
    for name in ("counts", "unmatched", "outline_px"):
        with pytest.raises(ModelError, match="drifts too far"):
            drift.require(dataclasses.replace(drift.figures, **{name: 1e-4}), DEFAULT_MODEL, "int8")
    same = Drift(1, 10, 10, 0, MatchCounts(10), MatchCounts(500), 200.0)
    same.require(LIMITS, DEFAULT_MODEL, "int8")


def test_watched_keeps_what_the_network_is_shown_and_no_more_than_fits(tmp_path):
    path = write_model(tmp_path / "blobs.onnx")
    model = Watched(path)
    assert model.crops == []
    rng = np.random.default_rng(0)
    tiles = [rng.standard_normal((1, 1, 8, 16)).astype(np.float32) for _ in range(MOST_CROPS + 40)]
    for tile in tiles:
        model.run(tile)
    assert len(model.crops) == MOST_CROPS
    shown = {tile.tobytes() for tile in tiles}
    kept = {crop.tobytes() for crop in model.crops}
    assert len(kept) == MOST_CROPS
    assert kept <= shown
    assert kept & {tile.tobytes() for tile in tiles[MOST_CROPS:]}
    wide = Watched(path)
    wide.run(np.zeros((2, 1, 320, 64), np.float32))
    assert wide.crops[0].shape == (1, 1, 256, 64)
