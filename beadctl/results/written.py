"""Files that a run wrote: known by size and SHA-256, so that no other file is taken for one of them."""

import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from beadctl.errors import OutputError
from beadctl.files import TEMPORARY, fingerprint, sha256


@dataclass(frozen=True)
class Stamp:
    """Size in bytes and SHA-256 of a file."""

    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "Stamp":
        """Return the stamp of a file as it is now."""
        return cls(path.stat().st_size, sha256(path))

    def fits(self, path: Path) -> bool:
        """Return whether a file has this content."""
        return path.is_file() and path.stat().st_size == self.size and sha256(path) == self.sha256


def file_state(path: Path) -> tuple[int, ...] | None:
    """Return what changes when a file is replaced, or None if there is none."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_ino, state.st_mtime_ns, state.st_size


@contextlib.contextmanager
def staged(paths: Sequence[Path]) -> Iterator[dict[Path, Path]]:
    """Yield a hidden file beside each path, to be written and then given to `publish`; remove what is left.

    No other process writes them, as the shards of a run have no common lock.
    """
    ours = secrets.token_hex(16)
    hidden = {
        path: path.with_name(f"{TEMPORARY}{fingerprint(path.name, ours)}{path.suffix}") for path in paths
    }
    try:
        yield hidden
    except OutputError as error:
        text = str(error)
        for path, temporary in hidden.items():
            text = text.replace(str(temporary), str(path))
        raise OutputError(text) from None
    finally:
        for path in hidden.values():
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def publish(hidden: dict[Path, Path]) -> None:
    """Give the files that `staged` named their own names, in order.

    Raises
    ------
    OutputError
        If one cannot be renamed.
    """
    for path, temporary in hidden.items():
        try:
            temporary.replace(path)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None


def discard(folder: Path, stamps: Mapping[str, Stamp]) -> None:
    """Remove files of an earlier result, by their paths below a folder; keep what was changed since."""
    for name, stamp in stamps.items():
        if stamp.fits(folder / name):
            (folder / name).unlink()
