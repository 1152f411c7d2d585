"""Fine-tuning: a run starts from the weights of a model file or of another run."""

import csv
import json
import shutil
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from helpers.joiner import ALWAYS
from helpers.model import write_model
from onnx import TensorProto, numpy_helper
from torch import nn

from beadctl.errors import ModelError, TrainingError
from beadctl.files import sha256
from beadctl.images import InputName
from beadctl.model.metadata import ModelFacts, with_facts
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.training import checkpoint, import_onnx, start
from beadctl.training import export as exporting
from beadctl.training.architecture import Architecture
from beadctl.training.choices import ArchName
from beadctl.training.dataset import Simulated, Views, training_data
from beadctl.training.export import export
from beadctl.training.import_onnx import reopen
from beadctl.training.measured import measure
from beadctl.training.options import TrainCallbacks, TrainOptions
from beadctl.training.plan import Origin, TrainingPlan
from beadctl.training.train import train
from beadctl.training.unet import UNet

TINY = TrainingPlan(
    simulate=6,
    size=32,
    epochs=2,
    batch_size=2,
    width=4,
    depth=3,
    dropout=0.0,
    lr=1e-2,
    warmup_epochs=0,
    ema_decay=0.9,
    validation_scenes=2,
)
# Enough training to find beads.
LEARNED = replace(TINY, steps_per_epoch=100, epochs=1, batch_size=4, lr=2e-2, validation_scenes=8)
# Flags that fit it and do not set the network.
SMALL = ("--simulate", "4", "--size", "32", "--batch-size", "2", "--workers", "0", "--threads", "1")


def go(plan, run_dir, **more):
    callbacks = {name: more.pop(name) for name in ("on_epoch", "should_stop") if name in more}
    options = TrainOptions(device="cpu", workers=0, threads=1, resume=more.pop("resume", False))
    return train(plan, run_dir, options=options, callbacks=TrainCallbacks(**callbacks), **more)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A function that returns a run of a kind of network, with its model file beside it."""

    @cache
    def made(kind):
        run_dir = tmp_path_factory.mktemp(f"trained-{kind}") / "run"
        go(replace(LEARNED, arch=kind, dilation=1 if kind == ArchName.UNET else 2), run_dir)
        export(run_dir, run_dir.parent / "tiny.onnx")
        return run_dir

    return made


@pytest.fixture(params=list(ArchName))
def trained(request, learned):
    return learned(request.param)


@pytest.fixture
def tiny(learned):
    return learned(ArchName.UNET)


def untrained(run_dir, folder):
    """The model file of a network whose folded biases are all zero, so that the exporter leaves them out."""
    state = checkpoint.load(run_dir / "best.pt")
    torch.manual_seed(4)
    fresh = UNet(Architecture(**state.architecture)).state_dict()
    checkpoint.save(replace(state, average=fresh), folder / "fresh.pt")
    export(folder / "fresh.pt", folder / "fresh.onnx")
    return folder / "fresh.onnx"


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


def one_line(error) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


# --- the same function ---------------------------------------------------------------------------------


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


def test_a_network_keeps_the_input_that_it_was_trained_on():
    """The default model sees the grey level alone, with the median at 0; a new network sees contrasts too."""
    found = start.weights("default")
    name = Model(DEFAULT_MODEL, "cpu").facts.normalisation
    plan = found.planned(TrainingPlan(simulate=2, size=32, validation_scenes=1))
    assert plan.inputs == plan.architecture.inputs == found.architecture.inputs == name.channels
    assert training_data(plan, None).source.input == name
    assert TrainingPlan().inputs == InputName.LOCAL.channels


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


@pytest.mark.parametrize("name", ["", "best.pt", "last.pt"])
def test_a_checkpoints_start_is_its_averaged_network(trained, name):
    found = start.weights(str(trained / name))
    path = trained / (name or "best.pt")
    wanted = checkpoint.load(path).network()
    assert found.architecture == wanted.architecture
    assert not found.folded
    assert found.state_dict.keys() == wanted.state_dict().keys()
    assert all(torch.equal(found.state_dict[key], value) for key, value in wanted.state_dict().items())
    assert (found.source, found.sha256) == (name or "run", sha256(path))


# --- runs that start from weights ----------------------------------------------------------------------


@pytest.mark.parametrize("file", ["tiny.onnx", "run"])
def test_a_run_starts_where_the_other_ended_and_remembers_it(tiny, tmp_path, file):
    found = start.weights(str(tiny.parent / file))
    still = replace(TINY, epochs=1, lr=1e-12, seed=1, validation_scenes=8)
    before = go(still, tmp_path / "fresh").record
    plan = found.planned(replace(still, width=16, depth=2))
    result = go(plan, tmp_path / "run", start=found)
    assert plan.architecture == TINY.architecture
    ended = checkpoint.load(tiny / "best.pt")
    then = ended.history[ended.best_epoch - 1]["val_jaccard"]
    # Only the statistics of the normalisations have moved a little; random weights are far away.
    assert result.record.val_jaccard == pytest.approx(then, abs=0.1)
    assert before.val_jaccard < then / 2
    state = checkpoint.load(result.best)
    kernels = [name for name, value in found.state_dict.items() if value.ndim == 4]
    for held in (state.model, state.average):
        assert all(torch.allclose(held[name], found.state_dict[name], atol=1e-6) for name in kernels)

    origin = {"source": file, "sha256": found.sha256}
    assert state.settings["start"] == origin
    assert json.loads((tmp_path / "run" / "run.json").read_text())["plan"]["start"] == origin


def test_a_fine_tuned_model_names_its_start_without_the_path(tiny, tmp_path):
    found = start.weights(str(tiny))
    go(found.planned(replace(TINY, epochs=1)), tmp_path / "run", start=found)
    path = tmp_path / "tuned.onnx"
    export(tmp_path / "run", path)
    facts = Model(path, "cpu").facts
    assert facts.training["start"] == {"source": "run", "sha256": found.sha256}
    assert facts.licence == "unspecified"
    for place in (tmp_path, tiny.parent):
        assert place.name.encode() not in path.read_bytes()
    # And on from there.
    assert start.weights(str(path)).architecture == TINY.architecture


def test_a_run_resumes_to_the_same_bits_also_without_the_file(tiny, tmp_path):
    path = tmp_path / "model.onnx"
    shutil.copy(tiny.parent / "tiny.onnx", path)
    found = start.weights(str(path))
    plan = found.planned(replace(TINY, dropout=0.1))
    go(plan, tmp_path / "straight", start=found)
    done = []
    go(plan, tmp_path / "run", start=found, on_epoch=done.append, should_stop=lambda: bool(done))
    path.unlink()
    again = start.again(str(path), tmp_path / "run")
    assert (again.state_dict, again.origin) == (None, found.origin)
    torch.rand(3)
    result = go(again.planned(replace(TINY, dropout=0.1)), tmp_path / "run", start=again, resume=True)
    assert result.epochs == 2
    ends = [checkpoint.load(tmp_path / name / "last.pt") for name in ("straight", "run")]
    for kind in ("model", "average"):
        one, other = (getattr(end, kind) for end in ends)
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_resuming_from_another_start_is_refused(tiny, tmp_path):
    path = tmp_path / "model.onnx"
    shutil.copy(tiny.parent / "tiny.onnx", path)
    found = start.weights(str(path))
    go(found.planned(replace(TINY, epochs=1)), tmp_path / "run", start=found)

    # The same weights by another name are the same; others by the same name are not.
    renamed = start.again(str(tiny.parent / "tiny.onnx"), tmp_path / "run")
    go(renamed.planned(replace(TINY, epochs=1)), tmp_path / "run", start=renamed, resume=True)
    shutil.copy(DEFAULT_MODEL, path)
    other = start.again(str(path), tmp_path / "run")
    with pytest.raises(TrainingError, match=rf"start = model\.onnx \(SHA-256 {found.sha256[:12]}") as error:
        go(other.planned(TINY), tmp_path / "run", start=other, resume=True)
    one_line(error)
    with pytest.raises(TrainingError, match="not None; resume with the same") as error:
        go(TINY, tmp_path / "run", resume=True)
    one_line(error)
    # Another name is not accepted for the missing file.
    path.unlink()
    with pytest.raises(ModelError, match="absent") as error:
        start.again("absent.onnx", tmp_path / "run")
    one_line(error)
    with pytest.raises(ModelError, match=r"no last\.pt to resume from"):
        start.again("default", tmp_path / "nowhere")
    go(replace(TINY, epochs=1), tmp_path / "random")
    with pytest.raises(TrainingError, match="start = None, not default"):
        begun = start.again("default", tmp_path / "random")
        go(begun.planned(TINY), tmp_path / "random", start=begun, resume=True)


def test_a_plan_and_its_start_belong_together(tiny, tmp_path):
    found = start.weights(str(tiny))
    for plan, given in (
        (TINY, found),
        (replace(TINY, start=Origin("x", "0")), found),
        (found.planned(TINY), None),
    ):
        with pytest.raises(ValueError, match="starts from"):
            go(plan, tmp_path / "run", start=given)


@pytest.fixture
def joining(tiny, tmp_path):
    """The model file of the run, with a joiner."""
    path, content = tmp_path / "joining.onnx", (tiny.parent / "tiny.onnx").read_bytes()
    path.write_bytes(with_facts(content, replace(facts_of(tiny.parent / "tiny.onnx"), joiner=ALWAYS)))
    return path


def test_the_joiner_of_the_start_is_in_the_exported_file_which_counts_by_it(run, joining, tmp_path):
    command = ("train", *SMALL, "--from", joining, "-o", "tuned", "--epochs")
    for more in ((1,), (2, "--resume")):
        said = run(*command, *more)
        assert said.code == 0, said.err
    said = run("export", "tuned", "-o", "tuned.onnx")
    assert said.code == 0, said.err
    assert facts_of(Path("tuned.onnx")).joiner == ALWAYS
    # And on from there.
    assert start.weights("tuned").joiner == start.weights("tuned.onnx").joiner == ALWAYS

    assert run("simulate", "sim", "-n", "4", "--size", "192", "--seed", "3").code == 0
    count = ("count", "sim/images", "-m", "tuned.onnx", "--format", "json", "--device", "cpu")
    joined, parted = (
        sum(row["count"] for row in json.loads(run(*count, *more).out))
        for more in ((), ("--marker-threshold", "0.1", "--marker-rise", "0.01"))
    )
    assert joined < parted


def test_validation_counts_by_the_joiner_as_the_exported_file_does(tiny, joining, tmp_path):
    still = replace(TINY, epochs=1, lr=1e-12, size=128, marker_threshold=0.1, validation_scenes=8)
    biases = []
    for name, path in (("without", tiny.parent / "tiny.onnx"), ("with", joining)):
        found = start.weights(str(path))
        biases.append(go(found.planned(still), tmp_path / name, start=found).record.count_bias)
    assert biases[1] < biases[0]
    assert measure(tmp_path / "with/best.pt", None, "cpu").scores.count_bias == biases[1]


def test_a_network_trained_from_nothing_has_no_joiner(tiny):
    assert start.weights(str(tiny)).joiner is None
    assert facts_of(tiny.parent / "tiny.onnx").joiner is None


# --- errors --------------------------------------------------------------------------------------------


def facts_of(path) -> ModelFacts:
    return Model(path, "cpu").facts


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
            )
        ),
        ({"arch": "transformer"}, "does not state the shape"),
        ({"dropout": 2}, "does not state the shape"),
    ],
    ids=str,
)
def test_files_that_cannot_be_started_from(tiny, tmp_path, kind, words):
    shutil.copy(tiny.parent / "tiny.onnx", tmp_path / "model.onnx")
    path = wrong(kind, tmp_path / "model.onnx", tiny)
    with pytest.raises(ModelError, match=words) as error:
        start.weights(str(path))
    assert path.name in one_line(error)


# --- the command line ----------------------------------------------------------------------------------


def test_fine_tuning_by_the_command_line(run):
    """From the default model: its network, a lower learning rate, and --resume."""
    command = ("train", *SMALL, "--from", "default", "-o", "tuned", "--epochs")
    said = run(*command, 1)
    assert said.code == 0, said.err
    assert "into tuned, from default" in said.err
    said = run(*command, 2, "--resume")
    assert said.code == 0, said.err
    assert checkpoint.load(Path("tuned/best.pt")).joiner == facts_of(DEFAULT_MODEL).joiner is not None
    facts = json.loads(Path("tuned/run.json").read_text())
    assert facts["epochs"] == 2
    assert facts["plan"]["start"] == {"source": "default", "sha256": sha256(DEFAULT_MODEL)}
    for record in (facts["plan"], facts["settings"]["train"]):
        assert (record["lr"], record["width"], record["depth"], record["dropout"]) == (3e-4, 16, 5, 0.1)
    with Path("tuned/history.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 2
    assert run("train", *SMALL, "-o", "tuned", "--epochs", 2, "--resume").code == 3
    said = run("train", *SMALL, "-o", "random", "--epochs", 1, "--width", 2, "--depth", 2)
    assert said.code == 0, said.err
    plan = json.loads(Path("random/run.json").read_text())["plan"]
    assert (plan["start"], plan["lr"]) == (None, 1e-3)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"flags": ("--width", "32")}, "--width 32 (train.width): the network of tiny.onnx has 4"),
        ({"flags": ("--arch", "resunet")}, "--arch resunet (train.arch): the network of tiny.onnx has unet"),
        ({"environment": ("BEADCTL_TRAIN__DEPTH", "5")}, "train.depth = 5 (from BEADCTL_TRAIN__DEPTH)"),
        ({"file": "[train]\nmax_channels = 64\n"}, "train.max_channels = 64 (from beadctl.toml)"),
    ],
    ids=str,
)
def test_another_network_than_that_of_the_start_is_refused(run, tiny, tmp_path, monkeypatch, given, words):
    shutil.copy(tiny.parent / "tiny.onnx", "tiny.onnx")
    if "environment" in given:
        monkeypatch.setenv(*given["environment"])
    if "file" in given:
        Path("beadctl.toml").write_text(given["file"])
    said = run("train", *SMALL, "--from", "tiny.onnx", *given.get("flags", ()), "-o", "tuned")
    assert said.code == 2
    assert words in said.error
    assert said.err.count("\n") == 1
    assert not Path("tuned").exists()


def test_on_tiles_with_the_start_as_a_setting_and_its_own_network_asked_for(run, tiny):
    shutil.copy(tiny.parent / "tiny.onnx", "tiny.onnx")
    assert run("simulate", "sim", "-n", "4", "--size", "64", "--seed", "3").code == 0
    cut = ("tile", "sim/images", "sim/masks", "-o", "tiles", "--size", "32", "--overlap", "0")
    assert run(*cut, "--val-fraction", "0.25", "--test-fraction", "0.25").code == 0
    Path("beadctl.toml").write_text('[train]\nstart = "tiny.onnx"\nwidth = 4\nlr = 0.002\n')
    said = run("train", *SMALL[2:], "--tiles", "tiles", "--depth", "3", "--epochs", "1", "-o", "tuned")
    assert said.code == 0, said.err
    plan = json.loads(Path("tuned/run.json").read_text())["plan"]
    assert (plan["start"]["source"], plan["lr"], plan["width"]) == ("tiny.onnx", 2e-3, 4)
    assert plan["simulate"] == 0


def test_no_start_without_the_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    said = run("train", *SMALL, "--from", "default", "-o", "tuned")
    assert said.code == 3
    assert said.err == 'error: onnx is not installed; pip install "beadctl[train]"\n'


def test_losses_are_compared_from_the_same_start(run, tiny):
    shutil.copy(tiny.parent / "tiny.onnx", "tiny.onnx")
    command = ("compare-losses", *SMALL, "--losses", "dice,focal", "--seeds", "1", "--epochs", "1")
    said = run(*command, "--from", "tiny.onnx", "--no-pictures", "-o", "out")
    assert said.code == 0, said.err
    runs = sorted(Path("out").glob("*/run.json"))
    assert [path.parent.name.split("-batch")[0] for path in runs] == [
        "dice-fixed-lr0.0003",
        "focal-fixed-lr0.0003",
    ]
    for path in runs:
        plan = json.loads(path.read_text())["plan"]
        assert (plan["start"]["source"], plan["width"], plan["depth"]) == ("tiny.onnx", 4, 3)
    assert "tiny.onnx" in Path("out/report.html").read_text(encoding="utf-8")
    said = run(*command, "--width", "4", "--depth", "3", "--lr", "3e-4", "--no-pictures", "-o", "out")
    assert said.code == 3
    assert "start = tiny.onnx (SHA-256 " in said.error
