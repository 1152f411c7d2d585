"""Assignment of images to training, validation and test."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.dataset.splitting import group_names, split_sources
from beadctl.dataset.tiling import TilingOptions
from beadctl.errors import SettingsError

NAMES = st.lists(st.text("abcxyz/_0123", min_size=1, max_size=8), min_size=1, max_size=40, unique=True)
SHARE = st.sampled_from([0.0, 0.1, 0.15, 0.3, 0.45])


def tiling(val, test, seed, **more):
    return TilingOptions(512, 64, val, test, seed, **more)


@given(NAMES, SHARE, SHARE, st.integers(0, 5))
def test_a_split_is_complete_repeatable_and_meets_the_fractions(names, val, test, seed):
    splits = split_sources(names, tiling(val, test, seed))
    assert splits == split_sources(names[::-1], tiling(val, test, seed))
    assert set(splits) == set(names)
    held = {split: list(splits.values()).count(split) for split in ("train", "val", "test")}
    assert held["train"] >= 1
    for split, share in (("val", val), ("test", test)):
        assert (held[split] > 0) == (share > 0) or len(names) < 3
        assert abs(held[split] - share * len(names)) <= 1 or held[split] == 1


@given(NAMES, st.integers(0, 5))
def test_groups_stay_together(names, seed):
    splits = split_sources(names, tiling(0.3, 0.3, seed, group_by=r"^(.)"))
    sides = defaultdict(set)
    for name, split in splits.items():
        sides[name[0]].add(split)
    assert all(len(side) == 1 for side in sides.values())


def test_a_group_that_takes_no_part_in_a_match_is_none():
    """Sorted beside the others, it ended in a traceback."""
    assert group_names(["xa", "b", "xc"], "^(x)?") == {"b": ["b"], "x": ["xa", "xc"]}
    assert len(split_sources(["xa", "b", "xc"], tiling(0.3, 0.3, 0, group_by="^(x)?"))) == 3


def test_other_seeds_give_other_splits():
    names = [f"{index}.tif" for index in range(20)]
    splits = [split_sources(names, tiling(0.3, 0.2, seed)) for seed in range(5)]
    assert any(split != splits[0] for split in splits)


def test_invalid_splits_are_refused():
    with pytest.raises(SettingsError, match="leave nothing to train on"):
        split_sources(["a"], tiling(0.5, 0.5, 0))
    with pytest.raises(SettingsError, match="regular expression"):
        split_sources(["a"], tiling(0.1, 0.1, 0, group_by="("))


@given(st.permutations(range(1, 17)), st.integers(0, 3))
def test_each_split_has_sparse_and_dense_images(order, seed):
    """Training took the sparse ones first, and left the dense ones to validation and test."""
    density = {f"{index}.tif": beads / 512**2 for index, beads in enumerate(order)}
    splits = split_sources(list(density), tiling(0.25, 0.25, seed), density)
    assert splits == split_sources(list(density)[::-1], tiling(0.25, 0.25, seed), density)
    ranked = sorted(density, key=density.__getitem__)
    for start in range(0, 16, 4):
        four = [splits[name] for name in ranked[start : start + 4]]
        assert sorted(four) == ["test", "train", "train", "val"]


@given(NAMES, st.integers(0, 5), st.data())
def test_no_split_is_without_beads_if_three_groups_have_some(names, seed, data):
    density = {name: data.draw(st.sampled_from([0.0, 0.0, 1.0])) for name in names}
    splits = split_sources(names, tiling(0.15, 0.15, seed), density)
    with_beads = {splits[name] for name in names if density[name]}
    assert len(with_beads) == min(3, sum(beads > 0 for beads in density.values()))
