"""Folds for cross-validation: by source image, each tested once."""

import dataclasses
from pathlib import Path

import pytest
from helpers.training import write_tiles
from hypothesis import given
from hypothesis import strategies as st

from beadctl.dataset.folds import fold_splits, write_fold
from beadctl.dataset.manifest import SPLITS, TileRow, read_manifest
from beadctl.errors import SettingsError
from beadctl.words import number_of


def tile(source, beads=3, edge=32):
    return TileRow("train", Path("a.tif"), Path("m.tif"), source, 0, 0, edge, edge, beads, 0.0, 1.0, 2.0, "")


@given(
    beads=st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=4), min_size=3, max_size=25),
    count=st.integers(3, 8),
    seed=st.integers(0, 99),
)
def test_each_image_is_tested_once_and_is_whole_in_one_split(beads, count, seed):
    rows = [tile(f"{index}.tif", number) for index, tiles in enumerate(beads) for number in tiles]
    with_beads = {row.source for row in rows if row.beads}
    if len(with_beads) < count:
        with pytest.raises(SettingsError, match=f"only {number_of(len(with_beads), 'image')} ha"):
            fold_splits(rows, count, seed=seed)
        return
    folds = fold_splits(rows, count, seed=seed)
    assert len(folds) == count
    names = {row.source for row in rows}
    for held in ("test", "val"):
        held_out = [name for fold in folds for name, split in fold.items() if split == held]
        assert sorted(held_out) == sorted(names)
    for fold in folds:
        assert fold.keys() == names
        assert {split for name, split in fold.items() if name in with_beads} == set(SPLITS)
    assert fold_splits(rows[::-1], count, seed=seed) == folds


def test_images_of_a_group_stay_together():
    rows = [tile(f"slide{slide}_{field}.tif") for slide in range(4) for field in range(3)]
    for fold in fold_splits(rows, 4, group_by=r"^[^_]+"):
        for slide in range(4):
            assert len({fold[f"slide{slide}_{field}.tif"] for field in range(3)}) == 1
    with pytest.raises(SettingsError, match="only 4 groups of images have beads"):
        fold_splits(rows, 5, group_by=r"^[^_]+")


@pytest.mark.parametrize("seed", range(4))
def test_each_part_has_a_sparse_and_a_dense_image(seed):
    """By beads an area, whichever has more beads."""
    rows = [tile(f"dense{beads}", beads) for beads in (10, 20, 30)]
    rows += [tile(f"sparse{beads}", beads, 256) for beads in (5, 15, 25)]
    for fold in fold_splits(rows, 3, seed=seed):
        tested = sorted(name for name, split in fold.items() if split == "test")
        assert [name.rstrip("01235") for name in tested] == ["dense", "sparse"]


def test_two_folds_are_refused():
    with pytest.raises(SettingsError, match="--folds 2: give at least 3"):
        fold_splits([tile("a"), tile("b")], 2)
    with pytest.raises(SettingsError, match="only 2 images have beads; annotate more"):
        fold_splits([tile("a"), tile("b")], 3)


def test_a_fold_names_the_tiles_of_the_other_folder(tmp_path):
    rows = read_manifest(write_tiles(tmp_path / "tiles"))
    splits = fold_splits(rows, 3)[1]
    write_fold(rows, splits, tmp_path / "folds/2/tiles")
    written = read_manifest(tmp_path / "folds/2/tiles")
    for row, before in zip(written, rows, strict=True):
        assert row.split == splits[row.source]
        assert (row.image.resolve(), row.mask.resolve()) == (before.image.resolve(), before.mask.resolve())
        same = {"split": "", "image": Path(), "mask": Path()}
        assert dataclasses.replace(row, **same) == dataclasses.replace(before, **same)
