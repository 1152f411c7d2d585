"""Workers in jobs of a batch system, by a configuration file of dask-jobqueue."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beadctl.errors import SettingsError

if TYPE_CHECKING:
    from dask_jobqueue.core import JobQueueCluster
    from distributed.security import Security

# Key of the file -> class of dask_jobqueue.
CLASSES = {
    "htcondor": "HTCondorCluster",
    "lsf": "LSFCluster",
    "moab": "MoabCluster",
    "oar": "OARCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "slurm": "SLURMCluster",
}
# A job whose processes have been gone so long has ended; one process that died is started again sooner.
ENDED_S = 60.0
FORM = "jobqueue: {slurm: {cores: 8, memory: 16GB, ...}}, as in the documentation of dask-jobqueue"


@contextlib.contextmanager
def opened(file: Path, security: "Security") -> Iterator["JobQueueCluster"]:
    """Yield the cluster that a file describes, without jobs yet; then remove the keys of its certificates.

    Parameters
    ----------
    file : Path
        In the form of dask-jobqueue: below ``jobqueue`` one key, which names the batch system.
    security : distributed.security.Security
        TLS for its connections.

    Raises
    ------
    SettingsError
        If it cannot be read or used.
    """
    import dask
    import dask_jobqueue

    system, section = _section(file)
    known = dask.config.get(f"jobqueue.{system}")
    for name in section:
        if name.replace("_", "-") not in known:
            raise SettingsError(
                f"{file}: unknown setting jobqueue.{system}.{name}; valid: {', '.join(known)}"
            )
    # Its jobs read the configuration when they are submitted, which may be later.
    dask.config.set({f"jobqueue.{system}.{name}": value for name, value in section.items()})
    asked = dask.config.get(f"jobqueue.{system}.scheduler-options") or {}
    if not {"host", "interface"} & asked.keys() and not dask.config.get(f"jobqueue.{system}.interface"):
        raise SettingsError(
            f"{file}: names no network by which the jobs reach this computer; add interface: below {system}"
        )
    # A lost worker is told at once, and no page is served.
    options = {"dashboard": False, "dashboard_address": None, "allowed_failures": 0, **asked}
    shared = dask.config.get(f"jobqueue.{system}.shared-temp-directory") or str(Path.cwd())
    try:
        cluster = getattr(dask_jobqueue, CLASSES[system])
        made: JobQueueCluster = cluster(
            security=security,
            scheduler_options=options,
            shared_temp_directory=shared,
            silence_logs=logging.CRITICAL,
        )
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        raise SettingsError(f"{file}: {_first_line(error)}") from None
    try:
        yield made
    finally:
        # Files that dask-jobqueue leaves to the end of the process, which may end at once.
        for name in ("ca_file", "cert", "key"):
            if kept := getattr(made, f"_job_{name}", None):
                kept.close()


class Jobs:
    """Keeps so many jobs in the queue or at work: one that has ended, as its time was up, is submitted again.

    Parameters
    ----------
    cluster : JobQueueCluster
        The batch system.
    number : int
        How many jobs.
    """

    def __init__(self, cluster: "JobQueueCluster", number: int) -> None:
        self._cluster, self._number = cluster, number
        self._seen_s = dict[str, float]()
        cluster.scale(jobs=number)

    def keep(self) -> None:
        """Submit what is missing; called now and then."""
        loop = self._cluster.loop
        assert loop is not None
        loop.add_callback(self._submit)

    def _submit(self) -> None:
        now, cluster = time.monotonic(), self._cluster
        assert cluster.scheduler is not None
        workers = [str(worker.name) for worker in cluster.scheduler.workers.values()]
        for name, job in list(cluster.workers.items()):
            # Of a job with several processes, each has a number behind its name.
            if any(worker == name or worker.startswith(f"{name}-") for worker in workers):
                self._seen_s[name] = now
            elif name in self._seen_s and now - self._seen_s[name] > ENDED_S:
                del self._seen_s[name], cluster.workers[name]
                asyncio.ensure_future(job.close())  # noqa: RUF006
        cluster.scale(jobs=self._number)


def _section(file: Path) -> tuple[str, Mapping[str, Any]]:
    """Return the batch system and its settings."""
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"--cluster {file}: cannot be read ({error.strerror})") from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise SettingsError(f"{file}: is no YAML ({_first_line(error)})") from None
    systems = content.get("jobqueue") if isinstance(content, dict) else None
    if not isinstance(systems, dict) or len(systems) != 1:
        raise SettingsError(f"{file}: needs one batch system, such as {FORM}")
    (system, section), *_ = systems.items()
    if system not in CLASSES or not isinstance(section, dict):
        raise SettingsError(f"{file}: jobqueue.{system} is none of {', '.join(CLASSES)}; write {FORM}")
    return system, section


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
