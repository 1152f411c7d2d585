"""CPUs and threads that a job may use."""

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from beadctl import control_groups

# Environment variables in which batch schedulers grant CPUs without setting the process's affinity.
SCHEDULER_CPUS = (
    "SLURM_CPUS_PER_TASK",
    "SLURM_CPUS_ON_NODE",
    "PBS_NCPUS",
    "PBS_NUM_PPN",
    "NCPUS",
    "NSLOTS",
    "OMP_NUM_THREADS",
)


def usable_cpus(processes: int = 1) -> int:
    """Return the number of CPUs that this process may use, one of so many that share those of the job.

    It is the least of its affinity, the quotas of its control groups (Linux), and the job's environment.
    """
    # torchrun sets OMP_NUM_THREADS to 1 for each of several processes where nobody else has set it.
    return max(1, (_fewest(SCHEDULER_CPUS) if processes == 1 else granted_cpus()) // processes)


def granted_cpus() -> int:
    """Return the number of CPUs that the job has here, of which `OMP_NUM_THREADS` may use a part."""
    return max(1, _fewest([name for name in SCHEDULER_CPUS if name != "OMP_NUM_THREADS"]))


def _fewest(names: Iterable[str]) -> int:
    """Return the least of the CPUs that there are, the quotas, and what these variables grant."""
    limits = quotas(control_groups.PROCESS_GROUPS, control_groups.GROUPS)
    return min([_present_cpus(), *_granted(names), *limits])


def threads(asked: int | None) -> int:
    """Return the number of CPU threads to start: as asked for, up to the CPUs, or what the job may use."""
    return usable_cpus() if asked is None else min(asked, _present_cpus())


def quotas(process_groups: Path, groups: Path) -> Iterator[int]:
    """Yield the CPU quotas of a process's control groups and the groups above them, rounded up to CPUs.

    Containers and batch systems limit the CPU time of a job in this way; more threads than the quota has CPUs
    use it up early in each period, and then all of them wait.

    Parameters
    ----------
    process_groups, groups : Path
        ``/proc/self/cgroup`` and ``/sys/fs/cgroup``, of version 1 or 2; what is missing sets no quota.

    Examples
    --------
    >>> list(quotas(Path("no such file"), Path("no such folder")))
    []
    """
    for folder, is_first_version in control_groups.of_process(process_groups, groups, "cpu"):
        yield from _quota(folder, is_first_version=is_first_version)


def _quota(group: Path, *, is_first_version: bool) -> Iterator[int]:
    """Yield the quota of one control group, if it has one."""
    if is_first_version:
        words = [control_groups.text_of(group / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    else:
        words = control_groups.text_of(group / "cpu.max").split()
    try:
        quota_us, period_us = map(int, words)
    except ValueError:
        # "max 100000", or no file.
        return
    if quota_us > 0 and period_us > 0:
        yield math.ceil(quota_us / period_us)


def _granted(names: Iterable[str]) -> Iterator[int]:
    for name in names:
        # OMP_NUM_THREADS may be a list, whose first number is that of the outermost level.
        number = os.environ.get(name, "").partition(",")[0].strip()
        if number.isdecimal():
            yield int(number)


def _present_cpus() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
