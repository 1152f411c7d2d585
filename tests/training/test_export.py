"""From a run to a model file: verified, self-contained, without local paths."""

import csv
import getpass
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import tifffile
from helpers.images import discs

torch = pytest.importorskip("torch")

from beadctl.errors import ModelError, OutputError
from beadctl.images import InputName
from beadctl.model.session import Model
from beadctl.training import checkpoint
from beadctl.training import export as exporting
from beadctl.training.blend import Blend
from beadctl.training.export import ExportOptions
from beadctl.training.fold import fold
from beadctl.training.options import TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.start import weights
from beadctl.training.train import train

PLAN = TrainingPlan(
    simulate=4,
    size=32,
    epochs=1,
    batch_size=2,
    width=4,
    depth=3,
    validation_scenes=2,
    warmup_epochs=0,
    seed=3,
)
OPTIONS = TrainOptions(device="cpu", workers=0, threads=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run of a few steps."""
    folder = tmp_path_factory.mktemp("training") / "run"
    train(PLAN, folder, options=OPTIONS)
    return folder


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "beads.onnx"
    options = ExportOptions(name="tiny", licence="CC0-1.0", threshold=0.4, min_area_px=9)
    return path, exporting.export(trained, path, options)


def test_a_run_becomes_a_model_with_its_facts(trained, exported):
    path, report = exported
    facts = Model(path, "cpu").facts
    network = checkpoint.load(trained / "best.pt").network()
    assert (facts.name, facts.licence, facts.normalisation) == ("tiny", "CC0-1.0", InputName.LOCAL)
    assert (facts.threshold, facts.marker_threshold, facts.min_area_px) == (0.4, PLAN.marker_threshold, 9)
    assert (facts.stride, facts.halo) == (network.architecture.stride, network.architecture.halo_px)
    assert facts.training["loss"] == "combined"
    assert facts.training["seed"] == 3
    assert facts.data
    assert "val_jaccard" in facts.validation
    assert report.size_bytes == path.stat().st_size
    assert report.largest_difference <= exporting.TOLERANCE
    assert report.comparisons >= 5


def test_the_file_is_self_contained_standard_onnx(exported):
    path, _ = exported
    proto = onnx.load(path, load_external_data=False)
    assert not any(tensor.external_data for tensor in proto.graph.initializer)
    assert {node.domain for node in proto.graph.node} == {""}
    assert [(item.domain, item.version) for item in proto.opset_import if item.domain == ""] == [("", 20)]
    assert proto.ir_version <= 10
    assert proto.producer_name == "beadctl"
    assert [item.key for item in proto.metadata_props] == ["beadctl"]
    assert not any("BatchNormalization" in node.op_type for node in proto.graph.node)
    assert [path] == list(path.parent.iterdir())


def test_nothing_of_this_machine_is_in_the_file(exported):
    content = exported[0].read_bytes()
    for word in (
        sys.prefix,
        str(Path(exporting.__file__).parents[2]),
        "site-packages",
        str(Path.home()),
        str(Path.cwd()),
    ):
        if len(word) > 4:
            assert word.encode() not in content, word
    assert b".py" not in content
    if len(getpass.getuser()) > 4:
        assert getpass.getuser().encode() not in content


def test_any_batch_and_size_is_taken(trained, exported):
    path, _ = exported
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    network = checkpoint.load(trained / "best.pt").network()
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape[1]) == ("image", "tensor(float)", 3)
    rng = np.random.default_rng(1)
    for shape in ((1, 3, 4, 4), (3, 3, 24, 60), (2, 3, 100, 36)):
        image = rng.normal(0, 1, shape).astype(np.float32)
        probability, marker = session.run(["probability", "marker"], {"image": image})
        with torch.inference_mode():
            wanted = torch.sigmoid(network(torch.from_numpy(image))).numpy()
        np.testing.assert_allclose(np.concatenate([probability, marker], 1), wanted, atol=1e-5)


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="convolutions there are others")
def test_onnxruntime_adds_up_the_parts_of_a_convolution_while_it_computes_them(exported, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(exported[0], options, providers=["CPUExecutionProvider"])
    operators = {node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node}
    assert "Conv" in operators
    assert not operators & {"Add", "Concat", "Relu"}


@pytest.mark.parametrize("opset", [18, 19])
def test_older_operator_sets(trained, tmp_path, opset):
    path = tmp_path / "old.onnx"
    exporting.export(trained, path, ExportOptions(opset=opset))
    assert next(item.version for item in onnx.load(path).opset_import if item.domain == "") == opset


@pytest.fixture
def copied(exported, monkeypatch):
    """Have `export` take the file of an earlier export of the same network: the exporter takes seconds."""

    def write(network, path, opset, facts):
        shutil.copyfile(exported[0], path)

    monkeypatch.setattr(exporting, "write_onnx", write)
    return write


def test_an_existing_file_is_kept(trained, copied, tmp_path):
    path = tmp_path / "beads.onnx"
    path.write_text("mine")
    with pytest.raises(OutputError, match="--overwrite"):
        exporting.export(trained, path)
    assert path.read_text() == "mine"
    exporting.export(trained, path, overwrite=True)
    assert Model(path, "cpu").facts.stride == 4


def test_a_name_without_the_ending_of_a_model_file_is_refused(trained, copied, tmp_path):
    """It would be completed to that of a file that may exist."""
    kept = tmp_path / "beads.onnx"
    kept.write_text("mine")
    with pytest.raises(OutputError, match=r"beads: a model file ends in \.onnx"):
        exporting.export(trained, tmp_path / "beads")
    assert kept.read_text() == "mine"


def test_a_model_that_differs_from_the_trained_one_is_never_written(trained, copied, tmp_path, monkeypatch):
    def tampered(network, path, opset, facts):
        copied(network, path, opset, facts)
        proto = onnx.load(path)
        weights = proto.graph.initializer[0]
        values = onnx.numpy_helper.to_array(weights) + np.float32(0.05)
        weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
        onnx.save(proto, path)

    monkeypatch.setattr(exporting, "write_onnx", tampered)
    with pytest.raises(ModelError, match="differs from the trained one") as caught:
        exporting.export(trained, tmp_path / "beads.onnx")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def undecided_network(trained):
    """A network whose maps are, throughout, between two levels of 255."""
    network = checkpoint.load(trained / "best.pt").network()
    level = 101.5 / 255
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.fill_(np.log(level / (1 - level)) - 1e-5)
    return network


@pytest.fixture(scope="module")
def undecided_file(trained, exported, tmp_path_factory):
    """The file of such a network, and its facts."""
    path = tmp_path_factory.mktemp("undecided") / "undecided.onnx"
    facts = replace(Model(exported[0], "cpu").facts, threshold=102 / 255)
    exporting.write_onnx(undecided_network(trained), path, 20, facts)
    return path, facts


@pytest.fixture
def undecided(trained, undecided_file):
    """Compare the file with its network moved a little: the least difference changes the count."""
    network, (path, facts) = undecided_network(trained), undecided_file

    def verify(shift: float, **changed):
        with torch.no_grad():
            network.head.bias.add_(shift)
        images = [
            np.random.default_rng(1).normal(size=(facts.normalisation.channels, 64, 64)).astype(np.float32)
        ]
        return exporting.verify(path, network, images, replace(facts, **changed))

    return verify


def test_a_count_that_rounding_explains_is_reported_and_no_failure(undecided):
    report = undecided(2e-5)
    assert 1e-6 < report.largest_difference < exporting.TOLERANCE
    assert report.recounted == report.comparisons
    assert f"changes the counts of {report.recounted}" in str(report)


def test_beads_are_counted_by_all_numbers_of_the_file(undecided):
    assert undecided(2e-5, min_confidence=0.9).recounted == 0


def test_equal_counts_do_not_excuse_maps_that_differ(undecided):
    with pytest.raises(ModelError, match=r"differs from the trained one \(by .*1e-04 is allowed"):
        undecided(-1e-3)


def test_the_exporter_logs_nothing(trained, tmp_path):
    """In a process of its own: torch gives each warning once a process."""
    path = tmp_path / "beads.onnx"
    done = subprocess.run(
        [sys.executable, "-m", "beadctl", "export", trained, "-o", path],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    # The F1 of a run of a few steps is low.
    report, doubt = done.stderr.splitlines()
    assert "in no count" in report
    assert "validation F1" in doubt
    assert done.stderr.startswith(f"{path}: ")
    assert path.exists()


@pytest.fixture(scope="module")
def tuned(trained, tmp_path_factory) -> Path:
    """A run of a few steps that started from `trained`."""
    folder = tmp_path_factory.mktemp("tuning") / "run"
    start = weights(str(trained))
    plan = start.planned(replace(PLAN, seed=4, lr=1e-2))
    train(plan, folder, start=start, options=OPTIONS)
    return folder


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_blended_weights_are_the_mean_of_both(trained, tuned, share):
    own, start = checkpoint.load(tuned / "best.pt").network(), checkpoint.load(trained / "best.pt").network()
    mean = Blend(weights(str(trained)), share).of(own)
    moved = 0.0
    for one, ours, theirs in zip(*(n.parameters() for n in (mean, fold(own), fold(start))), strict=True):
        torch.testing.assert_close(one, (1 - share) * ours + share * theirs)
        moved += (ours - theirs).detach().abs().sum().item()
    assert moved > 0


def test_a_run_blended_with_its_own_weights_does_not_change(trained, exported, tmp_path):
    """Its checkpoint and the file exported from it are the same network, folded or not."""
    image = np.random.default_rng(5).normal(size=(1, 3, 64, 64)).astype(np.float32)
    want = Model(exported[0], "cpu").run(image)
    for number, other in enumerate((trained, exported[0])):
        path = tmp_path / f"{number}.onnx"
        exporting.export(trained, path, blend=Blend(weights(str(other)), 0.3))
        for found, wanted in zip(Model(path, "cpu").run(image), want, strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_blended_model_names_the_blend_and_has_no_figures(trained, tuned, tmp_path, run):
    path = tmp_path / "blended.onnx"
    assert run("export", tuned, "-o", path, "--blend", trained, "--blend-share", 0.75).code == 0
    facts = Model(path, "cpu").facts
    start = facts.training["start"]
    assert facts.training["blend"] == {**start, "share": 0.75}
    assert facts.validation == {}


def test_weights_of_another_shape_cannot_be_blended(trained, tmp_path, run):
    done = run("export", trained, "-o", tmp_path / "x.onnx", "--blend", "default")
    assert done.code == 3
    assert "default: is a network of another shape" in done.err
    assert not (tmp_path / "x.onnx").exists()


def test_a_model_of_a_low_f1_says_so(run, tmp_path):
    """At the end of training, when it is exported, and when it is used."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for index in range(4):
        for folder, array in zip(("images", "masks"), discs(9, 96, 96, seed=index), strict=True):
            tifffile.imwrite(tmp_path / folder / f"{index}.tif", array)
    assert run("tile", "images", "masks", "-o", "tiles", "--size", "48", "--overlap", "0").code == 0
    tiny = ("--width", "2", "--depth", "2", "--workers", "0", "--device", "cpu", "--steps-per-epoch", "1")
    said = run("train", "--tiles", "tiles", "-o", "runs/a", "--epochs", "1", "--lr", "1e-9", *tiny)
    assert said.code == 0
    assert "samples of 48 px, by the tiles in tiles" in said.err
    assert "do not rely on counts of this model" in said.err
    assert "try more --epochs" in said.err
    assert json.loads((tmp_path / "runs/a/run.json").read_text())["plan"]["size"] == 48
    said = run("export", "runs/a", "-o", "a.onnx")
    assert said.code == 0
    assert "warning: a.onnx: its validation F1 is 0.0" in said.err
    assert "val_f1" in Model(tmp_path / "a.onnx", "cpu").facts.validation
    for command in ("count", "segment"):
        said = run(command, "images", "-m", "a.onnx")
        assert "warning: a.onnx: its validation F1 is 0.0" in said.err
    assert "its validation F1" not in run("count", "images").err


def test_a_size_that_was_asked_for_is_kept(run, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for index in range(3):
        for folder, array in zip(("images", "masks"), discs(6, 70, 100, seed=index), strict=True):
            tifffile.imwrite(tmp_path / folder / f"{index}.tif", array)
    # Tiles of 70 x 100 px, smaller than the size asked for.
    assert run("tile", "images", "masks", "-o", "tiles", "--size", "128").code == 0
    tiny = ("--width", "2", "--depth", "2", "--workers", "0", "--device", "cpu", "--steps-per-epoch", "1")
    for flags, size in (((), 64), (("--size", "96"), 96)):
        out = f"runs/{size}"
        said = run("train", "--tiles", "tiles", "-o", out, "--epochs", "1", *tiny, *flags)
        assert said.code == 0
        assert json.loads((tmp_path / out / "run.json").read_text())["plan"]["size"] == size
        assert ("--size 96 is larger than the tiles" in said.err) == bool(flags)
        # No bead of the mirrored rest of a tile is counted.
        with (tmp_path / out / "history.csv").open(newline="") as file:
            assert float(next(csv.DictReader(file))["count_mae"]) <= 6
    assert run("export", "runs/96", "-o", "a.onnx").code == 0
