"""`beadctl tune`: from annotated images to a marked model file with its report."""

import csv
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from helpers.joiner import ALWAYS
from PIL import Image
from scipy import ndimage

torch = pytest.importorskip("torch")

from beadctl.cli import training_arguments
from beadctl.evaluation.comparison import Comparison, ImageScores, Verdict
from beadctl.evaluation.scoring import Score
from beadctl.images import ReadOptions
from beadctl.model.metadata import with_facts
from beadctl.model.session import Model
from beadctl.simulate import render
from beadctl.training import checkpoint, start
from beadctl.training.export import facts_of, write_onnx
from beadctl.training.options import TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.train import train
from beadctl.tuning import steps
from beadctl.tuning.held_out import HeldOut
from beadctl.tuning.verdict import Outcome

TINY = TrainingPlan(simulate=2, size=32, epochs=1, batch_size=2, width=4, depth=2, validation_scenes=1)
FLAGS = (
    *("--size", 32, "--overlap", 0, "--epochs", 2, "--steps-per-epoch", 1, "--batch-size", 2),
    *("--workers", 0, "--threads", 1, "--device", "cpu", "-o", "out"),
)


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    """A small network in place of the default model."""
    folder = tmp_path_factory.mktemp("tiny")
    train(TINY, folder / "run", options=TrainOptions(device="cpu", workers=0, threads=1))
    state = checkpoint.load(folder / "run/best.pt")
    facts = replace(facts_of(state, state.network()), joiner=ALWAYS)
    write_onnx(state.network(), folder / "tiny.onnx", 20, facts)
    return folder / "tiny.onnx"


@pytest.fixture
def quick_export(tiny_model, monkeypatch):
    """The facts of a run with the weights of the small network, as an export takes seconds."""

    def export(run, out, options, *, overwrite):
        state = checkpoint.load(run / "best.pt")
        facts = facts_of(state, state.network(), options)
        out.write_bytes(with_facts(tiny_model.read_bytes(), facts))

    monkeypatch.setattr(steps, "export", export)


@pytest.fixture
def tune(run, tiny_model, monkeypatch):
    """Run the command on six simulated images of 48 px, from the small network."""
    for module in (start, steps):
        monkeypatch.setattr(module, "DEFAULT_MODEL", tiny_model)
    write_images(Path(), 6, 48)
    return lambda *more: run("tune", "images", "masks", *FLAGS, *more)


def write_images(folder, count, size, look=lambda image: image):
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(11)
    for index in range(count):
        scene = render(rng, size)
        tifffile.imwrite(folder / f"images/{index}.tif", look(scene.image))
        tifffile.imwrite(folder / f"masks/{index}.tif", scene.labels.astype(np.uint16))


def facts(path):
    return Model(Path(path), "cpu").facts


def test_one_command_makes_a_model_a_report_and_a_verdict(tune, run):
    """With one image whose mask cannot be used."""
    tifffile.imwrite("masks/3.tif", np.zeros((7, 7), np.uint16))
    said = tune("--name", "mine", "--format", "csv")
    assert said.code == 1, said.err
    assert "3.tif" in said.error
    told = json.loads(Path("out/tuning.json").read_text())
    table = {row["figure"]: row for row in csv.DictReader(io.StringIO(said.out))}
    for figure, key in (("F1@0.5", "f1@0.50"), ("count error", "count_mape")):
        for model, name in (("default model", "default"), ("tuned model", "tuned")):
            assert float(table[figure][model]) == pytest.approx(told["figures"][name][key], rel=1e-3)

    last = said.err.splitlines()[-1]
    assert f"with {told['beads']} beads" in last
    assert re.search(r"out/tuned\.onnx: (NOT )?better than the default model", last)
    model = facts("out/tuned.onnx")
    assert (model.name, model.validation["verdict"]) == ("mine", told["verdict"])
    # One validation image does not show that the rule is better.
    assert model.joiner == ALWAYS
    assert model.validation["compared_on_beads"] == told["beads"]
    assert bool(model.doubt) == (told["verdict"] == "not better" or model.validation["val_f1"] < 0.5)

    # The figures are those of `eval` on the images that were left out, with the file that was written.
    held = [one["name"] for one in told["images"]]
    manifest = list(csv.DictReader(Path("out/tiles/manifest.csv").open()))
    assert set(held) == {row["source"] for row in manifest if row["split"] == "test"}
    for folder in ("images", "masks"):
        Path("held", folder).mkdir(parents=True)
        for name in held:
            Path("held", folder, name).write_bytes(Path(folder, name).read_bytes())
    scored = run("eval", "held/images", "held/masks", "-m", "out/tuned.onnx", "--device", "cpu")
    assert json.loads(scored.out)["figures"] == told["figures"]["tuned"]

    page = Path("out/report.html").read_text(encoding="utf-8")
    assert all(name in page for name in held)
    assert "http" not in page.replace("http-equiv", "")
    with Image.open("out/worst_places.png") as picture:
        assert picture.size > (0, 0)


def test_it_goes_on_where_it_was_stopped_and_gives_the_same(tune, quick_export, monkeypatch):
    learn = steps.learn_shown
    monkeypatch.setattr(steps, "learn_shown", lambda run, messages, _: learn(run, messages, lambda: True))
    said = tune()
    assert said.code == 130
    assert "run the same command again" in said.error
    assert not Path("out/tuned.onnx").exists()
    monkeypatch.setattr(steps, "learn_shown", learn)
    assert tune().code == 0
    once = Path("out/tuned.onnx").read_bytes()
    history = Path("out/run/history.csv").read_bytes()
    assert tune().code == 0
    assert Path("out/tuned.onnx").read_bytes() == once
    assert Path("out/run/history.csv").read_bytes() == history
    other = tune("--batch-size", 3)
    assert other.code == 3
    assert "batch_size = 2, not 3" in other.error


def test_files_of_others_are_left_alone(tune):
    Path("out").mkdir()
    Path("out/tuned.onnx").write_text("mine")
    said = tune()
    assert said.code == 3
    assert "out/tuned.onnx: already exists" in said.error
    assert [path.name for path in Path("out").iterdir()] == ["tuned.onnx"]


@pytest.mark.parametrize("name", [".beadctl", "counts.csv", "manifest.csv", "audit.csv", "history.csv"])
def test_a_folder_with_other_results_is_refused(run, tmp_path, name):
    write_images(Path(), 3, 32)
    Path("out").mkdir()
    Path("out", name).touch()
    said = run("tune", "images", "masks", "-o", "out")
    assert said.code == 3
    assert re.search(rf"out: holds .* \({re.escape(name)}\); choose another -o", said.error)
    assert [path.name for path in Path("out").iterdir()] == [name]


def test_too_few_beads_end_it_before_the_training(run):
    write_images(Path(), 2, 32)
    for index in range(2):
        labels = np.zeros((32, 32), np.uint16)
        labels[4:12, 4:12] = 1 - index
        tifffile.imwrite(f"masks/{index}.tif", labels)
    said = run("tune", "images", "masks", "-o", "out", "--annotations", "labels")
    assert said.code == 3
    assert "2 annotated images: too few beads" in said.error
    assert "annotate beads in 3 images at least" in said.error
    assert not Path("out/run").exists()


def test_a_device_that_cannot_train_is_refused_before_the_tiles_are_cut(run):
    write_images(Path(), 3, 48)
    said = run("tune", "images", "masks", *FLAGS, "--device", "openvino")
    assert said.code == 3
    assert said.err == "error: device 'openvino' is unknown; use auto, cpu, cuda or cuda:N\n"
    assert not Path("out").exists()


def test_a_region_of_a_training_image_is_said(tiny_model):
    model, scores = Model(tiny_model, "cpu"), Comparison((ImageScores("a.tif", Score(), Score()),))
    for split, words in (("test", "trained on"), ("val", "trained on and that also chose its epoch")):
        held = HeldOut((), ReadOptions(), split, are_tiles=True)
        outcome = Outcome(steps.Tuned(None, model, held, scores, ()), (), ())
        assert f"of an image that it was also {words}" in outcome.line(Path("m.onnx"))


def test_several_processes_are_refused(run, monkeypatch):
    write_images(Path(), 3, 32)
    meeting = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
    for name, value in meeting.items():
        monkeypatch.setenv(name, value)
    said = run("tune", "images", "masks", "-o", "out")
    assert said.code == 2
    assert "beadctl tune: is the work of one process, and torchrun started 2" in said.error
    assert not Path("out").exists()


@pytest.mark.parametrize("verdict", Verdict)
def test_a_model_that_is_not_better_is_marked(tiny_model, monkeypatch, verdict):
    monkeypatch.setattr(Comparison, "verdict", verdict)
    model, scores = Model(tiny_model, "cpu"), Comparison((ImageScores("a.tif", Score(), Score()),))
    model.facts = replace(model.facts, validation={"val_f1": 0.9})
    held = HeldOut((), ReadOptions(), "test", are_tiles=False)
    outcome = Outcome(steps.Tuned(None, model, held, scores, ()), (), ())
    marked = outcome.facts()
    assert (marked.validation["verdict"], marked.validation["val_f1"]) == (verdict.value, 0.9)
    assert bool(marked.doubt) == (verdict is Verdict.NOT_BETTER)
    assert ("NOT better" in outcome.line(Path("m.onnx"))) == (verdict is Verdict.NOT_BETTER)


@pytest.mark.slow
def test_folds_test_each_image_once_and_decide(tune, quick_export):
    said = tune("--folds", 3, "--epochs", 1)
    assert said.code == 0, said.err
    told = json.loads(Path("out/tuning.json").read_text())
    assert sorted(one["name"] for one in told["images"]) == [f"{index}.tif" for index in range(6)]
    assert len(told["folds"]) == 3
    assert "on 6 images with" in said.err.splitlines()[-1]
    table = said.err[said.err.index("Cross-validation") :]
    assert re.search(r"mean +\d", table)
    f1 = [fold["tuned"]["f1@0.50"] for fold in told["folds"]]
    assert f"{np.mean(f1):.3f}" in next(line for line in table.splitlines() if "mean" in line)
    assert f"{np.std(f1, ddof=1):.3f}" in next(line for line in table.splitlines() if " sd " in line)
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert "Cross-validation" in page
    for number in (1, 2, 3):
        rows = list(csv.DictReader(Path(f"out/folds/{number}/tiles/manifest.csv").open()))
        assert len({row["source"] for row in rows}) == 6


def weights(run):
    return checkpoint.load(Path(run) / "last.pt").network().state_dict()


@pytest.mark.slow
def test_workers_train_the_folds_as_one_process_does(tune, quick_export, monkeypatch):
    """The workers are threads here; those of Dask are in the test below."""
    words = ("--folds", 3, "--epochs", 1)
    assert tune(*words, "-o", "alone").code == 0
    submitted = []

    @contextmanager
    def workers(where, order, settings, messages):
        tool = order.open(0)
        with ThreadPoolExecutor(1) as pool:

            def submit(*item):
                submitted.append(item)
                return pool.submit(tool.work, *item)

            yield SimpleNamespace(submit=submit, check=lambda: None)

    monkeypatch.setattr(training_arguments, "workers_of", workers)
    said = tune(*words, "--cluster", "local:2", "-o", "shared")
    assert said.code == 0, said.err
    places = ("run", "folds/1/run", "folds/2/run", "folds/3/run")
    assert [out for _, out in submitted] == [Path("shared", place).absolute() for place in places]
    for place in places:
        mine, theirs = weights(Path("alone", place)), weights(Path("shared", place))
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    alone, shared = (json.loads(Path(out, "tuning.json").read_text()) for out in ("alone", "shared"))
    for content in (alone, shared):
        del content["seconds"]
    assert shared == alone
    # Again: what is trained is not trained again.
    before = weights("shared/run")
    assert tune(*words, "--cluster", "local:2", "-o", "shared").code == 0
    assert all(torch.equal(before[name], value) for name, value in weights("shared/run").items())


@pytest.mark.slow
def test_processes_train_the_folds(run, quick_export):
    """With the default model, in processes of their own."""
    write_images(Path(), 6, 48)
    said = run("tune", "images", "masks", *FLAGS, "--folds", 3, "--epochs", 1, "--cluster", "local:2")
    assert said.code == 0, said.err
    assert "training: 4 of 4 done" in said.err
    assert len(json.loads(Path("out/tuning.json").read_text())["folds"]) == 3


def test_a_single_model_is_not_divided(run):
    write_images(Path(), 3, 48)
    said = run("tune", "images", "masks", *FLAGS, "--cluster", "local:2")
    assert said.code == 2
    assert said.error == (
        "error: --cluster: one model is trained by one process; give --folds, or leave it out"
    )
    assert not Path("out").exists()


def cored(rng, size):
    """Beads of which only the cores are bright, and which are annotated with their dark rims."""
    rows, columns = np.indices((size, size))
    labels = np.zeros((size, size), np.uint16)
    for _ in range(200):
        radius = rng.uniform(6, 9)
        y, x = rng.uniform(radius + 1, size - radius - 1, 2)
        distance = np.hypot(rows - y, columns - x)
        if labels.max() < 14 and not labels[distance <= radius + 2].any():
            labels[distance <= radius] = labels.max() + 1
    inside = ndimage.distance_transform_edt(labels > 0)
    return (60 + 120 * (inside > 4) + rng.normal(0, 5, labels.shape)).clip(0, 255).astype(np.uint8), labels


@pytest.mark.slow
def test_on_another_look_the_tuned_model_is_better(run):
    """The default model itself, ten images, and minutes of training."""
    rng = np.random.default_rng(5)
    for folder in ("images", "masks"):
        Path(folder).mkdir()
    for index in range(10):
        for folder, plane in zip(("images", "masks"), cored(rng, 96), strict=True):
            tifffile.imwrite(f"{folder}/{index}.tif", plane)
    said = run("tune", "images", "masks", "--size", 96, "--epochs", 6, "--steps-per-epoch", 15, "-o", "out")
    assert said.code == 0, said.err
    told = json.loads(Path("out/tuning.json").read_text())
    assert told["verdict"] == "better"
    before, after = (told["figures"][name]["f1@0.50"] for name in ("default", "tuned"))
    assert before < 0.5
    assert after > 0.9
    assert "out/tuned.onnx: better than the default model on 2 test images with" in said.err.splitlines()[-1]
    assert "tuning did not make it better" not in run("count", "images", "-m", "out/tuned.onnx").err
