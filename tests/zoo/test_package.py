"""Packages of the BioImage Model Zoo: what they state, and their test tensors, as its library takes them."""

import dataclasses
import hashlib
import io
import json
import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest
from helpers.guides import ROOT
from helpers.model import write_model
from PIL import Image

from beadctl.errors import MissingExtraError
from beadctl.images import InMemory, InputName, NetworkInput
from beadctl.model.metadata import METADATA_KEY
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.zoo import require_packages
from beadctl.zoo.documentation import CHANNELS, RULES, documentation
from beadctl.zoo.example import Example, least_edge_px
from beadctl.zoo.package import Package

try:
    require_packages()
    HAS_LIBRARY = True
except MissingExtraError:
    HAS_LIBRARY = False
library = pytest.mark.skipif(not HAS_LIBRARY, reason="the extra bioimageio is not installed")
NAMES = ["README.md", "cover.png", "image.npy", "marker.npy", "plane.npy", "probability.npy", "rdf.yaml"]


def files(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def words(text):
    return " ".join(text.split())


def array(content):
    return np.load(io.BytesIO(content), allow_pickle=False)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """The package of the default model: its path, and its files."""
    path = tmp_path_factory.mktemp("zoo") / "bead.zip"
    Package(path).write(DEFAULT_MODEL)
    return path, files(path)


@library
def test_the_description_states_what_the_model_file_does(packed):
    from bioimageio.spec import load_model_description

    path, held = packed
    assert sorted(held) == sorted([*NAMES, "weights.onnx"])
    described = load_model_description(path)
    facts = Model(DEFAULT_MODEL, "cpu", 1).facts
    assert described.name == f"Microbead segmentation ({facts.name})"
    assert str(described.license) == facts.licence
    assert [author.name for author in described.authors] == ["The beadctl authors"]
    assert {"unet", "instance-segmentation", "2d"} <= set(described.tags)
    assert held["weights.onnx"] == DEFAULT_MODEL.read_bytes()
    assert str(described.weights.onnx.sha256) == hashlib.sha256(held["weights.onnx"]).hexdigest()
    assert described.weights.onnx.opset_version == onnx.load(DEFAULT_MODEL).opset_import[0].version
    (image,) = described.inputs
    batch, channel, *space = image.axes
    assert (batch.type, batch.size) == ("batch", None)
    assert channel.channel_names == list(CHANNELS[facts.normalisation])
    least = least_edge_px(facts)
    assert [(axis.id, axis.size.min, axis.size.step) for axis in space] == [
        (axis, least, facts.stride) for axis in "yx"
    ]
    # The zoo would prepare nothing but the type: the rest is told in words.
    assert {step.id for step in image.preprocessing} == {"ensure_dtype"}
    assert [output.id for output in described.outputs] == ["probability", "marker"]
    for output in described.outputs:
        assert [axis.halo for axis in output.axes[2:]] == [facts.halo] * 2
        assert output.postprocessing == [] or {step.id for step in output.postprocessing} == {"ensure_dtype"}
    assert described.config.beadctl["normalisation"] == facts.normalisation
    assert described.config.beadctl["threshold"] == facts.threshold


@library
def test_the_test_tensors_are_the_networks_own(packed):
    """The input by beadctl's own reading of the plane, the outputs by onnxruntime alone."""
    _, held = packed
    plane, shown = array(held["plane.npy"]), array(held["image.npy"])
    expected = NetworkInput.of(InMemory(plane), InputName.LOCAL).apply(plane)
    np.testing.assert_array_equal(shown, expected[None])
    session = onnxruntime.InferenceSession(held["weights.onnx"], providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for name, found in zip(names, session.run(names, {"image": shown}), strict=True):
        np.testing.assert_allclose(array(held[f"{name}.npy"]), found, atol=1e-5)
    # A test of a network that sees nothing would pass for any network.
    assert 0.05 < np.mean(array(held["probability.npy"]) > 0.5) < 0.5


@library
def test_equal_models_give_equal_bytes(packed, tmp_path):
    Package(tmp_path / "again.zip").write(DEFAULT_MODEL)
    assert (tmp_path / "again.zip").read_bytes() == packed[0].read_bytes()


@library
@pytest.mark.parametrize(("halo", "marker"), [(16, "marker"), (0, None)])
def test_any_model_file_can_be_packed(tmp_path, halo, marker):
    from bioimageio.spec import load_model_description

    path = write_model(tmp_path / "mine.onnx", halo=halo, marker=marker)
    written = Package(tmp_path / "mine.zip", authors=["A. Bead", "B. Pore"], name="mine/1").write(path)
    described = load_model_description(tmp_path / "mine.zip")
    assert described.name == "Microbead segmentation (mine-1)"
    assert [author.name for author in described.authors] == ["A. Bead", "B. Pore"]
    assert [getattr(axis, "halo", 0) for axis in described.outputs[0].axes[2:]] == [halo, halo]
    held = files(tmp_path / "mine.zip")
    assert written.files == len(held) == (8 if marker else 7)
    assert array(held["image.npy"]).shape[:2] == (1, 1)
    # The copy of the model file in the package states the name that was asked for.
    (stated,) = (
        one.value
        for one in onnx.load_model_from_string(held["weights.onnx"]).metadata_props
        if one.key == METADATA_KEY
    )
    assert json.loads(stated)["name"] == "mine/1"
    assert Model(path, "cpu", 1).facts.name == "blobs"


@library
def test_what_is_not_stated_is_asked_for(run, model_path, tmp_path):
    unstated = write_model(tmp_path / "unstated.onnx", facts={"licence": "unspecified"})
    said = run("export", model_path, "--bioimageio", "a.zip")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "--authors" in said.error
    said = run("export", unstated, "--bioimageio", "a.zip", "--authors", "A. Bead")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "--licence CC0-1.0" in said.error
    # Of a run before it is exported.
    said = run("export", "runs/none", "--bioimageio", "a.zip")
    assert said.code == 2
    assert "--authors" in said.error
    assert not (tmp_path / "a.zip").exists()
    said = run(
        "export", unstated, "--bioimageio", "a.zip", "--authors", "A. Bead,B. Pore", "--licence", "CC0-1.0"
    )
    assert said.code == 0, said.err
    assert "model format 0.5" in said.err
    assert not (tmp_path / "bead.onnx").exists()


@library
def test_the_default_model_by_its_word_and_no_file_overwritten(run, packed, tmp_path):
    assert run("export", "default", "--bioimageio", "bead.zip").code == 0
    assert (tmp_path / "bead.zip").read_bytes() == packed[0].read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["bead.zip"]
    said = run("export", "default", "--bioimageio", "bead.zip")
    assert said.code == 3
    assert "--overwrite" in said.error
    assert run("export", "default", "--bioimageio", "bead.zip", "--overwrite", "-q").code == 0
    assert "--bioimageio FILE.zip" in run("export", "default", "--bioimageio", "bead.tar").error


@library
@pytest.mark.slow
def test_the_zoos_own_test_passes(packed):
    core = pytest.importorskip("bioimageio.core")
    summary = core.test_model(str(packed[0]), weight_format="onnx")
    assert summary.status == "passed", summary.display()


def test_a_missing_library_names_its_extra(monkeypatch, tmp_path):
    monkeypatch.setattr("beadctl.errors.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"beadctl\[bioimageio\]"):
        Package(tmp_path / "bead.zip").write(DEFAULT_MODEL)


def test_a_picture_shows_the_plane_beside_the_outlines(model_path):
    example = Example.of(Model(model_path, "cpu", 1))
    height, width = example.plane.shape
    with Image.open(io.BytesIO(example.cover)) as picture:
        assert picture.size == (2 * width, height)
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    coloured = np.ptp(pixels, axis=2) > 0
    assert not coloured[:, :width].any()
    assert coloured[:, width:].any()


@pytest.mark.parametrize("normalisation", InputName)
def test_the_documentation_tells_how_the_input_is_made(normalisation):
    facts = dataclasses.replace(Model(DEFAULT_MODEL, "cpu", 1).facts, normalisation=normalisation)
    text = documentation("a model", facts, ["probability"])
    assert len(CHANNELS[normalisation]) == normalisation.channels
    assert f"[N, {normalisation.channels}, H, W]" in text
    # Word for word those of the guide, which a test compares with the network's input.
    rules = (ROOT / "beadctl/zoo" / RULES[normalisation]).read_text(encoding="utf-8")
    assert words(rules) in words((ROOT / "examples/model-file/README.md").read_text(encoding="utf-8"))
    assert words(rules) in words(text)
    for sigma_px in normalisation.sigmas_px:
        assert f"Gaussian of {sigma_px:g} px" in text
    assert "$" not in text
    assert "## Validation" in text
    assert all(f"{band.fields} fields" in text for band in facts.bands)
    assert "`marker`" not in text


@pytest.mark.parametrize(("halo", "stride", "least"), [(96, 16, 208), (16, 8, 40), (0, 8, 8), (10, 8, 24)])
def test_the_least_size_leaves_room_between_the_halos(model_path, halo, stride, least):
    facts = dataclasses.replace(Model(model_path, "cpu", 1).facts, halo=halo, stride=stride)
    assert least_edge_px(facts) == least
    assert least - 2 * halo >= 1
    assert least - stride - 2 * halo < 1
