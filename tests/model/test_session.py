"""A model file at work: the same maps whatever the tiles and threads, and no device but the one asked for."""

import contextlib

import numpy as np
import onnxruntime
import pytest
import tifffile
from helpers.images import discs
from helpers.model import write_model
from hypothesis import given
from hypothesis import strategies as st

from beadctl.errors import DeviceError, ModelError
from beadctl.images import Normalisation, open_image
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.segmentation.plane import PredictedPlane, SegmentOptions, label_maps, label_plane
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
    """Simulated planes whose sizes are no multiples of anything."""
    return [render(np.random.default_rng(seed), (height, 331)).image for seed, height in ((3, 203), (8, 157))]


def test_tiles_and_threads_change_neither_maps_nor_labels(model_path, scenes, tmp_path):
    models = [Model(model_path, "cpu", threads) for threads in (1, 2)]
    for scene in scenes:
        with pixels_of(tmp_path, scene) as pixels:
            whole = models[0].maps(pixels, tile_size=0)
            labels = label_plane(PredictedPlane(whole), scene, SegmentOptions(0.5, 0.3, 12)).labels
            assert labels.max() > 3, "an image without beads would prove nothing"
            for model in models:
                for tile_size in TILES:
                    maps = model.maps(pixels, tile_size=tile_size)
                    np.testing.assert_array_equal(maps.probability, whole.probability)
                    np.testing.assert_array_equal(maps.marker, whole.marker)
                    again = label_plane(PredictedPlane(maps), scene, SegmentOptions(0.5, 0.3, 12)).labels
                    np.testing.assert_array_equal(again, labels)


def test_too_small_a_halo_would_show(scenes, tmp_path):
    """The proof that the test above can fail."""
    model = Model(write_model(tmp_path / "blind.onnx", halo=0), "cpu", 1)
    with pixels_of(tmp_path, scenes[0]) as pixels:
        whole, tiled = (model.maps(pixels, tile_size=size).probability for size in (0, 64))
    assert (whole != tiled).any()


@pytest.mark.skipif(not DEFAULT_MODEL.exists(), reason="the package has no default model")
def test_the_default_model_is_seamless_too(scenes, tmp_path):
    model = Model(DEFAULT_MODEL, "cpu", 1)
    recipe = SegmentOptions(model.facts.threshold, model.facts.marker_threshold, model.facts.min_area_px)
    scene = scenes[1]
    with pixels_of(tmp_path, scene) as pixels:
        results = [model.maps(pixels, tile_size=size) for size in (0, 64, 128)]
    labels = [label_plane(PredictedPlane(maps), scene, recipe).labels for maps in results]
    for maps, labelled in zip(results, labels, strict=True):
        # The maps are in 256 steps, so an equal float to 1e-5 may still round to the neighbouring step.
        assert np.abs(maps.probability.astype(int) - results[0].probability.astype(int)).max() <= 1
        np.testing.assert_array_equal(labelled, labels[0])


@given(st.integers(1, 20), st.integers(1, 20))
def test_planes_smaller_than_the_network_have_maps(model_path, tmp_path_factory, height, width):
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
    normalisation = Normalisation(70.0, 100.0)
    ready = np.clip((image.astype(np.float32) - 70) / 100, -3, 3)
    wanted = session.run(["probability", "marker"], {"image": ready[None, None]})
    with pixels_of(tmp_path, image) as pixels:
        maps = Model(model_path, "cpu").maps(pixels, tile_size=32, normalisation=normalisation)
    for found, answer in zip((maps.probability, maps.marker), wanted, strict=True):
        np.testing.assert_allclose(found / 255, answer[0, 0], atol=0.5 / 255 + 1e-5)


def test_a_model_without_markers_has_no_marker_map(tmp_path):
    model = Model(write_model(tmp_path / "plain.onnx", marker=False), "cpu")
    with pixels_of(tmp_path, discs(5)[0]) as pixels:
        maps = model.maps(pixels)
    assert maps.marker is None
    assert label_maps(maps, SegmentOptions(0.5, 0.3, 12)).max() == 5


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="CUDA is here")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_device_that_is_not_there_is_refused(model_path, device):
    with pytest.raises(DeviceError, match=rf"--device {device}: .*--device cpu") as caught:
        Model(model_path, device)
    assert "\n" not in str(caught.value)


def test_a_device_that_fails_to_start_is_refused_and_auto_goes_on(model_path, monkeypatch):
    """onnxruntime lists a provider that then cannot start, and would go on with the CPU in silence."""
    listed = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: listed)
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda path, options, providers: real(path, options, providers=["CPUExecutionProvider"]),
    )
    with pytest.raises(DeviceError, match="could not start CUDA"):
        Model(model_path, "cuda")
    assert Model(model_path, "auto").device == "cpu"


def test_models_that_are_not_ours_are_refused(model_path, tmp_path):
    content = model_path.read_bytes()
    text, cut, empty = (tmp_path / name for name in ("text.onnx", "cut.onnx", "empty.onnx"))
    text.write_text("these are words, not a network\n")
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
