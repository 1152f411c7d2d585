"""How many CPU threads a job may use, and what a device is called."""

import os

# What batch schedulers say a job may use, where the process's own affinity does not show it.
SCHEDULER_CPUS = ("SLURM_CPUS_PER_TASK", "PBS_NCPUS", "NCPUS", "NSLOTS", "OMP_NUM_THREADS")


def usable_cpus() -> int:
    """Return the number of CPUs that this process may use.

    The smaller of the process's affinity (a scheduler's binding, a container's set) and what the
    scheduler's environment grants; never the whole node, which is what libraries assume.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    granted = [int(os.environ[name]) for name in SCHEDULER_CPUS if os.environ.get(name, "").isdigit()]
    return max(1, min([count, *granted]))


def cuda_index(device: str) -> int | None:
    """Return N of ``cuda:N``, 0 for ``cuda``, None for any other device."""
    if not device.startswith("cuda"):
        return None
    return int(device.partition(":")[2] or 0)
