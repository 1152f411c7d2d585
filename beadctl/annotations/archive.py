"""ZIP archives of annotations: read in memory, one member at a time."""

import contextlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from beadctl.annotations.document import one_line, unreadable
from beadctl.errors import AnnotationError
from beadctl.words import number_of


@dataclass(frozen=True)
class ArchiveLimits:
    """Limits that keep a damaged or malicious archive from filling the memory.

    ==============  =========  =======  ========================================================
    name            value      unit     why
    ==============  =========  =======  ========================================================
    region_bytes    16 MiB     bytes    composite regions exceed 65,535 vertices of 12 bytes
    document_bytes  1 GiB      bytes    a JSON file is parsed in memory
    total_bytes     2 GiB      bytes    unpacked size of all members
    members         1,000,000  files    more than any set of regions has
    ==============  =========  =======  ========================================================
    """

    region_bytes: int = 2**24
    document_bytes: int = 2**30
    total_bytes: int = 2**31
    members: int = 1_000_000


LIMITS = ArchiveLimits()


def names(path: Path) -> list[str]:
    """Return the names of the files in the archive at `path`, without those that macOS adds.

    An archive that is damaged, encrypted, exceeds the limits or has a name that leads out of it is refused.
    """
    with _opened(path) as archive:
        return [info.filename for info in _members(path, archive)]


def regions(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each ``.roi`` file of the archive at `path`, one at a time; see `names`."""
    with _opened(path) as archive:
        for info in _members(path, archive):
            if info.filename.lower().endswith(".roi"):
                yield info.filename, _bounded(path, archive, info, LIMITS.region_bytes)


def document(path: Path) -> bytes:
    """Return the only JSON file of the archive at `path`; an `AnnotationError` if there is not just one."""
    with _opened(path) as archive:
        found = [info for info in _members(path, archive) if info.filename.lower().endswith(".json")]
        if len(found) != 1:
            raise AnnotationError(
                f"{path}: holds {len(found)} JSON files and no ImageJ regions (.roi); unpack it, and give the"
                " annotations that you mean"
            )
        return _bounded(path, archive, found[0], LIMITS.document_bytes)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; errors of zipfile and its decoders become an `AnnotationError`."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except AnnotationError:
        raise
    except OSError as error:
        raise unreadable(path, error) from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise AnnotationError(
            f"{path}: damaged, or no ZIP archive ({one_line(error)}); save it again"
        ) from None


def _members(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    infos = archive.infolist()
    size = sum(info.file_size for info in infos)
    if len(infos) > LIMITS.members or size > LIMITS.total_bytes:
        raise AnnotationError(
            f"{path}: would unpack to {size} bytes in {number_of(len(infos), 'file')}, too much; "
            "save it again"
        )
    for info in infos:
        name = info.filename.replace("\\", "/")
        if name.startswith("/") or ":" in name.split("/")[0] or ".." in name.split("/"):
            raise AnnotationError(
                f"{path}: holds {info.filename!r}, a name that leads out of the archive; save it again"
            )
        if info.flag_bits & 1:
            raise AnnotationError(f"{path}: is encrypted; save it without a password")
    return [info for info in infos if _is_file(info.filename)]


def _is_file(name: str) -> bool:
    """Return whether a member is a file, not hidden; one without a name is none."""
    path = PurePosixPath(name)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return bool(name) and not name.endswith("/") and not hidden


def _bounded(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    """Read a member of at most `limit` bytes: the size in its header may be wrong."""
    try:
        with archive.open(info) as file:
            content = file.read(min(info.file_size, limit) + 1)
    except OSError:
        raise
    except Exception as error:
        # Each compression has an error of its own: zlib, LZMA, Zstandard.
        raise AnnotationError(
            f"{path}: {info.filename} is damaged ({one_line(error)}); save it again"
        ) from None
    if len(content) > limit:
        raise AnnotationError(
            f"{path}: {info.filename} is larger than {limit} bytes, too much for an annotation; save it again"
        )
    return content
