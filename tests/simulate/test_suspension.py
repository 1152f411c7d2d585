"""Fields of suspensions: a stated number of beads, at random places, none over another."""

import csv

import numpy as np
import pytest
from scipy import ndimage, stats
from scipy.spatial import cKDTree

from beadctl.simulate import draw_suspension, render_suspension, write
from beadctl.simulate.suspension import KINDS_OF, random_places


@pytest.mark.parametrize("look", KINDS_OF)
def test_every_bead_that_is_seen_has_a_label(look):
    scenes = [render_suspension(np.random.default_rng([index, 4]), look, 12, 14, 128) for index in range(6)]
    counts = [int(scene.labels.max()) for scene in scenes]
    assert max(counts) == 12
    assert {scene.facts["look"] for scene in scenes} == {look}
    assert {scene.facts["surround"] for scene in scenes} == {"none"}
    diameters = [scene.facts["diameter"] for scene in scenes if scene.labels.any()]
    assert np.median(diameters) == pytest.approx(14, rel=0.25)


def test_places_are_even_and_apart():
    radius_px = np.full(40, 5.0, np.float32)
    rngs = map(np.random.default_rng, range(60))
    drawn = [np.column_stack(random_places(rng, radius_px, (128, 96))) for rng in rngs]
    assert min(cKDTree(one).query(one, 2)[0][:, 1].min() for one in drawn) >= 10 - 1e-4
    y, x = np.concatenate(drawn).T
    for values, edge in ((y, 128), (x, 96)):
        # Crowded beads are pushed a little towards the border, where they have fewer neighbours.
        assert abs(np.mean(values) - (edge - 1) / 2) < 0.03 * edge
        assert stats.kstest((values + 0.5) / edge, "uniform").statistic < 0.05


def test_counts_are_poisson_distributed_about_the_expected_number():
    scenes = [draw_suspension(np.random.default_rng([seed, 9]), 96) for seed in range(60)]
    expected = np.array([scene.facts["expected"] for scene in scenes])
    counts = np.array([scene.facts["beads"] for scene in scenes])
    assert (counts <= stats.poisson.ppf(0.9999, expected) + 1).all()
    # Beads that do not show have no label.
    assert 0.8 < counts.sum() / expected.sum() < 1.1
    assert len({scene.facts["look"] for scene in scenes}) > 10


def test_too_many_beads_are_refused():
    with pytest.raises(ValueError, match="find no place"):
        render_suspension(np.random.default_rng(0), "disc", 500, 20, 128)


def test_a_folder_of_suspensions(run, tmp_path):
    assert run("simulate", tmp_path / "s", "--suspensions", "-n", "3", "--size", "96").code == 0
    with (tmp_path / "s/manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["expected"]) > 0 for row in rows] == [True] * 3
    write(tmp_path / "t", 3, 96, 0, suspensions=True)
    first = (tmp_path / "t/images/sim_00001.tif").read_bytes()
    assert first == (tmp_path / "s/images/sim_00001.tif").read_bytes()


def test_touching_beads_are_apart_in_the_labels():
    scene = render_suspension(np.random.default_rng(3), "disc", 60, 12, 160)
    assert ndimage.label(scene.labels > 0)[1] < scene.labels.max()
