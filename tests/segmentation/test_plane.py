"""One plane, in order: what it costs, and that windows of a large plane are the plane's own."""

import dataclasses

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from PIL import Image as PillowImage

from beadctl.errors import ImageError
from beadctl.images import InMemory, ReadOptions, measure_levels, only_plane
from beadctl.model.session import DEFAULT_MODEL, Maps, Model
from beadctl.segmentation import instances, plane, prediction, scale
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane, segment_plane
from beadctl.segmentation.prediction import PredictedPlane, find_beads, predict_plane
from beadctl.segmentation.scale import ScaleLimits
from beadctl.segmentation.sizes import Area, Diameter

OPTIONS = SegmentOptions(0.5, 0.3, 12)


@pytest.fixture
def model(model_path):
    return Model(model_path, "cpu", 1)


@pytest.fixture
def calls(monkeypatch, model):
    """Count the network's pixels, the labellings and the measurements of a plane."""
    counted = {"network_px": 0, "label": 0, "measure": 0}
    run, label, measure = model.run, instances.find_beads, plane.measure

    def counting(name, function, amount=lambda *_: 1):
        def call(*arguments, **named):
            counted[name] += amount(*arguments)
            return function(*arguments, **named)

        return call

    monkeypatch.setattr(model, "run", counting("network_px", run, lambda tile: tile.size))
    monkeypatch.setattr(instances, "find_beads", counting("label", label))
    for module in (prediction, plane):
        monkeypatch.setattr(module, "measure", counting("measure", measure))
    return counted


@pytest.mark.parametrize("shape", [(96, 128), (120, 120)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_plane_turned_or_mirrored_has_the_same_beads_in_raster_order(shape, seed):
    model = Model(DEFAULT_MODEL, "cpu", 1)
    # Discs that touch, in noise: where they are cut depends on the order of pixels.
    random = np.random.default_rng(seed)
    image = discs(9, *shape)[0]
    image = np.maximum(image, np.roll(image, (3, 7), (0, 1))) + random.normal(0, 3, shape)
    options = SegmentOptions.of(model.facts)
    found = segment_plane(InMemory(image), model, options)
    assert len(found.table) > 3
    for mirrored in (False, True):
        for turns in range(4):
            turned = np.rot90(image.T if mirrored else image, turns)
            again = segment_plane(InMemory(turned), model, options)
            back = np.rot90(again.labels, -turns)
            back = back.T if mirrored else back
            pairs = np.unique(np.stack((back.ravel(), found.labels.ravel())), axis=1)
            assert len(pairs.T) == len(found.table) + 1
            first = np.unique(again.labels, return_index=True)[1]
            assert (np.diff(first[1:]) > 0).all()
            np.testing.assert_allclose(
                again.table.mean_intensity[pairs[0, 1:] - 1], found.table.mean_intensity[pairs[1, 1:] - 1]
            )


@pytest.mark.parametrize(("height", "width"), [(96, 128), (1100, 1100)])
def test_a_plain_plane_costs_one_network_pass_one_labelling_and_two_measurements(model, calls, height, width):
    image, truth = discs(height * width // 1500, height, width)
    found = segment_plane(InMemory(image), model, OPTIONS)
    assert len(found.table) == truth.max()
    assert calls["label"] == 1
    assert calls["measure"] == 2
    blocks = list(model_blocks(model, height, width))
    assert calls["network_px"] == sum(block.height * block.width for block in blocks)


def model_blocks(model, height, width):
    from beadctl.model.blocks import blocks

    return blocks(height, width, tile_size=1024, halo=model.facts.halo, stride=model.facts.stride)


def test_windows_of_a_large_plane_are_handed_on(model, calls, monkeypatch):
    """The network runs once over a plane whose scale is judged by windows, and the maps are the plane's."""
    image, _ = discs(30, 300, 500)
    whole = predict_plane(InMemory(image), model, OPTIONS)
    monkeypatch.setattr(scale, "LIMITS", ScaleLimits(sample_edge_px=64, whole_edge_px=128))
    calls["network_px"] = calls["label"] = 0
    options = SegmentOptions(0.5, 0.3, 12, tile_size=64)
    windows = scale.sample_windows(*image.shape)
    assert len(windows) == 4
    assert all(window.is_inside(*image.shape) for window in windows)
    large = predict_plane(InMemory(image), model, options)
    np.testing.assert_array_equal(large.maps.probability, whole.maps.probability)
    np.testing.assert_array_equal(large.maps.marker, whole.maps.marker)
    from beadctl.model.blocks import blocks

    once = blocks(*image.shape, tile_size=64, halo=model.facts.halo, stride=model.facts.stride)
    assert calls["network_px"] == sum(block.height * block.width for block in once)
    assert calls["label"] == len(windows)
    assert large.found is None
    np.testing.assert_array_equal(
        label_plane(large, image, options).labels, label_plane(whole, image, OPTIONS).labels
    )


def test_windows_are_normalised_by_the_whole_plane(model, monkeypatch):
    """A window without a bead has no contrast of its own: normalised by itself, its noise would be beads."""
    image, _ = discs(8, 96, 128)
    image = np.pad(image, ((0, 160), (0, 384)), mode="reflect").astype(np.uint8)
    image[96:] = image[:160]
    shown = []
    maps = model.maps

    def spy(pixels, window=None, **named):
        shown.append(named["shown"])
        return maps(pixels, window, **named)

    monkeypatch.setattr(model, "maps", spy)
    monkeypatch.setattr(scale, "LIMITS", ScaleLimits(sample_edge_px=64, whole_edge_px=128))
    predict_plane(InMemory(image), model, OPTIONS)
    assert {item.normalisation for item in shown} == {measure_levels(InMemory(image)).around_median}
    assert len(shown) == 5


def test_what_the_scale_rule_labelled_is_what_labelling_gives(model):
    image, truth = discs(10)
    predicted = predict_plane(InMemory(image), model, OPTIONS)
    np.testing.assert_array_equal(predicted.found.labels, find_beads(predicted.maps, OPTIONS).labels)
    assert predicted.found.labels.max() == truth.max()


def test_beads_on_the_border_are_left_out_on_request(model):
    image, truth = discs(6)
    image, count = image[:, int(np.argwhere(truth == 1)[:, 1].mean()) :], int(truth.max())
    kept = segment_plane(InMemory(image), model, SegmentOptions(0.5, 0.3, 12, exclude_border=True))
    every = segment_plane(InMemory(image), model, OPTIONS)
    assert 0 < len(kept.table) < len(every.table) <= count
    assert kept.filtered == 0
    np.testing.assert_array_equal(kept.table.label, np.arange(1, len(kept.table) + 1))


def test_beads_beside_those_on_the_border_are_measured_as_if_these_were_kept():
    rows, columns = np.indices((60, 60))
    beads = [np.hypot(rows - y, columns - 30) <= 6 for y in (4, 18, 40)]
    probability = np.where(np.any(beads, 0), 255, 0).astype(np.uint8)
    predicted = PredictedPlane(Maps(probability, None))
    image = np.where(probability, 3000, 400) + np.random.default_rng(0).integers(0, 200, rows.shape)
    every, kept = (
        label_plane(predicted, image, dataclasses.replace(OPTIONS, exclude_border=exclude)).table
        for exclude in (False, True)
    )
    inner = every.only(~every.border)
    assert (len(every), len(kept)) == (3, 2)
    for field in dataclasses.fields(inner):
        np.testing.assert_array_equal(getattr(kept, field.name), getattr(inner, field.name))


def test_a_diameter_in_um_needs_a_pixel_size(model):
    options = SegmentOptions(0.5, 0.3, 12, diameter=Diameter(5, "um"))
    pixels = InMemory(discs(4)[0])
    with pytest.raises(ImageError, match="--pixel-size"):
        segment_plane(pixels, model, options)
    assert len(segment_plane(pixels, model, options, pixel_size_um=0.5).table) == 4


def test_the_model_file_completes_what_was_not_asked_for(model):
    nothing = dict.fromkeys(
        ("threshold", "marker_threshold", "marker_rise", "min_confidence", "min_area")
    ) | {"exclude_border": False}
    own = SegmentOptions.of(model.facts, nothing)
    assert (own.threshold, own.marker_threshold) == (model.facts.threshold, model.facts.marker_threshold)
    assert (own.min_area_px, own.min_area_network_px) == (1, model.facts.min_area_px)
    asked = SegmentOptions.of(model.facts, nothing | {"min_area": 30, "threshold": 0.8}, diameter="5um")
    assert (asked.filters.min_area, asked.threshold) == (Area(30, "px"), 0.8)
    assert asked.diameter == Diameter(5, "um")
    assert asked.fingerprint(model) != own.fingerprint(model)
    other_tiles = SegmentOptions.of(model.facts, nothing, tile_size=64)
    assert other_tiles.fingerprint(model) == own.fingerprint(model)


def beads_of_file(path, model, **options):
    """Return the measurements of the beads of a file."""
    only = only_plane(path, ReadOptions(**options))
    with only.open() as pixels:
        return segment_plane(pixels, model, OPTIONS).table


@pytest.mark.parametrize("writer", [None, "ImageJ=1.54f\nmin=0.0\nmax=255.0\n"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_intensities_are_those_in_the_file_where_zero_is_white(tmp_path, model, writer, dtype):
    image, _ = discs(12, 160, 200)
    stored = np.rint(image.astype(np.float64) / image.max() * 255).astype(dtype)
    tifffile.imwrite(tmp_path / "plain.tif", stored)
    white = {"photometric": "miniswhite", "metadata": None, "description": writer}
    tifffile.imwrite(tmp_path / "white.tif", stored, **white)
    plain, inverted = (beads_of_file(tmp_path / f"{name}.tif", model) for name in ("plain", "white"))
    assert len(plain) == 12
    assert (plain.mean_intensity > stored.min()).all()
    np.testing.assert_allclose(inverted.mean_intensity, plain.mean_intensity)
    assert inverted.saturated.tolist() == plain.saturated.tolist()


@pytest.mark.parametrize("colour", [(0, 1, 0), (1, 0, 0), (1, 1, 1), (0, 1, 1)])
@pytest.mark.parametrize("kind", ["tif", "png"])
def test_beads_of_rgb_are_saturated_where_a_colour_is(tmp_path, model, colour, kind):
    image, truth = discs(12, 160, 200)
    grey = np.rint(image.astype(np.float64) / image.max() * 200).astype(np.uint8)
    grey[np.isin(truth, (2, 5, 7))] = 255
    rgb = grey[..., None] * np.array(colour, np.uint8)
    PillowImage.fromarray(rgb).save(tmp_path / f"a.{kind}")
    table = beads_of_file(tmp_path / f"a.{kind}", model)
    at = truth[np.rint(table.y_px).astype(int), np.rint(table.x_px).astype(int)]
    assert sorted(at[table.saturated]) == [2, 5, 7]


@pytest.mark.parametrize("value", [np.uint8(0), np.uint16(700), np.float32(-1.5), np.bool_(True)])
@pytest.mark.parametrize("shape", [(1, 1), (96, 128), (700, 40)])
def test_a_blank_plane_has_no_beads_and_costs_no_network(model, calls, value, shape):
    found = segment_plane(InMemory(np.full(shape, value)), model, OPTIONS)
    assert calls["network_px"] == 0
    assert (len(found.table), found.labels.shape, found.labels.max()) == (0, shape, 0)
    assert (found.doubt, found.quality) == (0.0, ())
    other = segment_plane(InMemory(discs(3)[0]), model, OPTIONS)
    assert [(f.name, getattr(found.table, f.name).dtype) for f in dataclasses.fields(found.table)] == [
        (f.name, getattr(other.table, f.name).dtype) for f in dataclasses.fields(other.table)
    ]


@pytest.mark.parametrize("value", [np.float32("nan"), np.float64("inf"), np.float32("-inf")])
def test_a_plane_without_a_number_has_no_count(model, value):
    image = np.full((700, 40), value)
    with pytest.raises(ImageError, match="all of its pixels are NaN or infinite"):
        segment_plane(InMemory(image), model, OPTIONS)
    # Neither has a mixture, as of a division by zero.
    image[350:] = np.inf if np.isnan(value) else -value
    with pytest.raises(ImageError, match="all of its pixels are NaN or infinite"):
        segment_plane(InMemory(image), model, OPTIONS)
    image[300, 7] = 1
    assert len(segment_plane(InMemory(image), model, OPTIONS).table) == 0


@pytest.mark.parametrize("place", [(0, 0), (699, 39), (300, 7)])
def test_a_plane_with_one_other_pixel_is_shown_to_the_network(model, calls, place):
    image = np.full((700, 40), 9, np.uint8)
    image[place] = 10
    segment_plane(InMemory(image), model, OPTIONS)
    assert calls["network_px"] > 0


def test_a_blank_tile_is_judged_by_the_levels_of_its_image(model, calls):
    levels = measure_levels(InMemory(discs(6)[0]))
    predict_plane(InMemory(np.full((64, 64), 9, np.uint8)), model, OPTIONS, levels=levels)
    assert calls["network_px"] > 0


def test_a_bright_aggregate_is_not_cut_into_beads():
    """Forty beads of 14 px beside one soft object of 60 px, seven times as bright."""
    y, x = np.mgrid[:480, :480]
    rng = np.random.default_rng(61)
    places = [(40 + 57 * row, 40 + 57 * column) for row in range(8) for column in range(5)]
    light = np.zeros(y.shape)
    for centre in places:
        light += 1 / (1 + np.exp(2 * (np.hypot(y - centre[0], x - centre[1]) - 7)))
    light += 7 / (1 + np.exp(0.3 * (np.hypot(y - 240, x - 400) - 30)))
    image = rng.poisson(200 + 1500 * light).astype(np.uint16)
    model = Model(DEFAULT_MODEL, "cpu", 1)
    assert len(segment_plane(InMemory(image), model, SegmentOptions.of(model.facts)).table) in (40, 41)
