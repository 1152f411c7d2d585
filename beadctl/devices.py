"""CPU threads that a job may use, and names of devices."""

import os

# Environment variables in which batch schedulers grant CPUs without setting the process's affinity.
SCHEDULER_CPUS = ("SLURM_CPUS_PER_TASK", "PBS_NCPUS", "NCPUS", "NSLOTS", "OMP_NUM_THREADS")


def usable_cpus() -> int:
    """Return the number of CPUs that this process may use, by its affinity and the job's environment."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    granted = [int(os.environ[name]) for name in SCHEDULER_CPUS if os.environ.get(name, "").isdigit()]
    return max(1, min([count, *granted]))


def cuda_index(device: str) -> int | None:
    """Return N of ``cuda:N``, 0 for ``cuda``, None for any other device."""
    if not device.startswith("cuda"):
        return None
    return int(device.partition(":")[2] or 0)
