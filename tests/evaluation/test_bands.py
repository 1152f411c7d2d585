"""Figures by density: sums, the widening that makes intervals hold, and the model file with them."""

import dataclasses
import json
import sys

import numpy as np
import pytest
import tifffile
from helpers.counted_fields import ModelOfError
from helpers.images import discs
from helpers.model import write_model
from scipy import stats

from beadctl.counting.detection import Band, combined_interval, detection_interval, field_interval
from beadctl.counting.interval import Interval
from beadctl.evaluation import bands
from beadctl.evaluation.bands import LIMITS, Observed, fitted_bands
from beadctl.model.session import Model

BAND = Band(False, 1.0, 40, true=900, found=880, matched=860, widening=1.5)


USUAL = ModelOfError()


def drawn(seed, number, error=USUAL):
    rng = np.random.default_rng(seed)
    means = np.exp(rng.uniform(np.log(3), np.log(400), number))
    return [(mean, error.observed(rng, mean)) for mean in means.tolist()]


def combined(field, band):
    ends = field_interval(field.count, detection_interval(field.count, band), field.thresholds, band.widening)
    return combined_interval(field.count, ends)


def held(field, band):
    """Return the probability that the mean of a field is in its interval: a share of a gamma distribution."""
    low, high = vars(combined(field, band)).values()
    return np.diff(stats.gamma.cdf([low, high], field.true + 0.5))[0]


def test_bands_sum_up_the_fields_of_their_density():
    fields = [field for _, field in drawn(1, 400)]
    found = fitted_bands(fields)
    assert [(band.flagged, band.covered_below, band.doubt_below) for band in found[:4]] == [
        (False, 0.02, 0.1),
        (False, 0.1, 0.1),
        (False, 1.0, 0.1),
        (False, 1.0, 1.0),
    ]
    for band in found:
        own = [one for one in fields if one.band_of(found) is band]
        assert band.fields == len(own)
        assert (band.true, band.found, band.matched) == tuple(
            sum(getattr(one, name) for one in own) for name in ("true", "count", "matched")
        )


def test_the_widening_holds_the_mean_in_95_percent_of_its_own_fields():
    # Thresholds that tell nothing of the errors.
    fields = [
        dataclasses.replace(field, thresholds=Interval(field.count, field.count))
        for _, field in drawn(2, 400, ModelOfError(0.2, 0.0, 1.2))
    ]
    found = fitted_bands(fields)
    for band in found:
        own = [one for one in fields if one.band_of(found) is band]
        share = np.mean([held(one, band) for one in own])
        assert share >= 0.95 if band.widening == 1 else share == pytest.approx(0.95, abs=4e-3)
    assert 1 < max(band.widening for band in found) < 50


@pytest.mark.parametrize("error", [USUAL, ModelOfError(0.1, 0.02, 0.5), ModelOfError(0.02, 0.15, 0.8)])
def test_coverage_of_other_fields(error):
    """The widening of one set of fields, the known means of another."""
    found = fitted_bands([field for _, field in drawn(4, 600, error)])
    others = [(mean, field, band) for mean, field in drawn(5, 800, error) if (band := field.band_of(found))]
    assert len(others) > 700
    covered = [one.low <= mean <= one.high for mean, *rest in others for one in [combined(*rest)]]
    # Three standard errors of both sets together are 3.5 %.
    assert np.mean(covered) == pytest.approx(0.95, abs=0.035)


def test_a_model_without_errors_needs_no_widening():
    counts = np.random.default_rng(6).poisson(50, 60).tolist()
    fields = [Observed(n, n, n, Interval(n, n), 0.5, False) for n in counts]
    (band,) = fitted_bands(fields)
    assert (band.widening, band.precision, band.recall) == (1, 1, 1)


def test_fields_that_no_interval_can_hold_have_the_widest():
    empty = Observed(0, 1000, 0, Interval(1000, 1000), 0.0, False)
    perfect = Observed(10**6, 10**6, 10**6, Interval(10**6, 10**6), 0.0, False)
    (band,) = fitted_bands([empty] * 3 + [perfect] * 37)
    assert band.widening == LIMITS.widening[1]


def test_few_fields_of_doubt_are_no_band_of_their_own():
    sure = [Observed(9, 9, 9, Interval(9, 9), 0.5, False, 0.0)] * 40
    good, bad = (Observed(100, n, n, Interval(n, n), 0.5, False, 0.3) for n in (100, 40))
    unsure = [bad, *[good] * 6] * 10
    (band,) = fitted_bands([*sure, *unsure[: LIMITS.least_fields - 1]])
    assert (band.fields, unsure[0].band_of((band,))) == (69, band)
    narrow, wide = fitted_bands([*sure, *unsure])
    assert (sure[0].band_of((narrow, wide)), unsure[0].band_of((narrow, wide))) == (narrow, wide)
    assert narrow.widening < band.widening < wide.widening


def test_few_fields_make_no_band():
    fields = [field for _, field in drawn(7, LIMITS.least_fields - 1)]
    assert fitted_bands(fields) == ()


@pytest.fixture
def pairs(tmp_path):
    """Enough sparse images for a band, and one that is dense."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for index in range(LIMITS.least_fields + 1):
        image, labels = discs(1 if index else 12, seed=index)
        tifffile.imwrite(tmp_path / "images" / f"{index:02}.tif", image)
        tifffile.imwrite(tmp_path / "masks" / f"{index:02}.tif", labels)
    return tmp_path


def test_a_model_with_bands_counts_with_intervals(run, pairs, tmp_path, model_path):
    call = ("eval", pairs / "images", pairs / "masks", "-m", model_path, "--bands", tmp_path / "b.onnx")
    said = run(*call)
    assert said.code == 0, said.err
    assert "images left out, in bands of fewer than 30: 1" in said.err
    (band,) = Model(tmp_path / "b.onnx", "cpu").facts.bands
    assert (band.covered_below, band.fields, band.true, band.found, band.matched) == (0.02, 30, 30, 30, 30)
    assert run(*call).code != 0
    told = run("info", tmp_path / "b.onnx").out
    assert "band covered below 0.02, doubt below 1" in told
    assert "recall 1.000" in told
    counted = run("count", pairs / "images", "-m", tmp_path / "b.onnx", "--format", "jsonl")
    dense, *sparse = map(json.loads, counted.out.splitlines())
    assert "validation figures" not in counted.err
    # The image of a density without figures has none.
    assert (dense["count"], dense["detection_low"], dense["combined_high"]) == (12, None, None)
    assert dense["threshold_low"] <= 12 <= dense["threshold_high"]
    for row in sparse:
        ends = detection_interval(row["count"], band)
        assert (row["detection_low"], row["detection_high"]) == (ends.low, ends.high)
        assert (
            row["combined_low"]
            <= row["field_low"]
            <= row["count"]
            <= row["field_high"]
            < row["combined_high"]
        )


@pytest.mark.parametrize("flags", [("--min-confidence", "0.4"), ("--diameter", "10px")])
def test_other_numbers_have_no_figures(run, bead_folder, tmp_path, flags):
    model = write_model(tmp_path / "b.onnx", facts={"bands": (BAND,)})
    call = ("count", bead_folder / "rgb.png", "-m", model, "--format", "json")
    own, other = run(*call), run(*call, *flags)
    assert "intervals of counts are empty" not in own.err
    assert "thresholds or diameter are not those of the model's validation" in other.err
    (row,), (without,) = (json.loads(said.out) for said in (own, other))
    assert row["combined_low"] < 3 < row["combined_high"]
    assert (without["detection_low"], without["combined_low"]) == (None, None)


def test_a_model_without_bands_says_so(run, bead_folder, model_path):
    said = run("count", bead_folder / "rgb.png", "-m", model_path, "--format", "json")
    assert said.code == 0
    assert "blobs.onnx has no validation figures by density" in said.err
    assert run("count", bead_folder / "rgb.png", "-m", model_path, "-q").err == ""


def few(pairs):
    for folder in ("images", "masks"):
        for path in sorted((pairs / folder).iterdir())[2:]:
            path.unlink()
    return "eval", pairs / "images", pairs / "masks"


def test_bad_input_is_one_line_and_writes_nothing(run, pairs, tmp_path, model_path, monkeypatch):
    call = (*few(pairs), "-m", model_path, "--bands")
    assert "ends in .onnx" in run(*call, tmp_path / "b.txt").error
    (tmp_path / "b.onnx").write_bytes(b"mine")
    assert "already exists; use --overwrite" in run(*call, tmp_path / "b.onnx").error
    assert (tmp_path / "b.onnx").read_bytes() == b"mine"
    assert "2 images are too few for --bands" in run(*call, tmp_path / "c.onnx").error
    assert "takes the model's own numbers" in run(*call, tmp_path / "c.onnx", "--min-area", "4").error
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setattr(bands, "predict", lambda *_: pytest.fail("onnx is checked first"))
    assert run(*call, tmp_path / "c.onnx").code == 3
    assert not (tmp_path / "c.onnx").exists()


def test_calibration_drops_the_figures_of_other_thresholds(run, pairs, tmp_path):
    model = write_model(tmp_path / "b.onnx", facts={"bands": (BAND,)})
    assert Model(model, "cpu").facts.bands == (BAND,)
    assert run(*few(pairs), "-m", model, "--calibrate", tmp_path / "c.onnx").code == 0
    assert Model(tmp_path / "c.onnx", "cpu").facts.bands == ()
