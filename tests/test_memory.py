"""What memory a job may use, and how a run stays within it."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl import control_groups, cpus, memory
from beadctl.errors import SettingsError
from beadctl.memory import MemoryPlan

GIB = 2**30
# Bytes a pixel of a tile, of the default network.
NETWORK = 288
planned = partial(MemoryPlan.of, network=NETWORK)


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """A machine of 16 GiB without limits."""
    for name in ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", *cpus.SCHEDULER_CPUS):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "meminfo").write_text("MemTotal: 33554432 kB\nMemAvailable:   16777216 kB\n")
    monkeypatch.setattr(memory, "FREE", tmp_path / "meminfo")
    monkeypatch.setattr(control_groups, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(control_groups, "PROCESS_GROUPS", tmp_path / "cgroup")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2G", 2 * GIB),
        ("1.5GiB", 1.5 * GIB),
        ("800M", 800 * 2**20),
        (" 2 gb ", 2 * GIB),
        ("1T", 1024 * GIB),
        ("9", 9),
    ],
)
def test_sizes(text, size):
    assert memory.parsed(text) == size


@pytest.mark.parametrize("text", ["", "G", "0", "0G", "-2G", "2X", "two", "1e9", "2 G 3", "9" * 400])
def test_what_is_no_size(text):
    with pytest.raises(SettingsError, match="not a size; give it as 2G or 800M"):
        memory.parsed(text)


@given(st.integers(1, 2**45))
def test_a_size_is_shown_as_it_is_read_and_never_less(size):
    assert size <= memory.parsed(memory.shown(size)) <= max(1.1 * size, size + 2**20)


def test_what_is_free():
    assert memory.usable_bytes() == 16 * GIB


@pytest.mark.parametrize(
    ("variables", "size"),
    [
        ({"SLURM_MEM_PER_NODE": "4096"}, 4 * GIB),
        ({"SLURM_MEM_PER_CPU": "1024"}, 3 * GIB),
        ({"SLURM_MEM_PER_CPU": "1024", "SLURM_CPUS_PER_TASK": "2", "OMP_NUM_THREADS": "1"}, 2 * GIB),
        ({"SLURM_MEM_PER_NODE": "0"}, 16 * GIB),
    ],
)
def test_what_a_scheduler_grants(monkeypatch, variables, size):
    monkeypatch.setattr(cpus, "_present_cpus", lambda: 3)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert memory.usable_bytes() == size


@pytest.mark.parametrize(
    ("groups", "files", "size"),
    [
        ("0::/job", {"job/memory.max": "3221225472", "job/memory.current": "1073741824"}, 2 * GIB),
        ("0::/job/step", {"job/memory.max": "3221225472", "job/step/memory.max": "max"}, 3 * GIB),
        ("4:memory:/job", {"memory/job/memory.limit_in_bytes": "2147483648"}, 2 * GIB),
        ("4:memory:/", {"memory/memory.limit_in_bytes": "9223372036854771712"}, 16 * GIB),
    ],
)
def test_what_control_groups_leave(tmp_path, groups, files, size):
    (tmp_path / "cgroup").write_text(groups + "\n")
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(text + "\n")
    assert memory.usable_bytes() == size


def test_a_plan_fits_into_what_it_may_use():
    for text in ("1G", "2G", "4G", "8G", "64G"):
        plan = planned(text, None)
        needed = memory.COSTS.fixed(plan.tile_size, NETWORK)
        assert needed + memory.COSTS.arrays * plan.array_bytes <= memory.parsed(text)
        assert plan.tile_size in memory.COSTS.tiles
    assert planned(None, None) == planned("16G", None)
    assert planned("1G", None).tile_size < planned("64G", None).tile_size


def test_a_network_that_needs_more_has_smaller_tiles_and_less_for_arrays():
    usual, wide = (MemoryPlan.of("4G", None, network=network) for network in (288, 576))
    assert usual.tile_size > wide.tile_size
    assert (
        MemoryPlan.of("4G", 1024, network=288).array_bytes
        > MemoryPlan.of("4G", 1024, network=576).array_bytes
    )
    with pytest.raises(SettingsError, match="too little"):
        MemoryPlan.of("1G", None, network=576)


def test_an_edge_that_is_asked_for_is_taken():
    assert planned(None, 300).tile_size == 300
    assert planned(None, 0).tile_size == 0


@pytest.mark.parametrize(("text", "edge"), [("500M", None), ("2G", 2048), ("1k", 64)])
def test_too_little_says_the_least_that_works(text, edge):
    with pytest.raises(
        SettingsError, match=f"--max-memory {text}: too little; the least that works is "
    ) as error:
        planned(text, edge)
    assert planned(str(error.value).rpartition(" ")[2], edge).tile_size == (edge or 512)
