"""CPU threads that a job may use, and names of devices."""

import os

# Environment variables in which batch schedulers grant CPUs without setting the process's affinity.
SCHEDULER_CPUS = ("SLURM_CPUS_PER_TASK", "PBS_NCPUS", "NCPUS", "NSLOTS", "OMP_NUM_THREADS")


def usable_cpus() -> int:
    """Return the number of CPUs that this process may use, by its affinity and the job's environment."""
    granted = [int(os.environ[name]) for name in SCHEDULER_CPUS if os.environ.get(name, "").isdigit()]
    return max(1, min([_present_cpus(), *granted]))


def threads(asked: int | None) -> int:
    """Return the number of CPU threads to start: as asked for, up to the CPUs, or what the job may use."""
    return usable_cpus() if asked is None else min(asked, _present_cpus())


def _present_cpus() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def cuda_index(device: str) -> int | None:
    """Return N of ``cuda:N``, 0 for ``cuda``, None for any other device."""
    if not device.startswith("cuda"):
        return None
    return int(device.partition(":")[2] or 0)
