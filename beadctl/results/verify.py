"""Whether the files that a run read and wrote are still the same."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from beadctl.errors import OutputError
from beadctl.files import sha256
from beadctl.results import ledger, shards
from beadctl.text import name_text
from beadctl.url import Url

COLUMNS = ("file", "kind", "change")
# What the files of a run are, by their suffix; the others are plots.
KINDS = {".csv": "table", ".toml": "settings", ".json": "coco"}
# Types of what the record of a run holds, where it holds it.
RECORDED = {
    **dict.fromkeys(("files", "settings", "options"), dict),
    **dict.fromkeys(("model", "model_sha256"), str),
    "inputs": list,
}


@dataclass(frozen=True)
class Recorded:
    """A file as a run found or left it.

    Attributes
    ----------
    path : Path
        Where it was.
    name, kind : str
        Its path, below the folder of results if it lies there; and ``image``, ``model``, ``region``,
        ``table``, ``settings``, ``plot``, or the output that it is, such as ``masks``.
    sha256 : str
        Of its content.
    """

    path: Path
    name: str
    kind: str
    sha256: str

    def change(self, hashed: Callable[[Path], str]) -> str:
        """Return what happened to it since: ``changed``, ``missing``, why it is unreadable, or nothing.

        Parameters
        ----------
        hashed : callable
            Returns the SHA-256 of a file's content.
        """
        try:
            return "" if hashed(self.path) == self.sha256 else "changed"
        except (FileNotFoundError, NotADirectoryError):
            return "missing"
        except OSError as error:
            return f"cannot be read ({error.strerror or error})"
        except ValueError:
            return "cannot be read (no file can have this name)"


@dataclass(frozen=True)
class Verified:
    """What `verify` found.

    Attributes
    ----------
    changes : tuple of (Recorded, str)
        Files that are not as they were, and what happened to them.
    checked : int
        Number of files that were compared.
    notes : tuple of str
        What could not be compared, because nothing is recorded of it.
    """

    changes: tuple[tuple[Recorded, str], ...]
    checked: int
    notes: tuple[str, ...]

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield the cells of each change under `COLUMNS`."""
        for file, change in self.changes:
            yield name_text(PurePosixPath(file.name)), file.kind, change


def images(folder: Path) -> list[str]:
    """Return the images of which a folder of results has a record.

    Raises
    ------
    OutputError
        If it is no folder of results.
    """
    if not (folder / ledger.FOLDER).is_dir():
        what = "holds no results of beadctl" if folder.is_dir() else "no such folder"
        raise OutputError(f"{folder}: {what}; give the folder that -o named")
    return ledger.images(folder)


def verify(
    folder: Path,
    images: list[str],
    on_image: Callable[[], None] = lambda: None,
    hashed: Callable[[Path], str] = sha256,
) -> Verified:
    """Compare model, region, tables and settings of the last run, images and their outputs with the records.

    Parameters
    ----------
    folder : Path
        Folder of results.
    images : list of str
        Those of the ledger, as `images` returns them.
    on_image : callable
        Called after an image and its outputs.
    hashed : callable
        Returns the SHA-256 of a file, as `beadctl.files.sha256` does.

    Raises
    ------
    OutputError
        If the record of the run, or that of an image, cannot be read.
    """
    record = read_record(folder)
    notes = [] if "files" in record else ["the last run did not end, or its record holds no tables"]
    changes, checked, unknown, in_stores = list[tuple[Recorded, str]](), 0, 0, 0

    def compare(files: Iterable[Recorded]) -> None:
        nonlocal checked
        for file in files:
            checked += 1
            if change := file.change(hashed):
                changes.append((file, change))

    try:
        of_run = list(_of_run(folder, record))
    except (KeyError, TypeError, AttributeError):
        raise unreadable(folder) from None
    compare(of_run)
    for image in images:
        entry = ledger.read(folder, PurePosixPath(image))
        if entry:
            unknown += entry.written is None
            in_stores += Url.parse(entry.source) is not None
            compare(_of_image(folder, entry))
        on_image()
    if unknown:
        notes.append(f"images done by a beadctl that recorded no masks and overlays: {unknown}")
    if in_stores:
        notes.append(f"images that are objects in stores, which are not read again: {in_stores}")
    return Verified(tuple(changes), checked, tuple(notes))


def read_record(folder: Path) -> Mapping[str, Any]:
    """Return what ``run.json`` says of the last run in a folder.

    Raises
    ------
    OutputError
        If it is missing or cannot be read.
    """
    path = folder / "run.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        what = "merge its shards with beadctl merge" if shards.folders(folder) else "run again"
        raise OutputError(f"{path}: is missing, so nothing is known of the run; {what}") from None
    except (OSError, ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or not all(
        isinstance(record.get(name, kind()), kind) for name, kind in RECORDED.items()
    ):
        raise unreadable(folder)
    return record


def unreadable(folder: Path) -> OutputError:
    """Return the error of a record that is not as a run wrote it."""
    return OutputError(f"{folder / 'run.json'}: cannot be read; run again")


def _of_run(folder: Path, record: Mapping[str, Any]) -> Iterator[Recorded]:
    """Yield the files of a run that are not of one image."""
    if "model_sha256" in record:
        yield Recorded(Path(record["model"]), record["model"], "model", record["model_sha256"])
    for region in (record.get("options", {}).get("region") or {}).values():
        if region and region["sha256"]:
            yield Recorded(Path(region["text"]), region["text"], "region", region["sha256"])
    for name, content in record.get("files", {}).items():
        yield Recorded(folder / name, name, KINDS.get(Path(name).suffix, "plot"), content)


def _of_image(folder: Path, entry: ledger.Entry) -> Iterator[Recorded]:
    """Yield an image and its outputs."""
    # A key ends with the hash of the image.
    if entry.source and not Url.parse(entry.source):
        yield Recorded(Path(entry.source), entry.source, "image", entry.key.rpartition(":")[2])
    for name, stamp in (entry.written or {}).items():
        yield Recorded(folder / name, name, name.partition("/")[0], stamp.sha256)
