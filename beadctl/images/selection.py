"""Which of the files of a search are used."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Selection:
    """Which files are used.

    Attributes
    ----------
    include, exclude : tuple of str
        Patterns such as ``*.tif`` or ``day1/*`` on a file's name, or on its path below the searched folder;
        upper and lower case are equal. A file must match one of `include`, if there is any, and none of
        `exclude`, which also leaves out folders.
    recursive : bool
        Search the folders in a folder.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    recursive: bool = True

    def has(self, name: PurePosixPath) -> bool:
        """Return whether a file of this path below the searched folder is used."""
        return (not self.include or _matches(name, self.include)) and not any(
            _matches(part, self.exclude) for part in (name, *name.parents[:-1])
        )


def _matches(name: PurePosixPath, patterns: Iterable[str]) -> bool:
    texts = str(name).casefold(), name.name.casefold()
    return any(fnmatchcase(text, pattern.casefold()) for pattern in patterns for text in texts)
