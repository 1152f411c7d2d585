"""The memory that a job may use, and what is planned within it."""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from beadctl import control_groups, cpus
from beadctl.errors import SettingsError

FREE = Path("/proc/meminfo")
# A limit of a control group above this stands for none.
NO_LIMIT = 2**60
# Of a system that does not say how much it has.
UNKNOWN_BYTES = 4 * 2**30
_SIZE = re.compile(r"\s*(\d{1,15}(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


@dataclass(frozen=True)
class Costs:
    """What a run needs, as measured by ``tests/benchmarks/bench_growth.py``.

    =========  ==========  ======  =====================================================================
    name       value       unit    why
    =========  ==========  ======  =====================================================================
    process    400 MiB     bytes   the program, its libraries and a model file
    cell       350 MiB     bytes   labelling a cell of a plane, while the network runs on the next plane
    arrays     8           arrays  of a plane's size that may be in memory: two planes' pixels, maps, labels
    tiles      2048, 1024  px      edges of tiles to choose from, largest first: of larger ones the halo
               512                 is a smaller part
    halo       192         px      both sides of a tile
    most       0.6         share   of the memory that a tile may need where its size is not stated
    =========  ==========  ======  =====================================================================
    """

    process: int = 400 * 2**20
    cell: int = 350 * 2**20
    arrays: int = 8
    tiles: tuple[int, ...] = (2048, 1024, 512)
    halo: int = 192
    most: float = 0.6

    def fixed(self, tile_size: int, network: int) -> int:
        """Return what a run needs whatever the size of its planes, in bytes."""
        return self.process + self.cell + network * (tile_size + self.halo) ** 2


COSTS = Costs()


@dataclass(frozen=True)
class MemoryPlan:
    """How a run stays within its memory.

    Attributes
    ----------
    tile_size : int
        Edge of a tile without its halo, px.
    array_bytes : int
        Size above which an array of a plane's size is a temporary file.
    """

    tile_size: int
    array_bytes: int

    @classmethod
    def of(
        cls, max_memory: str | None, tile_size: int | None, *, network: int, sharing: int = 1
    ) -> "MemoryPlan":
        """Plan a run.

        Parameters
        ----------
        max_memory : str or None
            As ``2G``, in powers of 1024; None for what the job may use.
        tile_size : int or None
            Edge of a tile, px; None for the largest that fits.
        network : int
            Bytes that the network needs for a pixel of a tile: `beadctl.model.session.Model.bytes_a_pixel`.
        sharing : int
            Processes that share this memory.

        Raises
        ------
        SettingsError
            If that is no size, or less than what works.

        Examples
        --------
        >>> [MemoryPlan.of(size, None, network=288).tile_size for size in ("8G", "2G")]
        [2048, 1024]
        """
        most = available(max_memory) // sharing
        fits = (edge for edge in COSTS.tiles if COSTS.fixed(edge, network) <= COSTS.most * most)
        edge = next(fits, COSTS.tiles[-1]) if tile_size is None else tile_size
        needed = COSTS.fixed(edge, network)
        least = needed * 1.1
        if max_memory and most < least:
            raise SettingsError(
                f"--max-memory {max_memory}: too little; the least that works is {shown(least * sharing)}"
            )
        return cls(edge, int(max(0, most - needed) / COSTS.arrays))


def available(max_memory: str | None) -> int:
    """Return the bytes that a run may use: as stated, else what the job may; errors of `parsed`."""
    return parsed(max_memory) if max_memory else usable_bytes()


def parsed(text: str) -> int:
    """Return a size such as ``2G``, ``1.5GiB`` or ``800M`` in bytes.

    Raises
    ------
    SettingsError
        If the text is none, or 0.
    """
    match = _SIZE.fullmatch(text)
    if not match or not float(match[1]):
        raise SettingsError(f"--max-memory {text}: not a size; give it as 2G or 800M")
    return int(float(match[1]) * 1024 ** _POWERS[match[2].upper()])


def shown(size: float) -> str:
    """Return a number of bytes as `parsed` reads it, rounded up.

    Examples
    --------
    >>> shown(900 * 2**20), shown(2.31 * 2**30)
    ('900M', '2.4G')
    """
    if size < 2**30:
        return f"{-(-int(size) // 2**20)}M"
    tenths = -(-int(size * 10) // 2**30)
    return f"{tenths / 10:g}G"


def usable_bytes() -> int:
    """Return the memory that this process may use.

    It is the least of what is free, what the control groups of the process leave (Linux), and what the batch
    system grants the job.
    """
    left = _left_by_groups(control_groups.PROCESS_GROUPS, control_groups.GROUPS)
    return min([_free_bytes(), *left, *_granted()])


def _free_bytes() -> int:
    for line in control_groups.text_of(FREE).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    with contextlib.suppress(ValueError, OSError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return UNKNOWN_BYTES


def _left_by_groups(process_groups: Path, groups: Path) -> Iterator[int]:
    """Yield what the limits of control groups, of version 1 or 2, leave."""
    for folder, is_first in control_groups.of_process(process_groups, groups, "memory"):
        most, used = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes")
            if is_first
            else ("memory.max", "memory.current")
        )
        limit = control_groups.text_of(folder / most)
        if limit.isdecimal() and int(limit) < NO_LIMIT:
            used_bytes = control_groups.text_of(folder / used)
            yield max(0, int(limit) - (int(used_bytes) if used_bytes.isdecimal() else 0))


def _granted() -> Iterator[int]:
    """Yield what SLURM grants, which it states in MiB."""
    for name, times in (("SLURM_MEM_PER_NODE", 1), ("SLURM_MEM_PER_CPU", cpus.granted_cpus())):
        number = os.environ.get(name, "").strip()
        if number.isdecimal() and int(number):
            yield int(number) * times * 2**20
