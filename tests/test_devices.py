"""CPU threads: what the job may use, and never more than there are CPUs."""

import os

import pytest

from beadctl import devices


@pytest.fixture(autouse=True)
def no_scheduler(monkeypatch):
    for name in devices.SCHEDULER_CPUS:
        monkeypatch.delenv(name, raising=False)


def test_more_threads_than_cpus_are_not_started(monkeypatch):
    monkeypatch.setattr(devices, "_present_cpus", lambda: 4)
    assert [devices.threads(asked) for asked in (None, 1, 4, 9999)] == [4, 1, 4, 4]


@pytest.mark.parametrize("name", devices.SCHEDULER_CPUS)
def test_a_scheduler_grants_fewer_and_a_flag_overrides_it(monkeypatch, name):
    monkeypatch.setattr(devices, "_present_cpus", lambda: 4)
    monkeypatch.setenv(name, "2")
    assert (devices.usable_cpus(), devices.threads(None), devices.threads(3)) == (2, 2, 3)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_affinity_is_the_number_of_cpus():
    assert devices.usable_cpus() == len(os.sched_getaffinity(0))
