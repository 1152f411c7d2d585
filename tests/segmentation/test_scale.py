"""The scale at which the network looks: stated by a diameter, or found from what it makes of the plane."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from beadctl.errors import SettingsError
from beadctl.images import open_image
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.segmentation import measure, scale
from beadctl.segmentation.instances import Found
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane
from beadctl.segmentation.prediction import predict_plane
from beadctl.segmentation.scale import Choice, Evidence, chosen, factors_for, sample_windows
from beadctl.segmentation.sizes import Diameter
from beadctl.simulate import render


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [("12", 12, "px"), ("12px", 12, "px"), (" 7.5 px ", 7.5, "px"), ("5um", 5, "um"), ("0.5 µm", 0.5, "um")],
)
def test_a_diameter_has_a_number_and_a_unit(text, value, unit):
    assert Diameter.parse(text) == Diameter(value, unit)


@pytest.mark.parametrize("text", ["", "px", "-3", "0", "0um", "12mm", "1e3", "12 13"])
def test_what_is_no_diameter_is_refused(text):
    with pytest.raises(SettingsError, match=r"not a diameter; give it as 12px or 5um"):
        Diameter.parse(text)


def test_micrometres_become_pixels_by_the_pixel_size():
    assert Diameter(5, "um").in_px(0.25) == 20
    assert Diameter(5, "um").in_px(None) is None
    assert Diameter(5, "px").in_px(None) == 5


@given(st.floats(0.1, 2000))
def test_a_stated_bead_is_shown_at_16_to_80_px_where_a_factor_does(diameter_px):
    fitting = tuple(factor for factor in scale.FACTORS if 16 <= diameter_px / factor <= 80)
    assert factors_for(diameter_px) == (fitting or ((1,) if diameter_px < 16 else (16,)))
    assert factors_for(None) == scale.FACTORS


def table(*shapes):
    """Measure discs and others, each of an own kind, with a probability for each."""
    labels = np.zeros((60 * len(shapes), 60), np.uint32)
    probability = np.zeros(labels.shape, np.uint8)
    y, x = np.mgrid[:60, :60] - 30
    for index, (kind, certainty) in enumerate(shapes):
        mask = {
            "disc": np.hypot(y, x) <= 12,
            "half": (np.hypot(y, x) <= 12) & (y <= 0),
            "bar": (abs(y) <= 3) & (abs(x) <= 20),
            "star": (np.minimum(abs(y), abs(x)) <= 2) & (np.hypot(y, x) <= 20),
            "moon": (np.hypot(y, x) <= 14) & (np.hypot(y, x - 7) > 14),
        }[kind]
        labels[60 * index : 60 * index + 60][mask] = index + 1
        probability[60 * index : 60 * index + 60][mask] = round(255 * certainty)
    return measure.measure(labels, None, probability)


def evidence(*tables):
    """Sum up tables, each of a window of 60 px width with as many strips as it has beads."""
    windows = [Found(np.zeros((60 * max(1, len(one)), 60), np.uint32)) for one in tables]
    return Evidence.of(windows, tables)


def test_beads_are_sound_where_they_are_round_and_certain():
    for kind in ("disc", "half"):
        seen = evidence(table((kind, 0.9)))
        assert seen.sound == seen.covered > 0, kind
    for kind in ("bar", "star", "moon"):
        assert evidence(table((kind, 0.9))).sound == 0, kind
    assert evidence(table(("disc", 0.4))).sound == 0
    nothing = evidence(measure.measure(np.zeros((60, 60), np.uint32)))
    assert (nothing.covered, nothing.sound, nothing.worth) == (0, 0, 0)
    assert (nothing.diameter_px, nothing.median_px) == (0, 0)


def test_evidence_is_summed_over_all_windows():
    both = table(("disc", 0.9), ("star", 0.9))
    disc, star = table(("disc", 0.9)), table(("star", 0.9))
    assert evidence(both) == evidence(disc, star)
    assert evidence(both).sound == pytest.approx(both.area_px[0] / 7200)
    assert evidence(both).worth == pytest.approx(both.area_px[0] ** 2 / both.area_px.sum() / 7200)


def seen(sound, covered=0.5, instability=0.5, diameter_px=30.0, median_px=None):
    return Evidence(covered, sound, diameter_px, diameter_px if median_px is None else median_px, instability)


def chosen_of(*answers, height=5000, width=5000):
    asked = []

    def look(factor):
        asked.append(factor)
        return answers[scale.FACTORS.index(factor)]

    return chosen(height, width, look).factor, asked


def test_beads_that_are_stable_in_number_settle_the_scale():
    assert chosen_of(seen(0.1, instability=0.1)) == (1, [1])
    nothing = seen(0.0, covered=0.0, instability=0.0, diameter_px=0.0)
    assert chosen_of(*[nothing] * 5) == (1, [1, 2, 4, 8, 16])
    assert chosen_of(nothing, seen(0.5, instability=0.1), nothing, nothing, nothing)[0] == 2
    assert chosen_of(nothing, seen(0.5, instability=0.6), nothing, nothing, nothing)[0] == 1


def test_a_coarser_scale_must_be_clearly_better_and_no_less_stable():
    fine = seen(0.3)
    assert chosen_of(fine, fine, fine, fine, fine)[0] == 1
    assert chosen_of(fine, seen(0.45), fine, fine, fine)[0] == 2
    assert chosen_of(fine, seen(0.38), seen(0.49), fine, fine)[0] == 4
    assert chosen_of(fine, seen(0.31), fine, fine, fine)[0] == 1
    assert chosen_of(fine, seen(0.45, instability=0.7), fine, fine, fine)[0] == 1


def test_beads_of_an_unstable_number_are_worth_less():
    assert seen(0.3, instability=0.25).worth == pytest.approx(0.75 * seen(0.3, instability=0.0).worth)
    assert seen(0.3, instability=1.5).worth == 0
    nothing = seen(0.0, covered=0.0, instability=0.0, diameter_px=0.0)
    unstable, stable = seen(0.3, instability=0.5), seen(0.3, instability=0.0)
    assert chosen_of(unstable, stable, nothing, nothing, nothing)[0] == 2


def test_beads_that_look_large_are_seen_at_half_of_the_scale_where_that_is_worth_about_as_much():
    def large(sound, diameter_px, median_px=None):
        return seen(sound, instability=0.1, diameter_px=diameter_px, median_px=median_px)

    nothing = seen(0.0, covered=0.0, instability=0.0, diameter_px=0.0)
    assert chosen_of(large(0.3, 60.0)) == (1, [1])
    assert chosen_of(large(0.3, 61.0), large(0.29, 30.5), nothing, nothing, nothing)[0] == 2
    # A few large beads among many small ones, which would be lost at half of the scale.
    assert chosen_of(large(0.3, 90.0, median_px=40.0)) == (1, [1])
    assert chosen_of(large(0.3, 61.0), large(0.28, 30.5), nothing, nothing, nothing)[0] == 1
    assert chosen_of(large(0.3, 130.0), large(0.3, 65.0), large(0.3, 32.0), large(0.3, 16.0), nothing)[0] == 4


def test_only_the_scales_that_fit_a_stated_diameter_are_tried():
    asked = []

    def look(factor):
        asked.append(factor)
        return seen(0.1 * factor)

    chosen(5000, 5000, look, factors_for(120))
    chosen(5000, 5000, look, factors_for(12))
    assert asked == [2, 4, 1]


def test_clumps_of_small_beads_do_not_speak_for_a_coarser_scale():
    assert chosen_of(seen(0.1), *[seen(0.5, diameter_px=15)] * 4)[0] == 1


def test_an_object_nearly_as_wide_as_the_plane_does_not_speak_for_a_coarser_scale():
    assert chosen_of(seen(0.1), seen(0.4, diameter_px=41.0), *[seen(0.1)] * 3, height=300, width=200)[0] == 1
    assert chosen_of(seen(0.1), seen(0.4, diameter_px=39.0), *[seen(0.1)] * 3, height=300, width=200)[0] == 2


def test_a_small_plane_is_not_shrunk():
    coarser = seen(0.5, diameter_px=18.0)
    assert chosen_of(seen(0.1), coarser, height=95) == (1, [1])
    assert chosen_of(seen(0.1), coarser, height=96) == (2, [1, 2])


@given(st.integers(1, 100_000), st.integers(1, 100_000))
def test_the_parts_that_are_looked_at_lie_inside_and_are_few(height, width):
    windows = sample_windows(height, width)
    assert all(window.is_inside(height, width) for window in windows)
    if max(height, width) <= 4096:
        assert [(w.height, w.width) for w in windows] == [(height, width)]
    else:
        assert len(windows) <= 4
        assert all(max(w.height, w.width) <= 1024 for w in windows)


def test_specks_do_not_keep_a_plane_from_being_shrunk():
    specks = seen(0.01, covered=0.01, instability=0.1, diameter_px=7.0)
    nothing = seen(0.0, covered=0.0, instability=0.0, diameter_px=0.0)
    assert chosen_of(specks, seen(0.5, instability=0.4), nothing, nothing, nothing)[0] == 2
    assert chosen_of(specks, seen(0.5, instability=0.6), nothing, nothing, nothing)[0] == 1


def test_sound_pieces_settle_no_scale_where_the_diameter_is_stated():
    pieces, whole = seen(0.16, instability=0.0), seen(0.24, instability=0.0)
    assert chosen(256, 256, {1: pieces, 2: whole}.get, (1, 2)) == Choice(1)
    assert chosen(256, 256, {1: pieces, 2: whole}.get, (1, 2), stated=True) == Choice(2)


def test_beads_of_a_stated_diameter_may_be_as_wide_as_the_plane():
    answers = {1: seen(0.0, covered=0.0, diameter_px=0.0), 2: seen(0.4, instability=0.0)}
    assert chosen(120, 120, answers.get, (1, 2)) == Choice(1, has_larger=True)
    assert chosen(120, 120, answers.get, (1, 2), stated=True) == Choice(2)


default = pytest.mark.skipif(not DEFAULT_MODEL.exists(), reason="the package has no default model")


def found(tmp_path, image, **recipe):
    model = Model(DEFAULT_MODEL, "cpu", 1)
    path = tmp_path / "plane.tif"
    tifffile.imwrite(path, image)
    numbers = replace(SegmentOptions.of(model.facts), **recipe)
    with open_image(path).planes[0].open() as pixels:
        predicted = predict_plane(pixels, model, numbers)
        return label_plane(predicted, image, numbers).table, predicted.shrink


@default
@pytest.mark.parametrize(("times", "contrast"), [(1, 90), (4, 90), (9, 90), (40, 90), (5, -70), (10, -70)])
def test_beads_of_10_to_400_px_are_found_with_no_setting(tmp_path, times, contrast):
    """The same four beads, magnified; where they are larger than the network's view it shrinks the plane."""
    truth = discs(4, 60, 60)[1]
    clean = np.kron(100.0 + contrast * (truth > 0), np.ones((times, times)))
    image = ndimage.gaussian_filter(clean, 0.12 * times) + np.random.default_rng(1).normal(0, 3, clean.shape)
    table, factor = found(tmp_path, image.clip(0, 255).astype(np.uint8))
    large = table.diameter_px[table.diameter_px > 6 * times]
    assert large == pytest.approx([10 * times] * 4, rel=0.15)
    assert (factor == 1) if times == 1 else (factor > 1 or times < 12)


@default
def test_an_empty_noisy_plane_has_no_beads_at_any_scale(tmp_path):
    noise = np.random.default_rng(5).normal(1000, 30, (300, 300)).astype(np.uint16)
    table, _ = found(tmp_path, noise)
    assert len(table) == 0


@default
def test_a_stated_diameter_sets_the_scale(tmp_path):
    image = render(np.random.default_rng(4), 256).image
    assert found(tmp_path, image, diameter=Diameter(10, "px"))[1] == 1
    assert found(tmp_path, image, diameter=Diameter(120, "px"))[1] == 2


def test_the_command_line_takes_a_diameter_and_tells_the_factor(run, tmp_path, model_path):
    """In pixels, or in um where the pixel size is known."""
    tifffile.imwrite(tmp_path / "a.tif", discs(6)[0])

    def segment(*arguments):
        return run("segment", tmp_path / "a.tif", "-m", model_path, "--overwrite", *arguments)

    for text, factor in (("10px", 1), ("450px", 8)):
        said = segment("--diameter", text)
        assert said.code == 0, said.err
        assert json.loads(Path("segmented/run.json").read_text())["options"]["diameter"]["value"] > 0
        head, row = Path("segmented/counts.csv").read_text().splitlines()
        assert dict(zip(head.split(","), row.split(","), strict=True))["shrink"] == str(factor)
    said = segment("--diameter", "10um")
    assert said.code == 1
    assert "pixel size is unknown; give --pixel-size, or --diameter in px" in said.error
    assert segment("--diameter", "10um", "--pixel-size", "1").code == 0
    assert "not a diameter" in segment("--diameter", "ten").error
