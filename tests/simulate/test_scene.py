"""Simulated scenes: reproducible, exactly labelled, visible, varied."""

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from beadctl.errors import OutputError
from beadctl.simulate import Scene, render, write
from beadctl.simulate.drawing import accumulate, circles, consecutive, outline_labels
from beadctl.simulate.layout import uncrowded
from beadctl.simulate.looks import DRAW
from beadctl.simulate.plan import LOOKS
from beadctl.simulate.spheres import draw_shading, paint
from beadctl.simulate.texture import smooth_field


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [render(np.random.default_rng([7, i]), 160) for i in range(160)]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_same_seed_gives_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write(tmp_path / name, 3, 64, seed)
    first, second, other = (contents(tmp_path / name) for name in "abc")
    assert sorted(first) == [
        *(f"images/sim_0000{i}.tif" for i in range(3)),
        "manifest.csv",
        *(f"masks/sim_0000{i}.tif" for i in range(3)),
    ]
    assert first == second
    assert all(first[name] != other[name] for name in first if name.startswith("images"))


def test_more_images_change_none_of_the_first(tmp_path: Path) -> None:
    write(tmp_path / "few", 2, 48, 11)
    write(tmp_path / "many", 4, 48, 11)
    few, many = contents(tmp_path / "few"), contents(tmp_path / "many")
    assert all(many[name] == few[name] for name in few if name != "manifest.csv")
    assert many["manifest.csv"].startswith(few["manifest.csv"])


def test_files_hold_the_scene(tmp_path: Path) -> None:
    seen: list[Path] = []
    paths = write(tmp_path, 3, 96, 5, on_image=seen.append)
    assert seen == paths
    with (tmp_path / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for index, (path, row) in enumerate(zip(paths, rows, strict=True)):
        scene = render(np.random.default_rng([5, index]), 96)
        image, mask = tifffile.imread(path), tifffile.imread(tmp_path / "masks" / path.name)
        np.testing.assert_array_equal(image, scene.image)
        np.testing.assert_array_equal(mask, scene.labels)
        assert image.dtype == scene.image.dtype
        assert row["image"] == path.name
        assert int(row["beads"]) == scene.labels.max()
        assert {key: row[key] for key in scene.facts} == {k: str(v) for k, v in scene.facts.items()}


def test_refuses_a_folder_that_is_taken_unless_told_to_overwrite(tmp_path: Path) -> None:
    write(tmp_path, 1, 32, 1)
    before = contents(tmp_path)
    with pytest.raises(OutputError, match=r"manifest\.csv"):
        write(tmp_path, 1, 32, 2)
    (tmp_path / "manifest.csv").unlink()
    with pytest.raises(OutputError, match=r"sim_00000\.tif"):
        write(tmp_path, 1, 32, 2)
    write(tmp_path, 1, 32, 2, overwrite=True)
    assert contents(tmp_path)["images/sim_00000.tif"] != before["images/sim_00000.tif"]


@pytest.mark.parametrize("radius", [2.0, 5.3, 17.8])
def test_label_of_a_circle_has_its_area_and_centre(radius: float) -> None:
    labels = outline_labels(circles([40.3, 41.7], [40.6, 110.2], [radius, radius]), (80, 150))
    for number, centre in ((1, (40.3, 40.6)), (2, (41.7, 110.2))):
        area = np.count_nonzero(labels == number)
        assert abs(area - np.pi * radius**2) < 2.5 + radius
        np.testing.assert_allclose(ndimage.center_of_mass(labels == number), centre, atol=0.3)


def test_labels_match_a_pixel_by_pixel_oracle_where_circles_overlap() -> None:
    rng = np.random.default_rng(0)
    y, x, r = rng.uniform(-3, 43, 25), rng.uniform(-3, 53, 25), rng.uniform(2, 9, 25)
    labels = outline_labels(circles(y, x, r), (40, 50))
    rows, columns = np.mgrid[:40, :50]
    rho = np.hypot(rows[..., None] - y, columns[..., None] - x) / r
    expected = np.where(rho.min(axis=-1) <= 1, rho.argmin(axis=-1) + 1, 0)
    # float32 rounding may decide pixels that lie on an outline or halfway
    assert np.mean(labels == expected) > 0.999


def test_beads_cut_by_the_border_keep_what_lies_inside() -> None:
    labels = outline_labels(circles([0.0, -30.0], [25.0, 25.0], [8.0, 8.0]), (50, 50))
    assert abs(np.count_nonzero(labels == 1) - (np.pi * 64 / 2 + 8)) < 6
    assert not np.any(labels == 2)
    np.testing.assert_array_equal(np.unique(consecutive(labels, np.array([True, True]))), [0, 1])


def test_signal_of_a_drawn_disc_falls_to_half_at_its_outline() -> None:
    look = DRAW["disc"](np.random.default_rng(1))
    signal = accumulate(circles([50.0], [50.0], [20.0]), (101, 101), look.profile, look.reach)
    edge = signal[50, 66]
    outline = np.interp(-0.5 * edge, -signal[50, 66:90], np.arange(16, 40))
    assert outline == pytest.approx(20.0, abs=0.7)
    assert signal[0, 0] == 0


def test_many_beads_sum_to_the_beads_drawn_one_by_one() -> None:
    rng = np.random.default_rng(2)
    y, x, r = rng.uniform(-5, 65, 30), rng.uniform(-5, 75, 30), rng.uniform(1.5, 12, 30)
    look = DRAW["spot"](rng)
    together = accumulate(circles(y, x, r), (60, 70), look.profile, look.reach)
    single = [
        accumulate(circles(*one), (60, 70), look.profile, look.reach) for one in zip(y, x, r, strict=True)
    ]
    # the common patch may reach farther out than the single one, where the profile is next to nothing
    np.testing.assert_allclose(together, np.sum(single, axis=0), atol=0.05)


def test_nearer_sphere_hides_the_farther() -> None:
    rng = np.random.default_rng(3)
    beads = circles([30.0, 30.0], [30.0, 38.0], [12.0, 10.0])
    image, labels = paint(rng, beads, np.zeros((60, 70), np.float32), draw_shading(rng))
    assert abs(np.count_nonzero(labels == 2) - np.pi * 100) < 10
    assert labels[30, 30] == 2
    assert labels[30, 20] == 1
    assert image[labels > 0].mean() > image[labels == 0].mean()


def test_uncrowded_beads_keep_their_distance_and_none_is_lost_needlessly() -> None:
    rng = np.random.default_rng(4)
    y, x = rng.uniform(0, 100, (2, 200)).astype(np.float32)
    r = rng.uniform(2, 6, 200).astype(np.float32)
    keep = uncrowded(y, x, r, 0.9)
    near = np.hypot(y[:, None] - y, x[:, None] - x) < 0.9 * (r[:, None] + r)
    np.fill_diagonal(near, False)
    assert not near[np.ix_(keep, keep)].any()
    assert near[np.ix_(~keep, keep)].any(axis=1).all()


def test_smooth_field_has_unit_spread_and_its_scale() -> None:
    field = smooth_field(np.random.default_rng(5), (400, 400), 10.0)
    assert field.std() == pytest.approx(1.0, abs=0.15)
    assert np.corrcoef(field[:, :-2].ravel(), field[:, 2:].ravel())[0, 1] > 0.9
    assert abs(np.corrcoef(field[:, :-50].ravel(), field[:, 50:].ravel())[0, 1]) < 0.2


def test_labels_are_consecutive_and_facts_true(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert scene.image.shape == scene.labels.shape == (160, 160)
        assert scene.image.dtype in (np.uint8, np.uint16)
        assert scene.labels.dtype == np.uint32
        count = int(scene.labels.max())
        np.testing.assert_array_equal(np.unique(scene.labels[scene.labels > 0]), np.arange(1, count + 1))
        assert scene.facts["beads"] == count
        assert scene.image.max() < 2 ** int(scene.facts["bits"])
        assert all(type(value) in (str, int, float, bool) for value in scene.facts.values())


def test_every_look_and_polarity_occurs_and_so_do_empty_and_crowded_fields(scenes: list[Scene]) -> None:
    with_beads = [scene.facts for scene in scenes if scene.facts["beads"]]
    assert {facts["look"] for facts in with_beads} == set(LOOKS)
    assert {facts["polarity"] for facts in with_beads} == {"bright", "dark"}
    assert {scene.image.dtype.name for scene in scenes} == {"uint8", "uint16"}
    empty = len(scenes) - len(with_beads)
    assert 0.03 < empty / len(scenes) < 0.25
    assert max(int(facts["beads"]) for facts in with_beads) > 100


def visibility(scene: Scene) -> list[float]:
    """Step of grey between each lone bead, or its rim, and the ring around it, over the ring's noise."""
    image = scene.image.astype(float)
    result = []
    for number, box in enumerate(ndimage.find_objects(scene.labels.astype(int)), start=1):
        around = tuple(slice(max(0, side.start - 6), side.stop + 6) for side in box)
        own, pixels = scene.labels[around] == number, image[around]
        near = ndimage.binary_dilation(own, iterations=5) & ~ndimage.binary_dilation(own, iterations=2)
        if np.any((scene.labels[around] > 0) & ~own) or near.sum() < 12 or own.sum() < 12:
            continue
        ring = pixels[near]
        noise = max(1.4826 * float(np.median(np.abs(ring - np.median(ring)))), 1.0)
        rms = np.sqrt(np.mean((pixels[own] - np.median(ring)) ** 2))
        result.append(float(rms / noise))
    return result


def test_labelled_beads_can_be_seen(scenes: list[Scene]) -> None:
    steps = np.array([step for scene in scenes for step in visibility(scene)])
    assert len(steps) > 300
    assert np.mean(steps > 1.5) >= 0.95
    assert np.median(steps) > 5


def test_background_of_an_empty_scene_has_no_labels(scenes: list[Scene]) -> None:
    empty = [scene for scene in scenes if not scene.facts["beads"]]
    assert all(not scene.labels.any() and scene.image.std() > 0 for scene in empty)


@pytest.mark.parametrize("size", [(37, 113), (113, 37), (16, 16), 33, (1, 5)])
def test_odd_sizes(size: int | tuple[int, int]) -> None:
    for seed in range(25):
        scene = render(np.random.default_rng(seed), size)
        assert scene.image.shape == scene.labels.shape == ((size, size) if isinstance(size, int) else size)
