"""Tiles cover their images, no image is in two splits, and the manifest describes the tiles."""

import csv
import hashlib
import itertools
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from helpers.tiles import SIZES, content
from scipy import ndimage

from beadctl.dataset.manifest import SPLITS, read_manifest
from beadctl.images import levels_of


def test_the_manifest_describes_the_tiles(run, dataset):
    assert run(*dataset).code == 0
    rows = read_manifest(Path("tiles"))
    sides = defaultdict(set)
    covered = {name: np.zeros(shape, bool) for name, shape in SIZES.items()}
    for row in rows:
        sides[row.source].add(row.split)
        source, truth = (tifffile.imread(Path(folder, row.source)) for folder in ("images", "masks"))
        tile, labels = tifffile.imread(row.image), tifffile.imread(row.mask)
        # A tile is never larger than its image.
        assert tile.shape == labels.shape == (row.height, row.width)
        assert (row.height, row.width) == tuple(min(64, length) for length in source.shape)
        assert tile.dtype == source.dtype
        window = slice(row.top, row.top + row.height), slice(row.left, row.left + row.width)
        covered[row.source][window] = True
        np.testing.assert_array_equal(tile, source[window])
        np.testing.assert_array_equal(labels, truth[window])
        assert row.beads == len(set(truth[window].ravel()) - {0})
        assert row.cut == sum(
            (truth[window] == bead).sum() < (truth == bead).sum() for bead in set(truth[window].ravel()) - {0}
        )
        assert row.sha256 == hashlib.sha256(row.image.read_bytes()).hexdigest()
        assert row.levels == levels_of(source)
    assert set(sides) == set(SIZES)
    assert all(len(side) == 1 for side in sides.values())
    assert {split for side in sides.values() for split in side} == {"train", "val", "test"}
    assert all(mask.all() for mask in covered.values())
    listed = {path for row in rows for path in (row.image, row.mask)}
    assert listed == set(Path("tiles").rglob("*.tif"))


def test_the_same_call_gives_the_same_bytes(run, dataset):
    assert run(*dataset).code == 0
    assert run(*dataset[:-1], "again").code == 0
    assert content("tiles") == content("again")
    assert run(*dataset[:-1], "other", "--seed", "3").code == 0
    assert content("other") != content("again")


def test_empty_tiles_are_thinned(run, dataset):
    tifffile.imwrite("masks/b.tif", np.zeros(SIZES["b.tif"], np.uint16))
    assert run(*dataset).code == 0
    every = read_manifest(Path("tiles"))
    empty = sum(row.beads == 0 for row in every)
    assert empty >= 6
    assert run(*dataset, "--keep-empty", "0.5").code == 0
    kept = read_manifest(Path("tiles"))
    assert sum(row.beads == 0 for row in kept) == round(empty / 2)
    assert {row.image for row in every if row.beads} <= {row.image for row in kept}
    assert run(*dataset, "--keep-empty", "0", "--min-beads", "2").code == 0
    assert min(row.beads for row in read_manifest(Path("tiles"))) == 2


def test_a_dry_run_prints_the_plan_and_writes_nothing(run, dataset):
    said = run(*dataset, "--dry-run")
    assert said.code == 0
    assert not Path("tiles").exists()
    assert run(*dataset).code == 0
    planned = {row["image"]: row["split"] for row in csv.DictReader(said.out.splitlines())}
    assert planned == {row.source: row.split for row in read_manifest(Path("tiles"))}
    tifffile.imwrite("masks/a.tif", np.zeros((5, 5), np.uint16))
    assert run(*dataset, "--dry-run").code == 1


@pytest.mark.parametrize("second", ["a_b.tif", "a/b.png"])
def test_two_images_whose_tiles_would_share_names_are_refused(run, tmp_path, second):
    from PIL import Image

    for name in ("a/b.tif", second):
        for folder, array in zip(("images", "masks"), discs(2), strict=True):
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array.astype(np.uint8)).save(path)
    said = run("tile", "images", "masks", "-o", "tiles", "--size", "64", "--overlap", "8")
    assert said.code == 3
    assert "b.tif" in said.error
    assert Path(second).name in said.error
    assert not Path("tiles").exists()


def test_grouping_reaches_the_manifest(run, dataset):
    assert run(*dataset, "--group-by", r"^[^.]").code == 0
    assert run(*dataset[:-1], "one", "--group-by", r"\.tif$").code == 0
    with Path("one/manifest.csv").open(newline="") as file:
        assert {row["split"] for row in csv.DictReader(file)} == {"train"}


def test_an_overlap_as_large_as_the_tile_is_refused(run, dataset):
    said = run(*dataset, "--overlap", "64")
    assert said.code == run(*dataset, "--overlap", "64", "--dry-run").code == 2
    assert "--overlap 64 (tile.overlap) is not smaller than a tile, --size 64 (data.size)" in said.error


def test_small_tiles_overlap_by_half_where_nothing_is_asked_for(run, dataset):
    assert run("tile", "images", "masks", "-o", "half", "--size", "16").code == 0
    rows = read_manifest(Path("half"))
    tops = sorted({row.top for row in rows if row.source == rows[0].source})
    assert max(after - before for before, after in itertools.pairwise(tops)) <= 8


def test_only_the_listed_images_are_cut(run, dataset, tmp_path):
    (tmp_path / "names.txt").write_text("a.tif\nb.tif\n")
    assert run(*dataset, "--only", "names.txt").code == 0
    assert {row.source for row in read_manifest(Path("tiles"))} == {"a.tif", "b.tif"}


def test_a_bad_pair_is_reported_and_the_others_are_cut(run, dataset, tmp_path):
    (tmp_path / "masks/b.tif").write_text("words")
    said = run(*dataset)
    assert said.code == 1
    assert "b.tif" in said.error
    assert {row.source for row in read_manifest(Path("tiles"))} == set(SIZES) - {"b.tif"}


def test_a_mask_that_cannot_be_read_is_named(run, dataset):
    Path("masks/b.tif").unlink()
    Path("masks/b.tif").symlink_to("nowhere.tif")
    said = run(*dataset)
    assert said.code == 1
    assert f"{Path('masks/b.tif')}: cannot be read (No such file or directory)" in said.error


def pixels_by_split(rows, shapes):
    """How many tiles of each split cover each pixel of each source."""
    cover = {name: {split: np.zeros(shape, int) for split in SPLITS} for name, shape in shapes.items()}
    for row in rows:
        cover[row.source][row.split][row.top : row.top + row.height, row.left : row.left + row.width] += 1
    return cover


@pytest.mark.parametrize("images", [1, 2, 3])
@pytest.mark.parametrize("size", [64, 512])
def test_every_split_has_beads_and_no_pixel_is_in_two(run, tmp_path, images, size):
    """Also with more empty fields than images with beads."""
    shapes = {}
    for index in range(images + 4):
        image, labels = discs(14 if index < images else 0, 160, 200, seed=index)
        shapes[f"{index}.tif"] = labels.shape
        for folder, array in (("images", image), ("masks", labels)):
            (tmp_path / folder).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / folder / f"{index}.tif", array)
    call = ("tile", "images", "masks", "-o", "tiles", "--size", size, "--overlap", "8")
    said = run(*call)
    assert said.code == 0
    rows = read_manifest(Path("tiles"))
    for split in SPLITS:
        assert sum(row.beads - row.cut for row in rows if row.split == split) > 0
    for cover in pixels_by_split(rows, shapes).values():
        inside = [plane > 0 for plane in cover.values()]
        assert np.sum(inside, axis=0).max() <= 1
        for plane in inside:
            assert not any(
                (ndimage.binary_dilation(plane) & other).any() for other in inside if other is not plane
            )
    assert ("divided by region" in said.err) == (images < 3)
    assert run(*call).code == 0
    planned = list(csv.DictReader(run(*call, "--dry-run").out.splitlines()))
    found = {name: {row.split for row in rows if row.source == name} for name in shapes}
    assert {row["image"]: set(row["split"].split(", ")) for row in planned} == found
    assert [int(row["tiles"]) for row in planned] == [
        sum(r.source == row["image"] for r in rows) for row in planned
    ]


def test_splits_that_must_stay_without_beads_are_named(run, tmp_path):
    for index, count in enumerate((1, 0, 0)):
        for folder, array in zip(("images", "masks"), discs(count), strict=True):
            (tmp_path / folder).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / folder / f"{index}.tif", array)
    said = run("tile", "images", "masks", "-o", "tiles", "--size", "96", "--overlap", "8")
    assert said.code == 0
    assert "warning: no beads in the tiles of val and test" in said.err


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_an_image_of_numbers_without_a_scale_is_named(run, dataset):
    image = discs(2, *SIZES["b.tif"])[0].astype(np.float64)
    image[:9] = -1.7e308
    tifffile.imwrite("images/b.tif", image)
    tifffile.imwrite("masks/b.tif", discs(2, *SIZES["b.tif"])[1])
    said = run(*dataset)
    assert said.code == 1
    assert "b.tif: has grey levels beyond 1e+30" in said.error


def test_equal_images_in_different_splits_are_named(run, tmp_path):
    image, mask = discs(2)
    empty = np.zeros_like(mask)
    for name, pixels, labels in (
        *((f"copy {index}.tif", image, mask) for index in range(3)),
        ("one.tif", image[::-1], mask[::-1]),
        # Equal, but without beads, as black corners are.
        *((f"black {index}.tif", empty, empty) for index in range(9)),
    ):
        for folder, array in (("images", pixels), ("masks", labels)):
            (tmp_path / folder).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / folder / name, array)
    tile = ("tile", "images", "masks", "--size", "96", "--overlap", "8", "--keep-empty", "1")
    said = run(*tile, "-o", "tiles")
    (warning,) = (line for line in said.err.splitlines() if "equal images in different splits" in line)
    split = {row.source: row.split for row in read_manifest(Path("tiles"))}
    copies = [name for name in split if name.startswith("copy")]
    named = [name for name in copies if f"{name} ({split[name]})" in warning]
    assert len({split[name] for name in named}) == len(named) == 2
    assert "black" not in warning
    assert "one.tif" not in warning
    together = run(*tile, "-o", "together", "--group-by", "^[a-z]+")
    assert together.code == 0
    assert "equal images" not in together.err
