"""Training: it learns, repeats, resumes and accumulates, and its errors are one line each."""

import contextlib
import csv
import dataclasses
import json
import math
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from beadctl.dataset.manifest import TileRow, read_manifest
from beadctl.errors import AnnotationError, BeadctlError, DeviceError, ModelError, OutputError, TrainingError
from beadctl.images import levels_of
from beadctl.losses import Loss, LossParameters
from beadctl.segmentation.options import SegmentOptions
from beadctl.training import checkpoint, device, loop
from beadctl.training import tiles as tiles_module
from beadctl.training.architecture import Architecture
from beadctl.training.augment import Augmentation
from beadctl.training.choices import SelectName
from beadctl.training.dataset import Batches, Shuffled, Simulated, TrainingData, Views, held_out, load
from beadctl.training.ema import WeightAverage
from beadctl.training.loop import TrainingRun, train
from beadctl.training.objective import marker_loss, objective
from beadctl.training.options import TrainCallbacks, TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.records import EpochRecord
from beadctl.training.run_folder import RunFolder
from beadctl.training.schedule import cosine, learning_rate, plateau
from beadctl.training.shown import INPUT, shown
from beadctl.training.tiles import Tiles
from beadctl.training.unet import UNet
from beadctl.training.validation import Scores, maps, score

COLUMNS = [field.name for field in dataclasses.fields(TileRow)]

# Small enough for seconds: 32 px samples through a network of two levels.
TINY = TrainingPlan(
    size=32,
    epochs=2,
    batch_size=2,
    width=4,
    depth=2,
    dropout=0.1,
    lr=1e-2,
    warmup_epochs=0.5,
    ema_decay=0.9,
    min_area_px=3,
)


def write_tiles(folder: Path, splits=("train",) * 5 + ("val",) * 2, size=40) -> Path:
    """Bright discs on dark, as `beadctl tile` would leave them."""
    rows = []
    for number, split in enumerate(splits):
        rng = np.random.default_rng(number)
        y, x = np.indices((size, size))
        labels = np.zeros((size, size), np.uint16)
        for bead in range(1, 4):
            cy, cx = rng.uniform(4, size - 4, 2)
            labels[(y - cy) ** 2 + (x - cx) ** 2 <= rng.uniform(9, 25)] = bead
        image = np.clip(50 + 120 * (labels > 0) + rng.normal(0, 6, labels.shape), 0, 255).astype(np.uint8)
        names = f"images/{number}.tif", f"masks/{number}.tif"
        for name, plane in zip(names, (image, labels), strict=True):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(folder / name, plane, compression="zlib")
        beads = len(np.unique(labels)) - 1
        place = (
            f"field{number}",
            0,
            0,
            size,
            size,
            beads,
            *vars(levels_of(image)).values(),
            f"{number:064x}",
            0,
        )
        rows.append((split, *names, *place))
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return folder


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    return write_tiles(tmp_path_factory.mktemp("tiles"))


def go(plan, tiles, run_dir, **more):
    callbacks = {name: more.pop(name) for name in ("on_epoch", "on_step", "should_stop") if name in more}
    options = TrainOptions(**{"workers": 0, "threads": 1} | more)
    return train(plan, run_dir, tiles=tiles, options=options, callbacks=TrainCallbacks(**callbacks))


def one_line(error: pytest.ExceptionInfo[BeadctlError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def stop_after(epochs):
    """Callbacks that stop the run when `epochs` epochs are done."""
    done = []
    return {"on_epoch": done.append, "should_stop": lambda: len(done) >= epochs}


# --- learning ------------------------------------------------------------------------------------------


def test_it_overfits_a_few_tiles(tmp_path):
    folder = write_tiles(tmp_path / "tiles", ("train", "val"))
    # Both splits hold the same tile.
    text = (folder / "manifest.csv").read_text().replace("images/1", "images/0").replace("masks/1", "masks/0")
    (folder / "manifest.csv").write_text(text)
    plan = replace(TINY, width=8, epochs=3, steps_per_epoch=30, augment=False, dropout=0.0)
    result = go(plan, folder, tmp_path / "run")
    losses = [float(row["train_loss"]) for row in history(tmp_path / "run")]
    assert losses[-1] < 0.5 * losses[0]
    assert result.record.val_jaccard > 0.8
    assert result.record.count_mae == 0
    assert result.stopped == "finished"


def test_simulated_scenes_train_without_any_tiles(tmp_path):
    plan = replace(TINY, simulate=4, epochs=1, validation_scenes=2)
    result = go(plan, None, tmp_path / "run")
    assert result.epochs == 1
    assert checkpoint.load(result.best).facts["data"] == "simulated"


# --- the run folder ------------------------------------------------------------------------------------


def history(run_dir):
    with (run_dir / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_run_folder(tiles, tmp_path):
    run_dir = tmp_path / "run"
    records, steps = [], []
    result = go(TINY, tiles, run_dir, settings={"size": 32}, on_epoch=records.append, on_step=steps.append)
    names = {path.name for path in run_dir.iterdir()}
    assert names == {"best.pt", "last.pt", "history.csv", "run.json", "learning_curve.png"}
    assert [row["epoch"] for row in history(run_dir)] == ["1", "2"]
    plain = [name for name in EpochRecord.__dataclass_fields__ if name != "weights"]
    assert list(history(run_dir)[0]) == [*plain, "weight_dice", "weight_focal", "weight_marker"]
    weights = [float(history(run_dir)[0][f"weight_{name}"]) for name in ("dice", "focal", "marker")]
    assert weights == [0.7, 0.3, 1]
    assert [float(row["val_jaccard"]) for row in history(run_dir)] == [
        record.val_jaccard for record in records
    ]
    assert [(step.epoch, step.step, step.steps) for step in steps] == [
        (epoch, step, 3) for epoch in (1, 2) for step in (1, 2, 3)
    ]
    for record in records:
        assert record.train_loss == pytest.approx(record.mask_loss + record.marker_loss)
    with Image.open(run_dir / "learning_curve.png") as picture:
        assert picture.width > 800
    facts = json.loads((run_dir / "run.json").read_text())
    assert facts["settings"] == {"size": 32}
    assert facts["device"] == {
        "asked": "auto",
        "used": result.device,
        "precision": facts["device"]["precision"],
    }
    assert facts["stopped"] == "finished"
    assert len(facts["data"]["fingerprint"]) == 64
    best = checkpoint.load(result.best)
    assert best.epoch == best.best_epoch == result.record.epoch
    assert best.history[-1]["val_f1"] == max(record.val_f1 for record in records)
    assert best.facts["diameter_px"] == pytest.approx(8, abs=3)


def test_the_best_checkpoint_holds_the_weights_that_were_scored(tiles, tmp_path):
    result = go(TINY, tiles, tmp_path / "run")
    network = checkpoint.load(result.best).network()
    assert not network.training
    scenes = Tiles(read_manifest(tiles), "val", tiles)
    again = score(network, scenes, torch.device("cpu"), SegmentOptions(0.5, 0.5, 3))
    assert again.jaccard == result.record.val_jaccard
    assert again.count_mae == result.record.count_mae


def test_a_folder_with_a_run_is_not_overwritten(tiles, tmp_path):
    go(replace(TINY, epochs=1), tiles, tmp_path / "run")
    before = (tmp_path / "run" / "last.pt").read_bytes()
    with pytest.raises(OutputError, match="already holds a run") as error:
        go(TINY, tiles, tmp_path / "run")
    one_line(error)
    assert (tmp_path / "run" / "last.pt").read_bytes() == before


# --- repetition and resumption -------------------------------------------------------------------------


def weights(run_dir):
    state = checkpoint.load(run_dir / "last.pt")
    return {
        f"{kind}.{name}": value
        for kind in ("model", "average")
        for name, value in getattr(state, kind).items()
    }


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_resuming_gives_the_bits_of_a_run_that_was_never_stopped(tiles, tmp_path):
    """With dropout, augmentation, accumulation and a short last group; workers do not matter."""
    plan = replace(TINY, epochs=4, accumulate=2)
    straight = go(plan, tiles, tmp_path / "straight")
    stopped = go(plan, tiles, tmp_path / "resumed", **stop_after(2))
    assert (stopped.stopped, stopped.epochs) == ("interrupted", 2)
    torch.rand(5)
    resumed = go(plan, tiles, tmp_path / "resumed", resume=True, workers=1)
    assert (resumed.stopped, resumed.epochs) == ("finished", 4)
    assert same(weights(tmp_path / "straight"), weights(tmp_path / "resumed"))
    figures = [
        [
            {k: v for k, v in row.items() if k not in ("seconds", "images_per_s")}
            for row in history(tmp_path / name)
        ]
        for name in ("straight", "resumed")
    ]
    assert figures[0] == figures[1]
    assert straight.record.epoch == resumed.record.epoch
    other = go(replace(plan, seed=1), tiles, tmp_path / "other")
    assert other.epochs == 4
    assert not same(weights(tmp_path / "straight"), weights(tmp_path / "other"))


@pytest.mark.parametrize("done", [3 + 1, 3 + 3])
def test_an_interrupt_inside_an_epoch_keeps_the_last_finished_one(tiles, tmp_path, done):
    """In its pass over the data, and in its validation."""
    steps = []
    ask = {"on_step": steps.append, "should_stop": lambda: len(steps) == done}
    result = go(TINY, tiles, tmp_path / "run", **ask)
    assert (result.stopped, result.epochs) == ("interrupted", 1)
    assert checkpoint.load(tmp_path / "run" / "last.pt").step == 3
    assert json.loads((tmp_path / "run" / "run.json").read_text())["stopped"] == "interrupted"


def test_an_interrupt_before_the_first_epoch_leaves_the_folder_free(tiles, tmp_path):
    result = go(TINY, tiles, tmp_path / "run", should_stop=lambda: True)
    assert (result.best, result.record, result.epochs) == (None, None, 0)
    assert go(replace(TINY, epochs=1), tiles, tmp_path / "run").epochs == 1


def test_a_finished_run_may_go_on_for_more_epochs(tiles, tmp_path):
    go(TINY, tiles, tmp_path / "run")
    assert go(replace(TINY, epochs=3), tiles, tmp_path / "run", resume=True).epochs == 3
    assert [row["epoch"] for row in history(tmp_path / "run")] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "change",
    [{"lr": 5e-3}, {"width": 8}, {"seed": 3}, {"loss_parameters": LossParameters(focal_gamma=1.0)}],
    ids=str,
)
def test_resuming_as_another_run_is_refused(tiles, tmp_path, change):
    go(replace(TINY, epochs=1), tiles, tmp_path / "run")
    with pytest.raises(TrainingError, match=next(iter(change))) as error:
        go(replace(TINY, **change), tiles, tmp_path / "run", resume=True)
    one_line(error)


def test_resuming_on_other_tiles_is_refused(tiles, tmp_path):
    go(replace(TINY, epochs=1), tiles, tmp_path / "run")
    other = write_tiles(tmp_path / "other", ("train", "val"))
    with pytest.raises(TrainingError, match="other tiles") as error:
        go(TINY, other, tmp_path / "run", resume=True)
    one_line(error)


def test_resuming_nothing_is_refused(tiles, tmp_path):
    with pytest.raises(ModelError, match=r"no last\.pt") as error:
        go(TINY, tiles, tmp_path / "run", resume=True)
    one_line(error)


# --- ends of a run -------------------------------------------------------------------------------------


def test_patience(tiles, tmp_path):
    # With nothing to learn from, no epoch is better than the first.
    plan = replace(TINY, epochs=9, patience=2, lr=1e-12, ema_decay=0.0)
    result = go(plan, tiles, tmp_path / "run")
    assert result.epochs < 9
    assert result.epochs - result.record.epoch == 2
    assert result.stopped == "no better for 2 epochs"


def test_the_time_limit_cuts_the_epoch_short_but_scores_and_saves_it(tiles, tmp_path):
    plan = replace(TINY, epochs=1000, steps_per_epoch=10_000, max_minutes=0.02, warmup_epochs=0)
    steps = []
    result = go(plan, tiles, tmp_path / "run", on_step=steps.append)
    assert (result.stopped, result.epochs) == ("time limit", 1)
    assert len(steps) < 10_000
    assert checkpoint.load(result.best).step == len(steps)
    # The learning rate was planned for the time, not for the steps.
    assert steps[-1].lr < 0.5 * steps[0].lr


def test_divergence_is_one_line_and_keeps_the_last_good_epoch(tiles, tmp_path):
    go(replace(TINY, epochs=1), tiles, tmp_path / "run")
    good = checkpoint.load(tmp_path / "run" / "last.pt")
    broken = {
        name: value * math.nan if value.is_floating_point() else value for name, value in good.model.items()
    }
    checkpoint.save(replace(good, model=broken), tmp_path / "run" / "last.pt")
    before = (tmp_path / "run" / "last.pt").read_bytes()
    with pytest.raises(TrainingError, match=r"diverged in epoch 2, step 4, lr = .* on \d+\.tif, ") as error:
        go(TINY, tiles, tmp_path / "run", resume=True)
    assert "--lr" in one_line(error)
    assert (tmp_path / "run" / "last.pt").read_bytes() == before


# --- the optimiser step --------------------------------------------------------------------------------


def gradient(plan, source, tmp_path):
    """Weights after the one step of an epoch of plain descent in an unnormalised network."""
    folder = RunFolder(tmp_path / f"{plan.batch_size}x{plan.accumulate}", resume=False)
    data, options = TrainingData(source, [], ""), TrainOptions(workers=0)
    run = TrainingRun(plan, data, folder, torch.device("cpu"), options)
    network = run.learner.network.eval()
    # Frozen normalisation: micro-batches change its batch statistics, and nothing else.
    network.train = lambda: None
    run.learner.optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    before = {name: value.clone() for name, value in network.named_parameters()}
    epoch = run.train_epoch()
    after = dict(network.named_parameters())
    steps = [(before[name] - after[name]).detach() for name in before]
    losses = [epoch[name] for name in ("train_loss", "mask_loss", "marker_loss")]
    return torch.cat([step.flatten() for step in steps]), losses


@pytest.mark.parametrize("samples", [6, 5])
@pytest.mark.parametrize("loss", Loss)
def test_accumulation_is_the_gradient_of_one_large_batch(tiles, tmp_path, loss, samples):
    """Also where the last micro-batch is short: every sample weighs the same."""
    source = Shuffled(Tiles(read_manifest(tiles), "train", tiles))

    class Some:
        tiles = source.tiles
        input = source.input
        scene = source.scene
        __len__ = lambda self: samples  # noqa: E731

    plan = replace(
        TINY,
        loss=loss,
        epochs=1,
        warmup_epochs=0,
        dropout=0.0,
        lr=1.0,
        final_lr_fraction=1.0,
        clip_norm=math.inf,
        # Weights for which no two pixels have nearly equal errors: their ranks are a kink of the Lovász loss.
        seed=1,
    )
    whole, whole_means = gradient(replace(plan, batch_size=6), Some(), tmp_path)
    parts, parts_means = gradient(replace(plan, batch_size=2, accumulate=3), Some(), tmp_path)
    assert whole.abs().max() > 1e-3
    torch.testing.assert_close(parts, whole, atol=1e-6, rtol=1e-5)
    assert whole_means == pytest.approx(parts_means, abs=1e-6)


def test_marker_loss_is_zero_for_the_truth_and_the_plain_formula_elsewhere():
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(2, 6, 6, generator=generator, dtype=torch.float64) * 0.98 + 0.01
    bead = (torch.rand(2, 6, 6, generator=generator) < 0.4).double()
    truth = truth * bead
    perfect = torch.logit(truth.clamp(1e-12, 1 - 1e-12))
    assert marker_loss(perfect, truth, bead).abs().max() < 1e-9
    logits = torch.randn(2, 6, 6, generator=generator, dtype=torch.float64)
    p, t = torch.sigmoid(logits), truth
    divergence = torch.xlogy(t, t / p) + torch.xlogy(1 - t, (1 - t) / (1 - p))
    for n in range(2):
        inside, outside = divergence[n][bead[n] > 0], divergence[n][bead[n] == 0]
        weight = min(10.0, max(1.0, len(outside) / len(inside)))
        want = (weight * inside.sum() + outside.sum()) / (weight * len(inside) + len(outside))
        torch.testing.assert_close(marker_loss(logits, truth, bead)[n], want)
    assert torch.autograd.gradcheck(lambda z: marker_loss(z, truth, bead), logits.requires_grad_())


def test_pixels_at_contacts_weigh_more_in_the_marker_loss():
    generator = torch.Generator().manual_seed(1)
    bead = torch.zeros(1, 8, 8)
    bead[0, :2] = 1
    contact = torch.zeros(1, 8, 8)
    contact[0, 1:3, 4] = 1  # a rim and the gap beside it
    truth, logits = bead * 0.5, torch.randn(1, 8, 8, generator=generator)
    p, t = torch.sigmoid(logits), truth
    divergence = torch.xlogy(t, t / p) + torch.xlogy(1 - t, (1 - t) / (1 - p))
    # Three times as much background as beads; a contact weighs as a bead pixel, and four times that more.
    weight = torch.where(contact > 0, 5 * 3.0, torch.where(bead > 0, 3.0, 1.0))
    want = (divergence * weight).sum() / weight.sum()
    torch.testing.assert_close(marker_loss(logits, truth, bead, contact, 4.0)[0], want)
    torch.testing.assert_close(
        marker_loss(logits, truth, bead, contact, 0.0), marker_loss(logits, truth, bead)
    )


def test_objective_reads_the_channels_in_order():
    terms = objective(Loss.DICE, LossParameters(), 0.5)
    assert (terms.names, terms.weights, terms.channels) == (("dice", "marker"), (1.0, 0.5), (0, 1))
    wanted = torch.zeros(1, 3, 8, 8)
    wanted[0, 0, :4], wanted[0, 1, :4] = 1, 1
    right = 30 * (2 * wanted[:, :2] - 1)
    assert (terms.values(right, wanted) < 1e-4).all()
    mask, marker = terms.values(right * torch.tensor([1.0, -1.0])[None, :, None, None], wanted)
    assert mask.item() < 1e-4 < 1 < marker.item()


def test_schedule():
    plan = {"warmup_steps": 10, "peak": 1.0}
    rates = [learning_rate(step, fall=cosine((step + 1) / 100, 0.1), **plan) for step in range(100)]
    np.testing.assert_allclose(rates[:9], np.arange(1, 10) / 10)
    assert (np.diff(rates[10:]) < 0).all()
    assert rates[49] == pytest.approx(0.55)
    assert rates[99] == pytest.approx(0.1)
    assert learning_rate(500, fall=cosine(7.0, 0.1), **plan) == pytest.approx(0.1)
    assert learning_rate(0, warmup_steps=0, fall=cosine(0.0, 0.0), peak=3.0) == 3.0


@pytest.mark.parametrize(
    ("scores", "share"),
    [
        ([], 1.0),
        ([0.1, 0.2, 0.3], 1.0),
        ([0.3, 0.2], 1.0),
        ([0.3, 0.2, 0.2], 0.5),
        ([0.3, 0.2, 0.2, 0.2], 0.5),  # the wait begins anew after a fall
        ([0.3, 0.2, 0.2, 0.2, 0.2], 0.25),
        ([0.3, 0.2, 0.2, 0.4, 0.4], 0.5),  # as good as the best is no better
        ([0.0] * 50, 0.01),
    ],
)
def test_the_rate_falls_at_a_plateau(scores, share):
    assert plateau(scores, patience=2, factor=0.5, final_fraction=0.01) == share


def test_a_plateau_lowers_the_rate_of_a_run_and_of_its_resumption(tiles, tmp_path):
    plan = replace(TINY, schedule="plateau", plateau_epochs=1, lr=1e-9, warmup_epochs=0, ema_decay=0.0)
    go(replace(plan, epochs=3), tiles, tmp_path / "run")
    go(replace(plan, epochs=4), tiles, tmp_path / "run", resume=True)
    # At such a rate nothing is learned, so every epoch after the first is one without a better score.
    rates = [float(row["lr"]) for row in history(tmp_path / "run")]
    np.testing.assert_allclose(rates, [1e-9, 1e-9, 5e-10, 2.5e-10])


def test_weight_average_is_the_recursion_and_averages_batch_statistics():
    torch.manual_seed(0)
    network = UNet(Architecture(2, 2))
    average = WeightAverage(network, 0.9)
    name, buffer = "head.weight", "down.0.1.running_var"
    expected = {key: network.state_dict()[key].clone() for key in (name, buffer)}
    for step in range(1, 200):
        for key in expected:
            network.state_dict()[key].copy_(torch.rand_like(expected[key]))
        network.state_dict()["down.0.1.num_batches_tracked"].fill_(step)
        average.update(network, step)
        decay = min(0.9, (1 + step) / (10 + step))
        for key in expected:
            expected[key] = decay * expected[key] + (1 - decay) * network.state_dict()[key]
    got = average.network.state_dict()
    for key in expected:
        torch.testing.assert_close(got[key], expected[key])
    assert got["down.0.1.num_batches_tracked"] == 199


def test_validation_pads_like_inference(tiles):
    """Whole images of any size are mirrored below and to the right to whole strides."""
    torch.manual_seed(0)
    network = UNet(Architecture(4, 3, inputs=3)).eval()
    image = np.random.default_rng(0).normal(0, 0.5, (37, 50)).astype(np.float32)
    found = maps(network, image, torch.device("cpu"))
    assert [(plane.shape, plane.dtype) for plane in found.planes] == [(image.shape, np.uint8)] * 2
    wide = np.pad(shown(image, INPUT), ((0, 0), (0, 3), (0, 2)), mode="reflect")
    with torch.no_grad():
        answer = network(torch.from_numpy(wide)[None])[0, :, :37, :50].sigmoid() * 255
    # A value that lies on a half may round either way when convolutions sum in another order.
    assert np.abs(answer[0].numpy() - found.probability).max() < 0.5 + 1e-3
    assert np.abs(answer[1].numpy() - found.marker).max() < 0.5 + 1e-3


# Figures of four epochs, each the best by another one; the last is as good as the first by F1 alone.
EPOCHS = [
    Scores(jaccard=0.5, dice=0.6, f1=0.8, count_mae=3, count_mape=0.3, count_bias=0.1),
    Scores(jaccard=0.9, dice=0.9, f1=0.7, count_mae=3, count_mape=0.3, count_bias=0.1),
    Scores(jaccard=0.7, dice=0.7, f1=0.6, count_mae=1, count_mape=0.1, count_bias=-0.1),
    Scores(jaccard=0.4, dice=0.5, f1=0.8, count_mae=2, count_mape=0.2, count_bias=0.0),
]


@pytest.mark.parametrize(
    ("select", "best", "told"),
    [("f1", 1, "F1 0.8000"), ("jaccard", 2, "Jaccard 0.9000"), ("count", 3, "count error 0.1000")],
)
def test_the_best_epoch_is_that_of_the_selected_figure(tiles, tmp_path, monkeypatch, select, best, told):
    scores = iter(EPOCHS)
    monkeypatch.setattr(loop, "score", lambda _, scenes, *more: (list(scenes), next(scores))[1])
    select = SelectName(select)
    plan = replace(TINY, epochs=4, steps_per_epoch=1, patience=9, select=select)
    result = go(plan, tiles, tmp_path / "run")
    assert result.record.epoch == checkpoint.load(result.best).epoch == best
    assert result.record.figure(select) == told
    assert checkpoint.load(tmp_path / "run" / "last.pt").best_epoch == best
    marked = [row["epoch"] for row in history(tmp_path / "run") if row["best"] == "True"]
    assert marked[-1] == str(best)


@pytest.mark.parametrize(("select", "epochs"), [("f1", 3), ("jaccard", 4), ("count", 3)])
def test_patience_waits_for_the_selected_figure(tiles, tmp_path, monkeypatch, select, epochs):
    """Two epochs after the best one; of equal count errors, that of the best Jaccard, and one."""
    figures = [replace(one, count_mape=0.3 if select == "count" else one.count_mape) for one in EPOCHS]
    scores = iter(figures)
    monkeypatch.setattr(loop, "score", lambda _, scenes, *more: (list(scenes), next(scores))[1])
    patience = 1 if select == "count" else 2
    plan = replace(TINY, epochs=4, steps_per_epoch=1, patience=patience, select=SelectName(select))
    assert go(plan, tiles, tmp_path / "run").epochs == epochs


def test_a_plateau_is_one_of_the_selected_figure(tiles, tmp_path, monkeypatch):
    rates = {}
    for select in SelectName:
        scores = iter(EPOCHS)
        monkeypatch.setattr(
            loop, "score", lambda _, scenes, *more, scores=scores: (list(scenes), next(scores))[1]
        )
        plan = replace(TINY, epochs=4, steps_per_epoch=1, patience=9, select=select, lr=1e-3)
        plan = replace(plan, schedule="plateau", plateau_epochs=1, warmup_epochs=0)
        go(plan, tiles, tmp_path / select)
        rates[select] = [float(row["lr"]) for row in history(tmp_path / select)]
    assert rates["f1"] == pytest.approx([1e-3, 1e-3, 5e-4, 2.5e-4])
    assert rates["jaccard"] == pytest.approx([1e-3, 1e-3, 1e-3, 5e-4])
    assert rates["count"] == pytest.approx([1e-3, 1e-3, 5e-4, 5e-4])


# --- the data ------------------------------------------------------------------------------------------


def batches_of(source, workers, epochs=2):
    batches = Batches(5, 2)
    loader = load(Views(source, 32, 7, Augmentation()), batches, workers=workers, pin_memory=False)
    result = []
    for epoch in range(epochs):
        batches.epoch = epoch
        result += [(images.clone(), wanted.clone()) for images, wanted in loader]
    return result


@pytest.mark.parametrize("kind", ["tiles", "simulated"])
def test_samples_do_not_depend_on_the_workers(tiles, kind):
    source = (
        Simulated(5, 32) if kind == "simulated" else Shuffled(Tiles(read_manifest(tiles), "train", tiles))
    )
    alone, together = batches_of(source, 0), batches_of(source, 2)
    assert [len(images) for images, _ in alone] == [2, 2, 1, 2, 2, 1]
    for (a, b), (c, d) in zip(alone, together, strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)
    images, wanted = alone[0]
    assert images.shape == (2, 3, 32, 32)
    assert wanted.shape == (2, 4, 32, 32)
    assert not any(torch.equal(alone[0][0][0], other[0][0]) for other in alone[1:])


def test_every_tile_is_seen_once_an_epoch_in_changing_order(tiles):
    source = Shuffled(Tiles(read_manifest(tiles), "train", tiles))
    seen = [[source.scene(3, epoch, index)[0].tobytes() for index in range(10)] for epoch in range(4)]
    for views in seen:
        assert len(set(views[:5])) == len(set(views[5:])) == 5
    assert len({tuple(views) for views in seen}) > 1


def test_validation_scenes_are_the_same_for_every_seed_and_never_trained_on():
    first, second = held_out(3, 32), held_out(2, 32)
    for (a, b), (c, d) in zip(first, second, strict=False):
        assert np.array_equal(a, c)
        assert np.array_equal(b, d)
    trained = Simulated(3, 32)
    crops = [trained.scene(seed, 0, index)[0][:32, :32] for seed in range(2) for index in range(3)]
    assert not any(np.array_equal(crop, image) for crop in crops for image, _ in first)


def test_tiles_are_normalised_as_their_source_and_the_same_from_memory_or_disk(tiles, monkeypatch):
    rows = read_manifest(tiles)
    kept = Tiles(rows, "train", tiles)
    monkeypatch.setattr(tiles_module, "MEMORY_LIMIT_BYTES", 4000)
    fresh = Tiles(rows, "train", tiles)
    assert len(kept) == len(fresh) == 5
    for row, (image, labels), (again, labels_again) in zip(kept.rows, kept, fresh, strict=False):
        raw = tifffile.imread(row.image).astype(np.float64)
        np.testing.assert_allclose(
            image, (raw - (row.low + row.high) / 2) / ((row.high - row.low) / 2), atol=1e-5
        )
        assert np.array_equal(labels, tifffile.imread(row.mask))
        assert np.array_equal(image, again)
        assert np.array_equal(labels, labels_again)


def broken(folder, what):
    manifest = folder / "manifest.csv"
    text = manifest.read_text()
    match what:
        case "no folder":
            return folder / "nowhere"
        case "no manifest":
            manifest.unlink()
        case "no column":
            manifest.write_text(text.replace("median", "shift"))
        case "no number":
            manifest.write_text(text.replace(",40,40,", ",40,wide,"))
        case "unknown split":
            manifest.write_text(text.replace("val,", "validate,"))
        case "no validation":
            manifest.write_text(text.replace("val,", "test,"))
        case "no training":
            manifest.write_text(text.replace("train,", "test,"))
        case "not text":
            manifest.write_bytes(b"\xff\xfe\x00\x80" * 20)
        case "missing tile":
            (folder / "images" / "0.tif").unlink()
        case "empty tile":
            (folder / "images" / "0.tif").write_bytes(b"")
        case "cut tile":
            content = (folder / "images" / "0.tif").read_bytes()
            (folder / "images" / "0.tif").write_bytes(content[: len(content) // 2])
        case "other size":
            tifffile.imwrite(folder / "masks" / "0.tif", np.zeros((40, 41), np.uint8))
        case "empty masks" | "full masks":
            split, value = ("train", 0) if what == "empty masks" else ("val", 7)
            for row in read_manifest(folder):
                if row.split == split:
                    tifffile.imwrite(row.mask, np.full((row.height, row.width), value, np.uint16))
        case "no labels":
            tifffile.imwrite(folder / "masks" / "0.tif", np.zeros((40, 40), np.float32))
    return folder


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("no folder", "beadctl tile"),
        ("no manifest", "beadctl tile"),
        ("no column", "median"),
        ("no number", "wide"),
        ("unknown split", "validate"),
        ("no validation", "no val tiles"),
        ("no training", "no train tiles"),
        ("not text", "manifest.csv"),
        ("missing tile", "0.tif"),
        ("empty tile", "0.tif"),
        ("cut tile", "0.tif"),
        ("other size", "0.tif"),
        ("no labels", "0.tif"),
        ("empty masks", "no bead in the masks of all 1 train tiles"),
        ("full masks", "nothing but bead in the masks of all 1 val tiles"),
    ],
)
def test_tiles_that_cannot_be_used(tmp_path, what, words):
    folder = broken(write_tiles(tmp_path / "tiles", ("train", "val")), what)
    with pytest.raises((TrainingError, AnnotationError), match=words) as error:
        go(TINY, folder, tmp_path / "run")
    one_line(error)
    assert not (tmp_path / "run" / "last.pt").exists()


def test_nothing_to_train_on(tmp_path):
    with pytest.raises(TrainingError, match="--simulate") as error:
        go(TINY, None, tmp_path / "run")
    one_line(error)


def test_sizes_off_the_stride_are_refused_before_anything_is_read():
    with pytest.raises(TrainingError, match="multiple of 8") as error:
        TrainingPlan(size=500, depth=4)
    one_line(error)


# --- checkpoints and devices ---------------------------------------------------------------------------


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("reading a checkpoint ran its code",))


@pytest.mark.parametrize(
    "kind", ["missing", "text", "empty", "cut", "pickle", "bomb", "weights", "newer", "lacking"]
)
def test_files_that_are_not_checkpoints(tmp_path, kind, tiles):
    path = tmp_path / "best.pt"
    match kind:
        case "text":
            path.write_text("not a model")
        case "empty":
            path.write_bytes(b"")
        case "cut":
            go(replace(TINY, epochs=1), tiles, tmp_path / "run")
            content = (tmp_path / "run" / "best.pt").read_bytes()
            path.write_bytes(content[: len(content) // 2])
        case "pickle":
            path.write_bytes(pickle.dumps({"format": "beadctl-checkpoint"}))
        case "bomb":
            torch.save({"format": "beadctl-checkpoint", "version": 1, "bomb": Bomb()}, path)
        case "weights":
            torch.save(UNet(Architecture(2, 2)).state_dict(), path)
        case "newer":
            torch.save({"format": "beadctl-checkpoint", "version": 99}, path)
        case "lacking":
            torch.save({"format": "beadctl-checkpoint", "version": 1, "model": {}}, path)
    with pytest.raises(ModelError, match=r"best\.pt") as error:
        checkpoint.load(path)
    one_line(error)


def test_devices():
    assert device.resolve("cpu") == torch.device("cpu")
    assert device.resolve("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("tpu", "cuda:x", "mps"):
        with pytest.raises(DeviceError, match="cuda:N") as error:
            device.resolve(name)
        one_line(error)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_a_missing_gpu_is_an_error(tiles, tmp_path, name):
    with pytest.raises(DeviceError, match=name) as error:
        go(TINY, tiles, tmp_path / "run", device=name)
    one_line(error)


@pytest.mark.parametrize(
    ("capabilities", "emulated"),
    [
        ({"architecture": "x86_64", "avx2": True, "avx512_bf16": False, "amx_bf16": False}, True),
        ({"architecture": "x86_64", "avx512_bf16": True}, False),
        ({"architecture": "aarch64"}, False),
    ],
)
def test_a_cpu_without_bf16_is_told(monkeypatch, capabilities, emulated):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    cpu = torch.device("cpu")
    assert device.is_emulated("bf16", cpu) == emulated
    assert not device.is_emulated("fp32", cpu)
    assert not device.is_emulated("auto", cpu)


def test_precision():
    cpu = torch.device("cpu")
    assert [device.arithmetic(p, cpu) for p in ("auto", "fp32", "bf16")] == [
        torch.float32,
        torch.float32,
        torch.bfloat16,
    ]
    with pytest.raises(DeviceError, match="fp16") as error:
        device.arithmetic("fp16", cpu)
    one_line(error)


def test_half_precision_trains_to_nearly_the_same_loss(tiles, tmp_path):
    plan = replace(TINY, epochs=2, steps_per_epoch=6, dropout=0.0)
    full = go(plan, tiles, tmp_path / "full").record
    half = go(replace(plan, precision="bf16"), tiles, tmp_path / "half").record
    assert half.train_loss == pytest.approx(full.train_loss, rel=0.1)
    assert half.train_loss != full.train_loss


@pytest.mark.skipif(sys.platform == "win32", reason="no process groups")
def test_a_signal_to_all_processes_ends_a_run_in_good_order(tmp_path):
    """Schedulers signal the whole process group: the workers are gone before the run can end them."""
    tiles = write_tiles(tmp_path / "tiles")
    words = ["train", "--tiles", tiles, "-o", tmp_path / "run", "--size", 32, "--width", 4, "--depth", 2]
    words += ["--epochs", 10_000, "--patience", 10_000, "--device", "cpu", "--threads", 1]
    environment = os.environ | {"BEADCTL_TRAIN__WORKERS": "2"}
    with subprocess.Popen(
        [sys.executable, "-m", "beadctl", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "run/last.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGTERM)
        try:
            _, said = process.communicate(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 143
    assert "Traceback" not in said
    assert "--resume" in said


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_process_that_ends_with_workers_left_does_not_wait_for_them(tmp_path):
    """As after an exception that keeps the loader alive; multiprocessing sends workers SIGTERM and waits."""
    code = """
from beadctl.training.dataset import Batches, Simulated, Views, load
batches = Batches(8, 2)
loader = load(Views(Simulated(8, 32), 32, 0, None), batches, workers=1, pin_memory=False)
kept = iter(loader)
next(kept)
import builtins
builtins.kept = kept
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, start_new_session=True)
    try:
        assert process.wait(60) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
