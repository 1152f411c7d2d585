"""Control groups of a process (Linux), by which containers and batch systems limit its CPUs and memory."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PROCESS_GROUPS, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def of_process(process_groups: Path, groups: Path, controller: str) -> Iterator[tuple[Path, bool]]:
    """Yield the folders of a process's control groups and the groups above them, and if of version 1.

    Parameters
    ----------
    process_groups, groups : Path
        ``/proc/self/cgroup`` and ``/sys/fs/cgroup``, of version 1 or 2.
    controller : str
        Of which the groups are: ``cpu`` or ``memory``.
    """
    for line in text_of(process_groups).splitlines():
        _, _, group = line.partition(":")
        controllers, _, name = group.partition(":")
        if not name.startswith("/") or (controllers and controller not in controllers.split(",")):
            continue
        # A group outside the namespace of its container begins with "/..".
        parts = [part for part in PurePosixPath(name).parts if part not in ("/", "..")]
        folder = groups / controllers
        for depth in range(len(parts), -1, -1):
            yield folder.joinpath(*parts[:depth]), bool(controllers)


def text_of(path: Path) -> str:
    """Return the text of a file of the system, empty where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
