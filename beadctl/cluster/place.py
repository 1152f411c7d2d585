"""Where the workers of a cluster are."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from beadctl.errors import SettingsError

LOCAL = re.compile(r"local:([0-9]{1,4})")
ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9A-Fa-f:.]+\]|[^\s/:\[\]]+):[0-9]{1,5}")
FILE = re.compile(r"(.+\.ya?ml)(?::([0-9]{1,5}))?")
# Images of each process, so that its start pays, and its memory: with less the tiles would be smaller.
IMAGES_EACH, BYTES_EACH = 32, 2 * 2**30
HOW = "give local:N, tcp://HOST:PORT or tls://HOST:PORT of a scheduler, or jobqueue.yaml:N for N jobs"


@dataclass(frozen=True)
class Local:
    """So many processes on this computer."""

    workers: int

    def __str__(self) -> str:
        return f"local:{self.workers}"

    @property
    def sharing(self) -> int:
        """Workers that share a computer."""
        return self.workers

    @classmethod
    def for_images(cls, images: int, threads: int, memory_bytes: Callable[[], int]) -> "Local | None":
        """Return the processes that share images, threads and memory; None where one is as fast.

        A process labels one plane at a time, whatever its threads, as Python runs one thread at a time. What
        memory there is is asked only where there are images for several.

        Examples
        --------
        >>> [Local.for_images(images, 8, lambda: 16 * 2**30) for images in (1000, 40)]
        [Local(workers=8), None]
        """
        workers = min(threads, images // IMAGES_EACH)
        if workers > 1:
            workers = min(workers, memory_bytes() // BYTES_EACH)
        return cls(workers) if workers > 1 else None


@dataclass(frozen=True)
class Scheduler:
    """The workers of a scheduler that runs already, by its address; each has what its job was granted."""

    address: str
    sharing: ClassVar[int] = 1

    def __str__(self) -> str:
        return self.address


@dataclass(frozen=True)
class JobQueue:
    """So many jobs of a batch system, by a configuration file of dask-jobqueue."""

    file: Path
    jobs: int = 1
    sharing: ClassVar[int] = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.jobs}"


Place = Local | Scheduler | JobQueue


def parse(text: str) -> Place:
    """Read where the workers are.

    Parameters
    ----------
    text : str
        ``local:N``, ``tcp://HOST:PORT``, ``tls://HOST:PORT``, or a YAML file, with ``:N`` for N jobs.

    Raises
    ------
    SettingsError
        If it is none of these.

    Examples
    --------
    >>> parse("local:4"), str(parse("slurm.yaml"))
    (Local(workers=4), 'slurm.yaml:1')
    """
    if (found := LOCAL.fullmatch(text)) and int(found[1]):
        return Local(int(found[1]))
    if ADDRESS.fullmatch(text):
        return Scheduler(text)
    if (found := FILE.fullmatch(text)) and found[2] != "0":
        return JobQueue(Path(found[1]), int(found[2] or 1))
    raise SettingsError(f"--cluster {text}: {HOW}")
