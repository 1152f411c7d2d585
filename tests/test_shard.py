"""Which part of the work a job does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.errors import SettingsError
from beadctl.shard import Shard

WEIGHTS = st.lists(st.integers(0, 10**12), max_size=40)


@given(WEIGHTS, st.integers(1, 12))
def test_each_item_is_in_one_shard_and_the_weights_are_balanced(weights, count):
    parts = [Shard(number, count).members(weights) for number in range(1, count + 1)]
    assert sorted(place for part in parts for place in part) == list(range(len(weights)))
    assert all(part == sorted(part) for part in parts)
    loads = [sum(max(1, weights[place]) for place in part) for part in parts]
    assert max(loads) - min(loads) <= max(1, *weights, 1)
    # The same in every job.
    assert parts == [Shard(number, count).members(tuple(weights)) for number in range(1, count + 1)]


def test_equal_items_are_shared_out_evenly_and_one_giant_is_alone():
    assert [len(Shard(number, 7).members([10] * 30)) for number in range(1, 8)] == [5, 5, 4, 4, 4, 4, 4]
    assert Shard(1, 3).members([5, 900, 7, 6, 4]) == [1]
    assert [len(Shard(number, 4).members([0, 0])) for number in range(1, 5)] == [1, 1, 0, 0]


def test_more_shards_than_anyone_has_take_no_memory():
    assert Shard(10**9 - 1, 10**9 - 1).members([1, 2]) == []


@pytest.mark.parametrize(
    ("text", "environment", "shard", "source"),
    [
        ("3/7", {}, "3/7", ""),
        ("1/1", {"SLURM_ARRAY_TASK_ID": "5"}, "1/1", ""),
        ("auto", {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "7"}, "3/7", "SLURM_ARRAY_TASK_ID"),
        (
            "auto",
            {
                "SLURM_ARRAY_TASK_ID": "4",
                "SLURM_ARRAY_TASK_COUNT": "3",
                "SLURM_ARRAY_TASK_MIN": "0",
                "SLURM_ARRAY_TASK_STEP": "2",
            },
            "3/3",
            "SLURM_ARRAY_TASK_ID",
        ),
        # A task that is submitted alone remains the shard that it was.
        (
            "auto/7",
            {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_COUNT": "1", "SLURM_ARRAY_TASK_MIN": "5"},
            "5/7",
            "SLURM_ARRAY_TASK_ID",
        ),
        ("auto/4", {"PBS_ARRAY_INDEX": "4"}, "4/4", "PBS_ARRAY_INDEX"),
        ("auto", {"SGE_TASK_ID": "2", "SGE_TASK_FIRST": "1", "SGE_TASK_LAST": "4"}, "2/4", "SGE_TASK_ID"),
        (
            "auto",
            {
                "SGE_TASK_ID": "7",
                "SGE_TASK_FIRST": "1",
                "SGE_TASK_LAST": "10",
                "SGE_TASK_STEPSIZE": "3",
                "PBS_ARRAY_INDEX": "",
            },
            "3/4",
            "SGE_TASK_ID",
        ),
    ],
)
def test_a_shard_is_given_or_told_by_the_scheduler(text, environment, shard, source):
    found = Shard.parse(text, environment)
    assert (str(found), found.source) == (shard, source)


@pytest.mark.parametrize(
    ("text", "environment", "words"),
    [
        ("0/7", {}, "give I/N with I from 1 to N"),
        ("8/7", {}, "give I/N"),
        ("1/0", {}, "give I/N"),
        ("-1/7", {}, "give I/N"),
        ("3", {}, "give I/N"),
        ("3/", {}, "give I/N"),
        ("a/b", {}, "give I/N"),
        ("1/" + 5000 * "9", {}, "give I/N"),
        ("\u0663/7", {}, "give I/N"),
        ("auto", {}, "no task of a job array"),
        ("auto/7", {"SGE_TASK_ID": "undefined"}, "no task of a job array"),
        ("auto", {"PBS_ARRAY_INDEX": "3"}, "PBS_ARRAY_INDEX does not say of how many tasks; give auto/N"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "3"}, "give auto/N"),
        ("auto/7", {"SLURM_ARRAY_TASK_ID": "0"}, "number tasks from 1 to N"),
        ("auto/7", {"PBS_ARRAY_INDEX": "8"}, "number tasks from 1 to N"),
        # --array=1,5,9
        (
            "auto",
            {"SLURM_ARRAY_TASK_ID": "9", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "1"},
            "without gaps",
        ),
        (
            "auto",
            {"SGE_TASK_ID": "2", "SGE_TASK_FIRST": "1", "SGE_TASK_LAST": "9", "SGE_TASK_STEPSIZE": "2"},
            "without gaps",
        ),
    ],
)
def test_what_is_no_shard_is_one_line(text, environment, words):
    with pytest.raises(SettingsError, match=r"^--shard ") as caught:
        Shard.parse(text, environment)
    assert words in str(caught.value)
