"""Shards of a run: several jobs that write into one folder of results, each other images.

Below ``.beadctl/shards`` each shard has a folder of its own, such as ``3-of-7``, with its lock, its record
``run.json``, its ``settings.toml`` and ``images.jsonl``, a line for each of its images. No other shard writes
there. Masks and other outputs go to their places in the folder of results, and so do the parts of the ledger:
each is of one image, and each image of one shard. So a rerun skips what any job has done, and
`beadctl.results.merge` has only the tables and the record to write.
"""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from beadctl import lock
from beadctl.errors import OutputError
from beadctl.files import atomic, require_free
from beadctl.images import Found
from beadctl.results import ledger
from beadctl.results.ledger import ImageResult
from beadctl.results.record import RUN_FILES
from beadctl.shard import Shard
from beadctl.words import first_names, number_of

FOLDER, IMAGES = "shards", "images.jsonl"
# Of the images of a shard that are read at once.
READ_BYTES = 2**14
NAME = re.compile(r"([0-9]+)-of-([0-9]+)")


@dataclass(frozen=True)
class Part:
    """The images of one shard.

    Attributes
    ----------
    shard : Shard
        Which it is.
    found, places : tuple of Found and of int
        Its images, and their places among those of all shards.
    images : int
        Number of the images of all shards.
    division : str
        Hash of names, paths and sizes of these: shards with the same one have divided the same images.
    bytes, all_bytes : int
        Size of its files, and of those of all shards.
    large : tuple of Found
        Images of any shard that are more than its equal part of all bytes; all shards share their blocks.
    """

    shard: Shard
    found: tuple[Found, ...]
    places: tuple[int, ...]
    images: int
    division: str
    bytes: int
    all_bytes: int
    large: tuple[Found, ...] = ()

    @classmethod
    def of(cls, found: Sequence[Found], shard: Shard) -> "Part":
        """Return the images of a shard; sizes are balanced as `Shard.members` does."""
        sizes, division = list[int](), hashlib.sha256()
        for item in found:
            sizes.append(size := item.size)
            for text in (os.fsencode(item.name), os.fsencode(item.source), str(size).encode()):
                division.update(text + b"\0")
        places, all_bytes = shard.members(sizes), sum(sizes)
        return cls(
            shard,
            tuple(found[place] for place in places),
            tuple(places),
            len(found),
            division.hexdigest()[:32],
            sum(sizes[place] for place in places),
            all_bytes,
            tuple(
                item
                for item, size in zip(found, sizes, strict=True)
                if size * shard.count > all_bytes and not item.url
            ),
        )

    def __str__(self) -> str:
        by = f" ({self.shard.source})" if self.shard.source else ""
        size = f"{self.bytes / 1e6:.4g} of {self.all_bytes / 1e6:.4g} MB"
        return f"shard {self.shard}{by}: {len(self.found)} of {number_of(self.images, 'image')}, {size}"


@dataclass(frozen=True)
class Record:
    """What a shard says of itself.

    Attributes
    ----------
    folder, shard : Path and Shard
        Its folder, and which it is.
    facts : mapping
        Its ``run.json``; empty where that is missing or cannot be read.
    """

    folder: Path
    shard: Shard
    facts: Mapping[str, Any]

    @property
    def finished(self) -> bool:
        """Whether it has done its images, whether or not they failed."""
        facts, own = self.facts, self.facts.get("shard")
        return (
            facts.get("outcome") == "finished"
            and isinstance(own, dict)
            and own.keys() >= {"images", "division", "key", "save"}
            and (own.get("number"), own.get("count")) == (self.shard.number, self.shard.count)
        )

    @property
    def division(self) -> object:
        """Hash of the images that it divided; see `Part`."""
        own = self.facts.get("shard")
        return own.get("division") if isinstance(own, dict) else None

    def images(self) -> "Iterator[ShardImage]":
        """Yield its images in their order, read some at a time.

        Raises
        ------
        OutputError
            If the file cannot be read.
        """
        path = self.folder / IMAGES
        place, lines = 0, [b""]
        try:
            while lines:
                # No file stays open: there may be more shards than files that a process may open.
                with path.open("rb") as file:
                    file.seek(place)
                    lines = file.readlines(READ_BYTES)
                    place = file.tell()
                for line in lines:
                    yield ShardImage.of(json.loads(line))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise OutputError(f"{path}: cannot be read; run shard {self.shard} again") from None


@dataclass(frozen=True)
class ShardImage:
    """An image of a shard.

    Attributes
    ----------
    place : int
        Its place among the images of all shards.
    name, path : PurePosixPath and Path
        As `beadctl.images.Found` has them.
    failed : ImageResult or None
        Its rows where a plane failed; else its result is in the ledger.
    """

    place: int
    name: PurePosixPath
    path: Path
    failed: ImageResult | None

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> "ShardImage":
        """Return what a line says."""
        rows = tuple(map(ledger.row_of, line["failed"]))
        return cls(
            int(line["place"]),
            PurePosixPath(line["name"]),
            Path(line["path"]),
            ImageResult(rows) if rows else None,
        )


def folder_of(out: Path, shard: Shard) -> Path:
    """Return the folder of a shard in a folder of results."""
    return out / ledger.FOLDER / FOLDER / f"{shard.number}-of-{shard.count}"


def folders(out: Path) -> list[tuple[Path, Shard]]:
    """Return the folders of the shards in a folder of results, and which shards they are, in order."""
    try:
        entries = list((out / ledger.FOLDER / FOLDER).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    named = [(path, NAME.fullmatch(path.name)) for path in entries]
    found = [(path, Shard(int(name[1]), int(name[2]))) for path, name in named if name]
    return sorted(found, key=lambda one: (one[1].count, one[1].number))


def paths(out: Path) -> list[Path]:
    """Return the folders of the shards in a folder of results."""
    return [path for path, _ in folders(out)]


def require_all(out: Path, finished: Mapping[Shard, bool]) -> None:
    """Refuse shards that are not all of one division, or not all finished.

    Parameters
    ----------
    out : Path
        Folder of the results, for the message.
    finished : mapping of Shard to bool
        At least one shard, and whether each has finished.

    Raises
    ------
    OutputError
        If shards are missing or have not finished, or belong to several divisions.
    """
    counts = sorted({shard.count for shard in finished})
    if len(counts) > 1:
        both = " and into ".join(map(str, counts))
        hidden = out / ledger.FOLDER
        raise OutputError(f"{out}: is divided into {both} shards; remove those not wanted from {hidden}")
    every = (Shard(number, counts[0]) for number in range(1, counts[0] + 1))
    if absent := [str(shard) for shard in every if not finished.get(shard)]:
        words = f"shards that are missing or not finished: {first_names(absent, 5)}"
        raise OutputError(f"{out}: {words}; run them, then merge")


def records(out: Path) -> list[Record]:
    """Return the records of the shards in a folder of results."""
    return [Record(path, shard, _facts(path)) for path, shard in folders(out)]


def _facts(folder: Path) -> Mapping[str, Any]:
    try:
        facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


@contextlib.contextmanager
def held(
    out: Path, part: Part, say: Callable[[str], None], warn: Callable[[str], None], *, overwrite: bool
) -> Iterator[lock.Held]:
    """Hold the folder of a shard, as `beadctl.lock.held` does.

    Parameters
    ----------
    out, part : Path and Part
        Folder of the results, and the shard's images.
    say, warn : callable
        Take a message and a warning.
    overwrite : bool
        Replace results that already exist.

    Raises
    ------
    OutputError
        If another job is at work on this shard or on the undivided run, the folder is divided into another
        number of shards, or it holds files that no run of beadctl wrote.
    """
    if not (out / ledger.FOLDER).exists():
        require_free(out, RUN_FILES, overwrite=overwrite)
    for _, other in folders(out):
        if other.count != part.shard.count:
            raise OutputError(
                f"{out}: is divided into {other.count} shards, and --shard {part.shard} is one of "
                f"{part.shard.count}; give --shard I/{other.count}, choose another -o, or remove "
                f"{out / ledger.FOLDER / FOLDER} to divide the images anew (what is done is kept)"
            )
    with lock.held(folder_of(out, part.shard), say) as own:
        lock.require_idle(out, say)
        # Another division of another job may just have begun; the merge refuses both.
        changed = [other for other in records(out) if other.division not in (None, part.division)]
        if others := [str(other.shard) for other in changed if other.shard != part.shard]:
            warn(
                f"{out}: images were added, removed or changed since shard {others[0]} began; "
                f"run again before the merge: {', '.join(others)}"
            )
        yield own


def facts(part: Part, key: str, save: Sequence[str]) -> dict[str, Any]:
    """Return what the record of a shard says beside that of a run."""
    shard = {
        "number": part.shard.number,
        "count": part.shard.count,
        "images": part.images,
        "division": part.division,
        "key": key,
        "save": list(save),
    }
    return {"shard": shard}


def write_images(folder: Path, part: Part, states: Sequence[object]) -> None:
    """Write the images of a shard, and the rows of those that failed.

    Parameters
    ----------
    folder, part : Path and Part
        Folder of the shard, and its images.
    states : sequence
        What became of them so far: an `ImageResult` where a plane failed, else anything.
    """
    with atomic(folder / IMAGES) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        for place, item, state in zip(part.places, part.found, states, strict=False):
            failed = state.rows if isinstance(state, ImageResult) else ()
            line = {
                "place": place,
                "name": str(item.name),
                "path": item.source,
                "failed": [row.cells() for row in failed],
            }
            file.write(json.dumps(line) + "\n")
