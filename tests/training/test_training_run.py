"""A training run: it learns, repeats, resumes, accumulates and ends, and chooses the best epoch."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.training import DESCENT, TINY, go, gradient, history, one_line, write_tiles

from beadctl.dataset.manifest import read_manifest
from beadctl.errors import TrainingError
from beadctl.losses import Loss, LossParameters
from beadctl.segmentation.options import SegmentOptions
from beadctl.training import checkpoint, device, training_run
from beadctl.training.choices import SelectName
from beadctl.training.tiles import Tiles
from beadctl.training.validation import Scores, score


def stop_after(epochs):
    """Callbacks that stop the run when `epochs` epochs are done."""
    done = []
    return {"on_epoch": done.append, "should_stop": lambda: len(done) >= epochs}


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


def test_the_best_checkpoint_holds_the_weights_that_were_scored(tiles, tmp_path):
    result = go(TINY, tiles, tmp_path / "run")
    network = checkpoint.load(result.best).network()
    assert not network.training
    scenes = Tiles(read_manifest(tiles), "val", tiles)
    again = score(network, scenes, torch.device("cpu"), SegmentOptions(0.5, 0.5, 3))
    assert again.jaccard == result.record.val_jaccard
    assert again.count_mae == result.record.count_mae


def weights(run_dir):
    state = checkpoint.load(run_dir / "last.pt")
    return {
        f"{kind}.{name}": value
        for kind in ("model", "average")
        for name, value in getattr(state, kind).items()
    }


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("maker", ["processes", "device"])
def test_resuming_gives_the_bits_of_a_run_that_was_never_stopped(tiles, tmp_path, monkeypatch, maker):
    """With dropout, augmentation, accumulation and a short last group; workers do not matter."""
    monkeypatch.setattr(device, "makes_views", lambda target: maker == "device")
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


def test_a_run_finishes_an_epoch_however_short_its_time_limit(tiles, tmp_path):
    """Without one there is nothing to export, and `compare-losses` has nothing to measure."""
    result = go(replace(TINY, max_minutes=1e-9), tiles, tmp_path / "run")
    assert (result.stopped, result.epochs) == ("time limit", 1)
    assert checkpoint.load(result.best).step == 1


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


@pytest.mark.parametrize("samples", [6, 5])
@pytest.mark.parametrize("loss", Loss)
def test_accumulation_is_the_gradient_of_one_large_batch(tiles, tmp_path, loss, samples):
    """Also where the last micro-batch is short: every sample weighs the same."""
    plan = replace(DESCENT, loss=loss)
    whole, whole_means = gradient(replace(plan, batch_size=6), tiles, samples, tmp_path)
    parts, parts_means = gradient(replace(plan, batch_size=2, accumulate=3), tiles, samples, tmp_path)
    assert whole.abs().max() > 1e-3
    torch.testing.assert_close(parts, whole, atol=1e-6, rtol=1e-5)
    assert whole_means == pytest.approx(parts_means, abs=1e-6)


def test_a_plateau_lowers_the_rate_of_a_run_and_of_its_resumption(tiles, tmp_path):
    plan = replace(TINY, schedule="plateau", plateau_epochs=1, lr=1e-9, warmup_epochs=0, ema_decay=0.0)
    go(replace(plan, epochs=3), tiles, tmp_path / "run")
    go(replace(plan, epochs=4), tiles, tmp_path / "run", resume=True)
    # At such a rate nothing is learned, so every epoch after the first is one without a better score.
    rates = [float(row["lr"]) for row in history(tmp_path / "run")]
    np.testing.assert_allclose(rates, [1e-9, 1e-9, 5e-10, 2.5e-10])


# Figures of four epochs, each the best by another one; the last is as good as the first by F1 alone.
EPOCHS = [
    Scores(jaccard=0.5, dice=0.6, f1=0.8, count_mae=3, count_mape=0.3, count_bias=0.1),
    Scores(jaccard=0.9, dice=0.9, f1=0.7, count_mae=3, count_mape=0.3, count_bias=0.1),
    Scores(jaccard=0.7, dice=0.7, f1=0.6, count_mae=1, count_mape=0.1, count_bias=-0.1),
    Scores(jaccard=0.4, dice=0.5, f1=0.8, count_mae=2, count_mape=0.2, count_bias=0.0),
]


def test_a_plateau_is_one_of_the_selected_figure(tiles, tmp_path, monkeypatch):
    rates = {}
    for select in SelectName:
        scores = iter(EPOCHS)
        monkeypatch.setattr(
            training_run, "score", lambda _, scenes, *more, scores=scores: (list(scenes), next(scores))[1]
        )
        plan = replace(TINY, epochs=4, steps_per_epoch=1, patience=9, select=select, lr=1e-3)
        plan = replace(plan, schedule="plateau", plateau_epochs=1, warmup_epochs=0)
        go(plan, tiles, tmp_path / select)
        rates[select] = [float(row["lr"]) for row in history(tmp_path / select)]
    assert rates["f1"] == pytest.approx([1e-3, 1e-3, 5e-4, 2.5e-4])
    assert rates["jaccard"] == pytest.approx([1e-3, 1e-3, 1e-3, 5e-4])
    assert rates["count"] == pytest.approx([1e-3, 1e-3, 5e-4, 5e-4])


@pytest.mark.parametrize(
    ("select", "best", "told"),
    [("f1", 1, "F1 0.8000"), ("jaccard", 2, "Jaccard 0.9000"), ("count", 3, "count error 0.1000")],
)
def test_the_best_epoch_is_that_of_the_selected_figure(tiles, tmp_path, monkeypatch, select, best, told):
    scores = iter(EPOCHS)
    monkeypatch.setattr(training_run, "score", lambda _, scenes, *more: (list(scenes), next(scores))[1])
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
    monkeypatch.setattr(training_run, "score", lambda _, scenes, *more: (list(scenes), next(scores))[1])
    patience = 1 if select == "count" else 2
    plan = replace(TINY, epochs=4, steps_per_epoch=1, patience=patience, select=SelectName(select))
    assert go(plan, tiles, tmp_path / "run").epochs == epochs
