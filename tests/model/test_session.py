"""Running a model file: maps independent of blocks and threads, older files."""

import contextlib
import json
import subprocess
import sys
import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest
import tifffile
from helpers.images import discs
from helpers.model import write_model
from hypothesis import given
from hypothesis import strategies as st

from beadctl.errors import ModelError
from beadctl.images import InMemory, InputName, Levels, NetworkInput, Window, open_image
from beadctl.model.blocks import blocks
from beadctl.model.metadata import METADATA_KEY
from beadctl.model.session import DEFAULT_MODEL, Maps, Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane
from beadctl.segmentation.prediction import PredictedPlane, find_beads
from beadctl.simulate import render

TILES = (16, 128, 256, 512)


@contextlib.contextmanager
def pixels_of(tmp_path, array):
    path = tmp_path / "plane.tif"
    tifffile.imwrite(path, array, tile=(64, 64))
    with open_image(path).planes[0].open() as pixels:
        yield pixels


@pytest.fixture(scope="module")
def scenes():
    """Simulated planes whose sizes are no multiples of the stride or of a tile."""
    return [render(np.random.default_rng(seed), (height, 331)).image for seed, height in ((3, 203), (8, 157))]


@pytest.mark.parametrize("shown", InputName)
def test_tiles_and_threads_change_neither_maps_nor_labels(shown, scenes, tmp_path):
    path = write_model(tmp_path / "blobs.onnx", facts={"normalisation": shown})
    models = [Model(path, "cpu", threads) for threads in (1, 2)]
    for scene in scenes:
        with pixels_of(tmp_path, scene) as pixels:
            whole = models[0].maps(pixels, tile_size=0)
            labels = label_plane(PredictedPlane(whole), scene, SegmentOptions(0.5, 0.3, 12)).labels
            assert labels.max() > 3, "the image must hold beads"
            for model in models:
                for tile_size in TILES:
                    maps = model.maps(pixels, tile_size=tile_size)
                    np.testing.assert_array_equal(maps.probability, whole.probability)
                    np.testing.assert_array_equal(maps.marker, whole.marker)
                    again = label_plane(PredictedPlane(maps), scene, SegmentOptions(0.5, 0.3, 12)).labels
                    np.testing.assert_array_equal(again, labels)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1.5, -0.2])
def test_values_beyond_0_and_1_are_no_maps(model_path, monkeypatch, value):
    model = Model(model_path, "cpu", 1)
    monkeypatch.setattr(model, "run", lambda tile: [np.full((1, 1, *tile.shape[2:]), value, np.float32)] * 2)
    with pytest.raises(ModelError, match=r"not in 0\.\.1"):
        model.maps(InMemory(np.zeros((32, 32), np.uint8)))


def changed(path, *, facts=None, shape=None):
    """Write a model whose metadata, or the stated shape of whose input, do not fit its network."""
    proto = onnx.load(write_model(path, facts=facts))
    for dimension, size in zip(proto.graph.input[0].type.tensor_type.shape.dim, shape or (), strict=False):
        dimension.dim_value = size
    onnx.save(proto, path)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {"facts": {"stride": 7}},
        {"facts": {"stride": 10**9}},
        {"facts": {"halo": 10**9}},
        {"shape": (1, 1, 64, 72)},
        {"shape": (4, 1)},
        {"shape": (1, 3)},
        {"facts": {"name": 3}},
        {"facts": {"validation": [1]}},
    ],
)
def test_a_network_that_does_not_fit_its_metadata_is_refused_when_it_is_opened(tmp_path, options):
    with pytest.raises(ModelError) as caught:
        Model(changed(tmp_path / "odd.onnx", **options), "cpu", 1)
    assert str(caught.value).startswith(f"{tmp_path / 'odd.onnx'}: ")
    assert "export" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_in_another_file_are_refused(tmp_path):
    path = tmp_path / "split.onnx"
    proto = onnx.load(write_model(path))
    onnx.save(proto, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").exists()
    with pytest.raises(ModelError, match=r"split\.onnx: keeps its weights in another file; save it as one"):
        Model(path, "cpu", 1)
    # An entry of the metadata may have the name.
    whole = onnx.load(write_model(path))
    whole.metadata_props.add(key="location", value="Basel")
    onnx.save(whole, path)
    assert Model(path, "cpu", 1).facts.name == "blobs"


def test_a_file_that_is_larger_than_any_model_is_not_read(tmp_path):
    path = tmp_path / "disk.onnx"
    with path.open("wb") as file:
        file.truncate(2**32)
    with pytest.raises(ModelError, match=r"disk\.onnx: no model, as it has 4,294,967,296 bytes"):
        Model(path, "cpu", 1)


def test_a_halo_that_is_too_small_changes_the_maps(scenes, tmp_path):
    """Shows that the test above can fail."""
    model = Model(write_model(tmp_path / "blind.onnx", halo=0), "cpu", 1)
    with pixels_of(tmp_path, scenes[0]) as pixels:
        whole, tiled = (model.maps(pixels, tile_size=size).probability for size in (0, 64))
    assert (whole != tiled).any()


@pytest.mark.skipif(not DEFAULT_MODEL.exists(), reason="the package has no default model")
def test_the_default_model_is_seamless(scenes, tmp_path):
    model = Model(DEFAULT_MODEL, "cpu", 1)
    options = SegmentOptions(model.facts.threshold, model.facts.marker_threshold, model.facts.min_area_px)
    scene = scenes[1]
    with pixels_of(tmp_path, scene) as pixels:
        results = [model.maps(pixels, tile_size=size) for size in (0, 64, 128)]
    labels = [label_plane(PredictedPlane(maps), scene, options).labels for maps in results]
    for maps, labelled in zip(results, labels, strict=True):
        # Floats that are equal to 1e-5 may round to neighbouring steps of 1/255.
        assert np.abs(maps.probability.astype(int) - results[0].probability.astype(int)).max() <= 1
        np.testing.assert_array_equal(labelled, labels[0])


@given(st.integers(1, 20), st.integers(1, 20))
def test_planes_smaller_than_a_block_have_maps(model_path, tmp_path_factory, height, width):
    model = Model(model_path, "cpu", 1)
    array = np.arange(height * width, dtype=np.uint16).reshape(height, width)
    with pixels_of(tmp_path_factory.mktemp("small"), array) as pixels:
        maps = model.maps(pixels, tile_size=8)
        np.testing.assert_array_equal(maps.probability, model.maps(pixels, tile_size=0).probability)
    assert maps.probability.shape == maps.marker.shape == (height, width)
    assert maps.probability.dtype == np.uint8


def test_maps_are_the_network_on_the_normalised_plane(model_path, tmp_path):
    """Against onnxruntime alone, on a plane that needs no padding."""
    image = discs(6)[0]
    session = onnxruntime.InferenceSession(model_path, providers=["CPUExecutionProvider"])
    ready = np.clip((image.astype(np.float32) - 70) / 100, -3, 3)
    wanted = session.run(["probability", "marker"], {"image": ready[None, None]})
    with pixels_of(tmp_path, image) as pixels:
        shown = NetworkInput.of(pixels, InputName.MEDIAN, Levels(0.0, 70.0, 170.0))
        maps = Model(model_path, "cpu").maps(pixels, tile_size=32, shown=shown)
    for found, answer in zip((maps.probability, maps.marker), wanted, strict=True):
        np.testing.assert_allclose(found / 255, answer[0, 0], atol=0.5 / 255 + 1e-5)


def test_a_model_without_markers_has_no_marker_map(tmp_path):
    model = Model(write_model(tmp_path / "plain.onnx", marker=None), "cpu")
    with pixels_of(tmp_path, discs(5)[0]) as pixels:
        maps = model.maps(pixels)
    assert maps.marker is None
    assert find_beads(maps, SegmentOptions(0.5, 0.3, 12)).labels.max() == 5


def cut(maps, window):
    """The window of whole maps, with its origin."""
    return [plane[window.slices] for plane in maps.planes]


@st.composite
def windows(draw, height, width, stride=8):
    """A window whose origin is on the stride."""
    top, left = (draw(st.integers(0, (edge - 1) // stride)) * stride for edge in (height, width))
    return Window(top, left, draw(st.integers(1, height - top)), draw(st.integers(1, width - left)))


PLANE = InMemory(render(np.random.default_rng(8), (101, 143)).image)


@given(windows(101, 143), st.sampled_from([0, 8, 40, 64, 1024]))
def test_maps_of_a_window_are_the_window_of_the_maps(model_path, window, tile_size):
    model = Model(model_path, "cpu", 1)
    maps = model.maps(PLANE, window, tile_size=tile_size)
    for plane, wanted in zip(maps.planes, cut(model.maps(PLANE), window), strict=True):
        np.testing.assert_array_equal(plane, wanted)


@given(st.sets(st.integers(0, 11)), st.sampled_from([0, 40]))
def test_known_windows_are_copied_and_the_network_runs_for_the_others_alone(model_path, places, tile_size):
    """The cores of 40 px tiles of the plane: 3 rows of 4."""
    model = Model(model_path, "cpu", 1)
    whole = model.maps(PLANE, tile_size=40)
    cores = [block.core for block in blocks(101, 143, tile_size=40, halo=16, stride=8)]
    known = {cores[place]: Maps(*cut(whole, cores[place])) for place in places}
    runs = []
    model.run = lambda tile: runs.append(tile.shape) or Model.run(model, tile)
    maps = model.maps(PLANE, tile_size=tile_size, known=known)
    assert len(runs) == (len(cores) - len(known) if tile_size == 40 else 1)
    for plane, wanted in zip(maps.planes, whole.planes, strict=True):
        np.testing.assert_array_equal(plane, wanted)
    runs.clear()
    assert model.maps(PLANE, tile_size=tile_size, known={Window(0, 0, 101, 143): whole}) is whole
    assert not runs


def test_a_window_off_the_stride_is_refused(model_path):
    with pytest.raises(ValueError, match="multiple of the stride, 8 px"):
        Model(model_path, "cpu").maps(PLANE, Window(4, 0, 16, 16))


def test_a_file_of_schema_1_gives_the_same_maps_and_thresholds(tmp_path):
    """Schema 1 calls the output "seed", and names thresholds after it."""
    path = write_model(tmp_path / "new.onnx", facts={"marker_threshold": 0.35, "marker_rise": 0.11})
    old_path = write_model(tmp_path / "old.onnx", marker="seed")
    new = Model(path, "cpu", 1)
    content = {
        name.replace("marker", "seed"): value for name, value in json.loads(new.facts.to_json()).items()
    } | {"schema": 1}
    proto = onnx.load(old_path)
    onnx.helper.set_model_props(proto, {METADATA_KEY: json.dumps(content)})
    onnx.save(proto, old_path)
    old = Model(old_path, "cpu", 1)
    assert "seed_threshold" in content
    assert [output.name for output in old.session.get_outputs()] == ["probability", "seed"]
    assert old.facts == new.facts
    assert old.facts.normalisation == InputName.MEDIAN
    assert SegmentOptions.of(old.facts) == SegmentOptions.of(new.facts)
    for plane, wanted in zip(old.maps(PLANE).planes, new.maps(PLANE).planes, strict=True):
        np.testing.assert_array_equal(plane, wanted)


@pytest.mark.parametrize("schema", [2, 3])
def test_a_file_that_names_the_median_sees_the_plane_as_before_schema_3(tmp_path, schema):
    path = write_model(tmp_path / "old.onnx")
    proto = onnx.load(path)
    (entry,) = proto.metadata_props
    entry.value = json.dumps(json.loads(entry.value) | {"schema": schema})
    onnx.save(proto, path)
    model = Model(path, "cpu", 1)
    plane = PLANE.pixels.astype(np.float64)
    low, median, high = np.percentile(plane, [0.1, 50, 99.9])
    ready = np.clip((plane - median) / max(high - median, median - low), -3, 3).astype(np.float32)
    missing = [(0, -edge % 8) for edge in plane.shape]
    wanted = model.run(np.pad(ready, missing, mode="reflect")[None, None])
    for found, answer in zip(model.maps(PLANE).planes, wanted, strict=True):
        np.testing.assert_allclose(found / 255, answer[0, 0, :101, :143], atol=0.5 / 255 + 1e-5)


def test_other_files_are_refused(model_path, tmp_path):
    content = model_path.read_bytes()
    text, cut, empty = (tmp_path / name for name in ("text.onnx", "cut.onnx", "empty.onnx"))
    text.write_text("text\n")
    cut.write_bytes(content[: len(content) // 2])
    empty.write_bytes(b"")
    foreign = write_model(tmp_path / "foreign.onnx", metadata=False)
    for path in (text, cut, empty, foreign, tmp_path / "absent.onnx", tmp_path):
        with pytest.raises(ModelError) as caught:
            Model(path, "cpu")
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="no metadata"):
        Model(foreign, "cpu")


def test_for_a_run_or_a_checkpoint_it_is_said_how_to_make_a_model_of_it(tmp_path):
    checkpoint = tmp_path / "best.pt"
    with zipfile.ZipFile(checkpoint, "w") as file:
        file.writestr("best/data.pkl", b"")
    for path in (tmp_path, checkpoint):
        with pytest.raises(ModelError, match="beadctl export makes"):
            Model(path, "cpu")


@pytest.mark.parametrize("closed", [1, 2])
def test_what_onnxruntime_prints_is_kept_from_standard_output(model_path, tmp_path, closed):
    """A fallback is printed by its Python part, other faults by its C++ part; either stream may be closed."""
    odd = tmp_path / "odd.onnx"
    odd.write_bytes(model_path.read_bytes().replace(b"Sigmoid", b"Sig\xddoid"))
    code = (
        "import os, sys; from pathlib import Path; from beadctl.model.session import Model\n"
        f"os.close({closed}); Model(Path(sys.argv[1]), 'cpu', 1)\n"
        "try: Model(Path(sys.argv[2]), 'cpu', 1)\n"
        "except Exception as error: os.write(3 - int(sys.argv[3]), type(error).__name__.encode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, model_path, odd, str(closed)], capture_output=True, timeout=300
    )
    assert (done.stdout, done.stderr) == ((b"", b"ModelError") if closed == 1 else (b"ModelError", b""))


MEMORY = """
import sys
import zipfile
from pathlib import Path
import numpy as np
from beadctl.model.session import DEFAULT_MODEL, Model
def kib(name):
    return next(int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith(name))
model, edge = Model(DEFAULT_MODEL, "cpu", 1), int(sys.argv[1])
before = kib("VmRSS")
tile = np.zeros((1, model.facts.normalisation.channels, edge, edge), np.float32)
for _ in range(2):
    model.run(tile)
print((kib("VmHWM") - before) * 1024 / edge**2, model.bytes_a_pixel)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system tells no peak")
@pytest.mark.parametrize("edge", [704, 1216, pytest.param(2240, marks=pytest.mark.slow)])
def test_a_tile_needs_no_more_memory_than_the_plan_has_for_it(edge):
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(edge)], capture_output=True, text=True, check=True
    )
    used, planned = map(float, done.stdout.split())
    assert planned / 2 < used < planned


@pytest.mark.parametrize(
    ("training", "copied", "expected"),
    [
        ({"width": 16, "arch": "unet"}, False, 288),
        ({"width": 16}, False, 288),
        ({}, False, 288),
        ({"width": 32, "arch": "unet"}, False, 576),
        *(({"width": width}, False, 288) for width in (10**400, -3, 0, 16.5, "wide", None)),
        ({"width": 16, "arch": "resunet"}, False, 384),
        ({"width": 16, "arch": "unet"}, True, 432),
    ],
)
def test_the_memory_of_a_network_grows_with_its_width_and_with_copied_skips(
    tmp_path, training, copied, expected
):
    path = write_model(tmp_path / "model.onnx", facts={"training": training})
    if copied:
        proto = onnx.load(path)
        twice = onnx.helper.make_node("Concat", ["image", "image"], ["twice"], axis=1)
        proto.graph.node.append(twice)
        onnx.save(proto, path)
    assert Model(path, "cpu").bytes_a_pixel == expected
