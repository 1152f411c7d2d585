"""ZIP archives of annotations: read in memory, a member at a time, and never unpacked."""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from beadctl.errors import AnnotationError

# The largest region that ImageJ can write has 65,535 vertices, 12 bytes each; composite ones hold more.
REGION_BYTES = 16 * 2**20
DOCUMENT_BYTES = 2**30
TOTAL_BYTES = 2**31
MEMBERS = 1_000_000


def is_archive(path: Path) -> bool:
    """Whether a file begins as a ZIP archive does."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def names(path: Path) -> list[str]:
    """Return the names of the files in an archive, without what macOS adds.

    Raises
    ------
    AnnotationError
        If it is damaged, encrypted, too large to be true, or has a name that leads out of it.
    """
    with _opened(path) as archive:
        return [info.filename for info in _members(path, archive)]


def regions(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each ``.roi`` file of an archive, one at a time.

    Raises
    ------
    AnnotationError
        As `names`; or if a file in it is larger than any region.
    """
    with _opened(path) as archive:
        for info in _members(path, archive):
            if info.filename.lower().endswith(".roi"):
                yield info.filename, _bounded(path, archive, info, REGION_BYTES)


def document(path: Path) -> bytes:
    """Return the only JSON file of an archive.

    Raises
    ------
    AnnotationError
        As `names`; or if there is none, or more than one.
    """
    with _opened(path) as archive:
        found = [info for info in _members(path, archive) if info.filename.lower().endswith(".json")]
        if len(found) != 1:
            raise AnnotationError(
                f"{path}: holds {len(found)} JSON files and no ImageJ regions (.roi); unpack it, and give the"
                " annotations that you mean"
            )
        return _bounded(path, archive, found[0], DOCUMENT_BYTES)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; whatever foreign bytes make zipfile and its decoders raise becomes one line."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except AnnotationError:
        raise
    except OSError as error:
        raise AnnotationError(
            f"{path}: cannot be read ({error.strerror or error}); check its permissions"
        ) from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        words = " ".join(str(error).split())
        raise AnnotationError(f"{path}: damaged, or no ZIP archive ({words}); save it again") from None


def _members(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    infos = archive.infolist()
    size = sum(info.file_size for info in infos)
    if len(infos) > MEMBERS or size > TOTAL_BYTES:
        raise AnnotationError(
            f"{path}: would unpack to {size} bytes in {len(infos)} files, too much; save it again"
        )
    for info in infos:
        name = info.filename.replace("\\", "/")
        if name.startswith("/") or ":" in name.split("/")[0] or ".." in name.split("/"):
            raise AnnotationError(
                f"{path}: holds {info.filename!r}, a name that leads out of the archive; save it again"
            )
        if info.flag_bits & 1:
            raise AnnotationError(f"{path}: is encrypted; save it without a password")
    return [info for info in infos if not (info.is_dir() or _is_hidden(info.filename))]


def _is_hidden(name: str) -> bool:
    path = PurePosixPath(name)
    return path.name.startswith(".") or "__MACOSX" in path.parts


def _bounded(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    """Read a member of at most `limit` bytes, whatever its header says."""
    import zlib

    try:
        with archive.open(info) as file:
            content = file.read(min(info.file_size, limit) + 1)
    except zlib.error as error:
        raise AnnotationError(f"{path}: {info.filename} is damaged ({error}); save it again") from None
    if len(content) > limit:
        raise AnnotationError(
            f"{path}: {info.filename} is larger than {limit} bytes, too much for an annotation; save it again"
        )
    return content
