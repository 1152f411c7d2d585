"""Calibration: numbers chosen by counts and F1, and the model file written with them."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from helpers.joiner import ALWAYS, NEVER
from helpers.joins import scene
from helpers.model import write_model
from hypothesis import given, settings
from hypothesis import strategies as st

from beadctl.evaluation import calibration, joins, scoring
from beadctl.evaluation.calibration_fit import CalibrationFit, Numbers
from beadctl.evaluation.metrics import instance_counts
from beadctl.model.session import Maps, Model
from beadctl.segmentation import instances
from beadctl.segmentation.prediction import PredictedPlane

START = Numbers(0.5, 0.5, 0.1, 0.0, 4)
RULE_ALONE = calibration.SearchGrid(together=())
NO_SEARCH = replace(RULE_ALONE, rule=(), raised=())


def prediction(count, seed, *, specks=0, faint=False):
    """Maps of discs; with single-pixel artefacts, or with a probability below one half."""
    truth = discs(count, seed=seed)[1].astype(np.uint32)
    probability = np.where(truth > 0, 110 if faint else 250, 5).astype(np.uint8)
    height = np.where(truth > 0, 200, 0).astype(np.uint8)
    rng = np.random.default_rng(seed)
    free = np.flatnonzero(truth == 0)
    probability.flat[rng.choice(free, specks, replace=False)] = 250
    return scoring.Prediction(probability, truth, PredictedPlane(Maps(probability, height)))


def test_small_artefacts_raise_the_smallest_area():
    images = [prediction(10, 1, specks=15), prediction(6, 2, specks=9)]
    result = calibration.calibrate(images, Numbers(0.5, 0.5, 0.1, 0.0, 1))
    assert result.numbers.min_area_px > 1
    assert (result.fit.f1, result.fit.count_error) == (1, 0)
    assert result.before.f1 < 0.8


def test_faint_beads_lower_the_threshold():
    result = calibration.calibrate([prediction(10, 1, faint=True)], START)
    assert result.numbers.threshold < 0.44
    assert result.fit.f1 == 1
    assert result.before.f1 == 0
    assert result.before.count_error == 1


def test_numbers_without_influence_stay():
    result = calibration.calibrate([prediction(10, 1)], START)
    assert result.numbers == START
    assert result.fit == result.before


def test_beads_are_found_by_the_joiner_of_the_model_file():
    """Two beads whose marker has hardly a pass between them, which the least rise would join."""
    y, x = np.mgrid[:40, :60]
    left, right = (np.hypot(y - 20, x - column) for column in (22, 36))
    truth = np.where(left <= right, 1, 2).astype(np.uint32) * (np.minimum(left, right) < 8)
    marker = np.where(truth > 0, 200 - np.minimum(left, right), 0).astype(np.uint8)
    probability = np.where(truth > 0, 250, 5).astype(np.uint8)
    image = scoring.Prediction(probability, truth, PredictedPlane(Maps(probability, marker)))
    assert calibration.calibrate([image], START, grid=NO_SEARCH).before.count_error == 0.5
    start = replace(START, joiner=NEVER)
    assert calibration.calibrate([image], start, grid=NO_SEARCH).before.count_error == 0


def pairs_of_peaks(seeds, *, long):
    """Images of pairs of peaks, each pair one long bead or two."""
    found = []
    for seed in seeds:
        maps, truth = scene(seed, long=long)
        found.append(scoring.Prediction(maps.probability, truth, PredictedPlane(maps)))
    return found


def test_a_joiner_is_left_out_where_the_rule_is_surely_better():
    for count, long, kept in (
        (3, False, None),
        # One image does not show what others would.
        (1, False, ALWAYS),
        (3, True, ALWAYS),
    ):
        images = pairs_of_peaks(range(count), long=long)
        chosen = calibration.calibrate(images, replace(START, joiner=ALWAYS), grid=RULE_ALONE)
        assert chosen.numbers.joiner == kept


def test_a_joiner_is_fitted_to_the_images_where_it_is_surely_better(monkeypatch):
    monkeypatch.setattr(joins, "LIMITS", joins.JoinLimits(fits=1, units=4, decay=0.1, fewest=10))
    images = pairs_of_peaks(range(12), long=None)
    before = calibration.calibrate(images, START, grid=NO_SEARCH)
    after = calibration.with_own_joiner(before, images)
    assert before.fit.f1 < 0.9
    assert after.fit.f1 > 0.95
    own = calibration.calibrate(images, after.numbers, grid=NO_SEARCH)
    assert own.numbers.joiner == after.numbers.joiner is not None
    assert own.fit.f1 > 0.95


def test_a_joiner_that_learns_chance_is_not_kept(monkeypatch):
    """Equal pairs of which a die says which are one bead: those of other images tell nothing."""
    monkeypatch.setattr(joins, "LIMITS", joins.JoinLimits(fits=1, units=4, decay=0.1, fewest=10))
    images = []
    for seed in range(12):
        maps, truth = scene(5, long=False)
        rng = np.random.default_rng(seed)
        for left in range(1, truth.max(), 2):
            if rng.random() < 0.5:
                truth[truth == left + 1] = left
        images.append(scoring.Prediction(maps.probability, truth, PredictedPlane(maps)))
    before = calibration.calibrate(images, START, grid=NO_SEARCH)
    assert calibration.with_own_joiner(before, images) == before


def test_too_few_neighbours_leave_the_numbers_as_they_are():
    images = pairs_of_peaks(range(2), long=None)
    before = calibration.calibrate(images, START, grid=NO_SEARCH)
    assert calibration.with_own_joiner(before, images) == before


@pytest.mark.parametrize(
    ("gains", "sure"), [((0.1, 0.1, 0.09), True), ((0.3, -0.2, 0.1), False), ((0.9,), False), ((0, 0), False)]
)
def test_a_gain_is_sure_where_chance_does_not_explain_it(gains, sure):
    before = CalibrationFit((0.5,) * len(gains), 0.0)
    after = CalibrationFit(tuple(0.5 + gain for gain in gains), 0.0)
    assert after.is_surely_better(before) == sure
    assert not before.is_surely_better(before)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.3, 0.6]), st.sampled_from([1, 6, 20]), st.integers(1, 2))
def test_the_fit_is_that_of_labelling_with_the_area_and_scoring(random, threshold, area_px, shrink):
    """One labelling for all areas, against a labelling with the area."""
    rng = np.random.default_rng(random)
    truth = discs(8, seed=random)[1].astype(np.uint32)
    maps = Maps(*(rng.integers(0, 256, truth.shape).astype(np.uint8) // 2 + (truth > 0) * 127 for _ in "ab"))
    maps = Maps(maps.probability.astype(np.uint8), maps.marker.astype(np.uint8))
    numbers = Numbers(threshold, 0.5, 0.1, 0.3, area_px)
    # In an image without contrast no bead is an artefact, and none is divided.
    image = np.zeros_like(maps.probability)
    sample = scoring.Prediction(image, truth, PredictedPlane(maps, shrink=shrink))
    fit = calibration.calibrate([sample], numbers, grid=NO_SEARCH).before
    found = instances.find_beads(
        maps.probability,
        maps.marker,
        threshold=threshold,
        marker_threshold=0.5,
        join_by=0.1,
        min_confidence=0.3,
        min_area_px=area_px * shrink**2,
    ).labels
    assert fit.f1 == pytest.approx(instance_counts(truth, found).f1(0.5))
    counts = int(found.max()), int(truth.max())
    assert fit.count_error == pytest.approx(abs(counts[0] - counts[1]) / max(counts))


@pytest.fixture
def pairs(tmp_path):
    """Two images with artefacts of six pixels, which a model without a smallest area calls beads."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for index in range(2):
        image, labels = discs(8, seed=index)
        tifffile.imwrite(tmp_path / "images" / f"{index}.tif", image)
        tifffile.imwrite(tmp_path / "masks" / f"{index}.tif", labels)
    return tmp_path


def test_a_calibrated_model_counts_better_and_records_it(run, pairs, tmp_path):
    model = write_model(tmp_path / "a.onnx", facts={"min_area_px": 1})
    before = run("eval", pairs / "images", pairs / "masks", "-m", model)
    assert before.code == 0, before.err
    after = run("eval", pairs / "images", pairs / "masks", "-m", model, "--calibrate", tmp_path / "b.onnx")
    assert after.code == 0, after.err
    figures = [json.loads(result.out)["figures"] for result in (before, after)]
    assert figures[0]["count"] == figures[0]["true_count"] + 4
    assert figures[1]["count"] == figures[1]["true_count"]
    assert "(was 1)" in after.err
    facts = Model(tmp_path / "b.onnx", "cpu").facts
    assert facts.min_area_px > 1
    assert facts.validation["calibrated_on"] == 2
    assert facts.validation["calibrated_count_error"] == 0
    assert Model(model, "cpu").facts.min_area_px == 1
    again = run("eval", pairs / "images", pairs / "masks", "-m", tmp_path / "b.onnx")
    assert json.loads(again.out)["figures"] == figures[1]


def figures(result):
    assert result.code == 0, result.err
    return json.loads(result.out)["figures"]


def test_a_model_calibrated_by_the_rule_counts_by_the_rule(run, pairs, tmp_path):
    """The joiner of the file would be in its place, and with a stated rise it chose no number."""
    model = write_model(tmp_path / "a.onnx", facts={"joiner": ALWAYS})
    call = ("eval", pairs / "images", pairs / "masks", "-m")
    after = run(*call, model, "--calibrate", tmp_path / "b.onnx", "--marker-rise", "0.05")
    assert Model(tmp_path / "b.onnx", "cpu").facts.joiner is None
    assert figures(run(*call, tmp_path / "b.onnx")) == figures(after)


def test_the_figures_are_those_of_the_written_file_whatever_the_search_started_from(run, pairs, tmp_path):
    model = write_model(tmp_path / "a.onnx", facts={"min_area_px": 1})
    call = ("eval", pairs / "images", pairs / "masks", "-m")
    after = run(*call, model, "--calibrate", tmp_path / "b.onnx", "--min-confidence", "0.99")
    assert figures(run(*call, tmp_path / "b.onnx")) == figures(after)
    assert figures(after)["count"] == figures(after)["true_count"]


def test_images_without_a_bead_choose_no_numbers(run, pairs, tmp_path, model_path):
    """By these, thresholds that find nothing would be the best."""
    for path in (pairs / "masks").iterdir():
        tifffile.imwrite(path, np.zeros_like(tifffile.imread(path)))
    call = ("eval", pairs / "images", pairs / "masks", "-m", model_path, "--calibrate", tmp_path / "b.onnx")
    result = run(*call)
    assert result.code == 1
    assert "--calibrate: 2 images without an annotated bead; annotate some" in result.error
    assert not (tmp_path / "b.onnx").exists()


def test_existing_files_and_other_suffixes_are_refused(run, pairs, tmp_path, model_path):
    call = ("eval", pairs / "images", pairs / "masks", "-m", model_path, "--calibrate")
    (tmp_path / "b.onnx").write_bytes(b"mine")
    assert "already exists; use --overwrite" in run(*call, tmp_path / "b.onnx").error
    assert (tmp_path / "b.onnx").read_bytes() == b"mine"
    assert "a model file ends in .onnx" in run(*call, tmp_path / "b.txt").error
    assert run(*call, tmp_path / "b.onnx", "--overwrite").code == 0
    assert Model(tmp_path / "b.onnx", "cpu").facts.validation["calibrated_on"] == 2


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--diameter", "12px"), "--diameter"),
        (("--max-area", "90"), "--max-area"),
        (("--diameter", "12px", "--min-diameter", "4"), "--diameter, --min-diameter"),
    ],
)
def test_numbers_are_not_chosen_for_one_size_of_beads(run, pairs, tmp_path, model_path, flags, named):
    """Those of the file count wherever it is used, and scale and sizes that were stated are not in it."""
    call = ("eval", pairs / "images", pairs / "masks", "-m", model_path, "--calibrate", tmp_path / "b.onnx")
    result = run(*call, *flags)
    assert result.code == 2
    assert result.error.endswith(f"--calibrate: chooses for beads of any size; leave out {named}")
    assert not (tmp_path / "b.onnx").exists()


def test_calibration_without_onnx_fails_before_it_predicts(run, pairs, tmp_path, model_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setattr(calibration, "predict", lambda *_: pytest.fail("onnx is checked first"))
    call = ("eval", pairs / "images", pairs / "masks", "-m", model_path, "--calibrate", tmp_path / "b.onnx")
    result = run(*call)
    assert result.code == 3
    assert 'pip install "beadctl[train]"' in result.error
    assert not (tmp_path / "b.onnx").exists()
