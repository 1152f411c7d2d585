"""CPU threads: what the job may use, and never more than there are CPUs."""

import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl import control_groups, cpus


@pytest.fixture(autouse=True)
def no_job(monkeypatch):
    for name in cpus.SCHEDULER_CPUS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(control_groups, "PROCESS_GROUPS", Path("no such file"))


def test_more_threads_than_cpus_are_not_started(monkeypatch):
    monkeypatch.setattr(cpus, "_present_cpus", lambda: 4)
    assert [cpus.threads(asked) for asked in (None, 1, 4, 9999)] == [4, 1, 4, 4]


@pytest.mark.parametrize("name", cpus.SCHEDULER_CPUS)
def test_a_scheduler_grants_fewer_and_a_flag_overrides_it(monkeypatch, name):
    monkeypatch.setattr(cpus, "_present_cpus", lambda: 4)
    monkeypatch.setenv(name, "2")
    assert (cpus.usable_cpus(), cpus.threads(None), cpus.threads(3)) == (2, 2, 3)


@pytest.mark.parametrize(
    ("variables", "usable"),
    [
        ({"SLURM_CPUS_PER_TASK": "3", "SLURM_CPUS_ON_NODE": "6"}, 3),
        ({"OMP_NUM_THREADS": "5,2"}, 5),
        ({"NSLOTS": "0"}, 1),
        ({"NSLOTS": "99"}, 8),
        ({"NCPUS": "", "PBS_NCPUS": "many", "PBS_NUM_PPN": "-2", "NSLOTS": "\u00b2"}, 8),
    ],
)
def test_the_least_grant_counts_and_what_is_no_number_does_not(monkeypatch, variables, usable):
    monkeypatch.setattr(cpus, "_present_cpus", lambda: 8)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cpus.usable_cpus() == usable


def written(folder, files):
    """Write files of a fake file system, and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def quotas_of(folder, groups, files):
    """The quotas where ``/proc/self/cgroup`` and ``/sys/fs/cgroup`` hold this."""
    written(folder, {"self": groups} | {f"cgroup/{name}": text for name, text in files.items()})
    return list(cpus.quotas(folder / "self", folder / "cgroup"))


@pytest.mark.parametrize(
    ("groups", "files", "wanted"),
    [
        # Version 2: a container sees its own group as the root; a job has groups above its own.
        ("0::/\n", {"cpu.max": "200000 100000\n"}, [2]),
        ("0::/\n", {"cpu.max": "max 100000\n"}, []),
        ("0::/\n", {}, []),
        ("0::/job/step\n", {"job/step/cpu.max": "max 100000", "job/cpu.max": "150000 100000"}, [2]),
        ("0::/job/step\n", {"job/step/cpu.max": "50000 100000", "job/cpu.max": "400000 100000"}, [1, 4]),
        ("0::/../pod/step\n", {"cpu.max": "300000 100000\n"}, [3]),
        ("0::/\n", {"cpu.max": "nonsense\n"}, []),
        # Version 1: -1 is no quota; other controllers have none; outside its namespace only the root is seen.
        (
            "4:memory:/job\n3:cpu,cpuacct:/job\n",
            {
                "cpu,cpuacct/job/cpu.cfs_quota_us": "250000\n",
                "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
                "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
                "memory/job/cpu.cfs_quota_us": "100000\n",
                "memory/job/cpu.cfs_period_us": "100000\n",
            },
            [3],
        ),
        (
            "2:cpu:/docker/0123\n1:cpuset:/docker/0123\n0::/system.slice\n",
            {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "50000"},
            [2],
        ),
        ("2:cpu:/\n", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "0"}, []),
        ("\n:\nodd line\n", {"cpu.max": "100000 100000"}, []),
    ],
)
def test_quotas_of_control_groups(tmp_path, groups, files, wanted):
    assert quotas_of(tmp_path, groups, files) == wanted


def test_a_quota_limits_the_default_and_a_flag_overrides_it(tmp_path, monkeypatch):
    written(tmp_path, {"self": "0::/job\n", "cgroup/job/cpu.max": "300000 100000\n"})
    monkeypatch.setattr(control_groups, "PROCESS_GROUPS", tmp_path / "self")
    monkeypatch.setattr(control_groups, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cpus, "_present_cpus", lambda: 8)
    assert (cpus.usable_cpus(), cpus.threads(None), cpus.threads(5)) == (3, 3, 5)


@given(st.integers(1, 10**7), st.integers(1, 10**6))
def test_a_quota_is_rounded_up_to_whole_cpus(tmp_path_factory, quota_us, period_us):
    folder = tmp_path_factory.mktemp("groups")
    assert quotas_of(folder, "0::/\n", {"cpu.max": f"{quota_us} {period_us}"}) == [
        math.ceil(quota_us / period_us)
    ]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_affinity_is_the_number_of_cpus():
    assert cpus.usable_cpus() == len(os.sched_getaffinity(0))
