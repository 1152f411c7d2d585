"""Which of several processes this one is, by what torchrun sets."""

import pytest

from beadctl import cpus
from beadctl.errors import SettingsError
from beadctl.launch import MEETING, Launch

SET = {"RANK": "3", "WORLD_SIZE": "4", "MASTER_ADDR": "host", "MASTER_PORT": "29500"}


def test_a_process_of_torchrun():
    there = {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    assert Launch.of(SET | there) == Launch(3, 4, 1, 2)
    assert Launch.of(SET) == Launch(3, 4, 0, 1)
    assert not Launch.of(SET).leads
    assert Launch.of(SET | {"RANK": "0"}).leads


@pytest.mark.parametrize("missing", MEETING)
def test_without_a_place_of_meeting_a_process_is_alone(missing):
    """Some environments set a number of processes although nobody started several."""
    assert Launch.of({name: value for name, value in SET.items() if name != missing}) == Launch()
    assert Launch.of(SET | {missing: ""}) == Launch()


@pytest.mark.parametrize(
    "wrong",
    [
        {"RANK": "4"},
        {"RANK": "-1"},
        {"RANK": "one"},
        {"WORLD_SIZE": "0"},
        {"LOCAL_RANK": "2"},
        {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "5"},
    ],
    ids=str,
)
def test_numbers_that_contradict_one_another_are_one_line(wrong):
    with pytest.raises(SettingsError, match="torchrun") as error:
        Launch.of(SET | wrong)
    assert "\n" not in str(error.value)


def test_processes_share_the_cpus_of_a_job(monkeypatch):
    for name in cpus.SCHEDULER_CPUS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cpus, "_present_cpus", lambda: 16)
    monkeypatch.setattr(cpus, "quotas", lambda *_: [])
    # What torchrun sets for each of several processes.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert [cpus.usable_cpus(processes) for processes in (1, 2, 4, 32)] == [1, 8, 4, 1]
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "12")
    assert cpus.usable_cpus(4) == 3
