"""CPU threads that a job may use, and names of devices."""

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

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
# Devices of a network, and their names with a number or, of OpenVINO, with its own name of the device.
DEVICE_KINDS = ("auto", "cpu", "cuda", "tensorrt", "directml", "coreml", "openvino")
DEVICE_PATTERN = r"^(auto|cpu|coreml|(cuda|tensorrt|directml)(:\d+)?|openvino(:[A-Z]+(\.\d+)?)?)$"
PROCESS_GROUPS, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def usable_cpus(processes: int = 1) -> int:
    """Return the number of CPUs that this process may use, one of so many that share those of the job.

    It is the least of its affinity, the quotas of its control groups (Linux), and the job's environment.
    """
    # torchrun sets OMP_NUM_THREADS to 1 for each of several processes where nobody else has set it.
    names = [name for name in SCHEDULER_CPUS if processes == 1 or name != "OMP_NUM_THREADS"]
    return max(1, min([_present_cpus(), *_granted(names), *quotas(PROCESS_GROUPS, GROUPS)]) // processes)


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
    for folder, is_first_version in control_groups(process_groups, groups, "cpu"):
        yield from _quota(folder, is_first_version=is_first_version)


def control_groups(process_groups: Path, groups: Path, controller: str) -> Iterator[tuple[Path, bool]]:
    """Yield the folders of a process's control groups and the groups above them, and if of version 1.

    Parameters
    ----------
    process_groups, groups : Path
        As for `quotas`.
    controller : str
        Of which the groups are: ``cpu`` or ``memory``.
    """
    for line in _text(process_groups).splitlines():
        _, _, group = line.partition(":")
        controllers, _, name = group.partition(":")
        if not name.startswith("/") or (controllers and controller not in controllers.split(",")):
            continue
        # A group outside the namespace of its container begins with "/..".
        parts = [part for part in PurePosixPath(name).parts if part not in ("/", "..")]
        folder = groups / controllers
        for depth in range(len(parts), -1, -1):
            yield folder.joinpath(*parts[:depth]), bool(controllers)


def _quota(group: Path, *, is_first_version: bool) -> Iterator[int]:
    """Yield the quota of one control group, if it has one."""
    if is_first_version:
        words = [_text(group / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    else:
        words = _text(group / "cpu.max").split()
    try:
        quota_us, period_us = map(int, words)
    except ValueError:
        # "max 100000", or no file.
        return
    if quota_us > 0 and period_us > 0:
        yield math.ceil(quota_us / period_us)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _granted(names: Iterable[str]) -> Iterator[int]:
    for name in names:
        # OMP_NUM_THREADS may be a list, whose first number is that of the outermost level.
        number = os.environ.get(name, "").partition(",")[0].strip()
        if number.isdecimal():
            yield int(number)


def _present_cpus() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
