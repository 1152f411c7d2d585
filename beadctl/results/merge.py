"""The shards of a run become one: tables and record as a run that was not divided would have written them."""

import contextlib
import heapq
import itertools
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from beadctl import __version__, console, lock
from beadctl.cluster.worker import merged
from beadctl.console import stopping
from beadctl.errors import IncompleteError, OutputError
from beadctl.images import Found
from beadctl.results import ledger, shards
from beadctl.results.block_store import folder_of
from beadctl.results.flag_warnings import FlagWarnings
from beadctl.results.formats import Output
from beadctl.results.ledger import ImageResult, Status
from beadctl.results.outdated import EarlierStatistics, removed_words
from beadctl.results.outputs import Outputs
from beadctl.results.process import mark, save_settings, say_doubts, tell_image
from beadctl.results.record import write_record
from beadctl.results.shards import Record, ShardImage
from beadctl.results.stored import Stored
from beadctl.results.tables import write_tables
from beadctl.results.tally import Tally
from beadctl.results.telling import Teller
from beadctl.segmentation.filters import Filters
from beadctl.words import first_names, number_of

# Settings that decide neither what is counted nor which files are written.
FREE = (
    *("inference.model", "inference.device", "inference.threads", "inference.tile_size"),
    *("inference.max_memory", "output.out_dir", "output.overwrite", "output.format", "output.report"),
    *(f"cluster.{name}" for name in ("workers", "timeout_s", "tls_ca", "tls_cert", "tls_key")),
)
# What the record of a shard has beside that of a run.
OWN = ("shard", "start", "end", "outcome", "files")
# What may change a digit of a result, though the settings are the same.
PLATFORM = ("device_used", "onnxruntime")
# What is equal in meaning where it differs in words.
OF_THE_FIRST = ("inputs", "settings", "model", "options")
# Images after which what became of them is told: to wait for the words of each takes as long as the rest.
TOLD_AT_ONCE = 64


@dataclass(frozen=True)
class Shards:
    """All shards of a run, each finished, with the same model, settings, version and images.

    Attributes
    ----------
    out : Path
        Folder of the results.
    records : tuple of Record
        In the order of their numbers.
    """

    out: Path
    records: tuple[Record, ...]

    @classmethod
    def of(cls, out: Path) -> "Shards":
        """Read the records of the shards in a folder of results.

        Raises
        ------
        OutputError
            If there are none, one is missing or has not finished, or they do not belong together.
        """
        found = shards.records(out)
        if not found:
            what = "holds no shards" if out.is_dir() else "no such folder"
            raise OutputError(f"{out}: {what}; give the folder that -o named, after --shard I/N")
        shards.require_all(out, {record.shard: record.finished for record in found})
        whole = cls(out, tuple(found))
        try:
            whole._require_one_run()
        except (KeyError, TypeError, AttributeError):
            folder = out / ledger.FOLDER / shards.FOLDER
            raise OutputError(f"{folder}: a run.json below cannot be read; run the shards again") from None
        whole._require_one_division()
        return whole

    @property
    def facts(self) -> Mapping[str, Any]:
        """The record of the first shard."""
        return self.records[0].facts

    @property
    def settings(self) -> Mapping[str, Mapping[str, Any]]:
        """The settings of the run, as plain values."""
        settings: Mapping[str, Mapping[str, Any]] = self.facts["settings"]
        return settings

    @property
    def images(self) -> int:
        """Number of the images of all shards."""
        return int(self.facts["shard"]["images"])

    def found(self) -> tuple[Found, ...]:
        """Return the images of the run in their order."""
        return tuple(Found(image.path, image.name) for image in self.in_order())

    def in_order(self) -> Iterator[ShardImage]:
        """Yield the images of all shards in the order of the undivided run, read some at a time.

        Raises
        ------
        OutputError
            If one is missing or in two shards.
        """
        place = 0
        for image in heapq.merge(*(record.images() for record in self.records), key=_place):
            if image.place != place:
                what = "is in two shards" if image.place < place else "follows one that is in no shard"
                raise OutputError(f"{self.out}: {image.name} {what}; run the shards again, then merge")
            place += 1
            yield image
        if place != self.images:
            raise OutputError(
                f"{self.out}: the shards have {place} of {number_of(self.images, 'image')}; "
                "run them again, then merge"
            )

    def _require_one_run(self) -> None:
        """Refuse shards of another version, model or settings than the first."""
        first, *others = self.records
        if (version := first.facts["beadctl"]) != __version__:
            raise OutputError(
                f"{self.out}: the shards are of beadctl {version}, and this is {__version__}; "
                "merge with that one"
            )
        for other in others:
            for name, one, two in _differences(first.facts, other.facts):
                raise OutputError(
                    f"{self.out}: shards {first.shard} and {other.shard} differ in {name} ({one} and {two}); "
                    "run those of one kind again, or each kind into another -o"
                )

    def _require_one_division(self) -> None:
        """Refuse shards that divided other images than the first."""
        kinds: dict[object, list[Record]] = {}
        for record in self.records:
            kinds.setdefault(record.division, []).append(record)
        if len(kinds) == 1:
            return
        of_kinds = ([str(record.shard) for record in kind] for kind in kinds.values())
        names = " and ".join(first_names(some, 5) for some in of_kinds)
        raise OutputError(
            f"{self.out}: images were added, removed or changed between the shards {names}{self._example()}; "
            "run all shards again (what is done is kept), then merge"
        )

    def _example(self) -> str:
        """Return an image that is in two shards, in words, if there is one."""
        shard_of: dict[PurePosixPath, str] = {}
        for record in self.records:
            for image in record.images():
                if (other := shard_of.setdefault(image.name, str(record.shard))) != str(record.shard):
                    return f", such as {image.name}, which is in {other} and {record.shard}"
        return ""


def merge(
    whole: Shards,
    messages: console.Messages,
    on_result: Callable[[ImageResult], None] = lambda _: None,
    write_more: Callable[[], None] = lambda: None,
    stored: Stored | None = None,
) -> Tally:
    """Write the tables and the record of shards into their folder of results, and return what they did.

    The masks and other outputs of the shards are in their places already. Of images, rows and beads a few are
    read at a time. A merge that is stopped or killed at any moment is run again, and writes the same files.

    Parameters
    ----------
    whole : Shards
        All shards.
    messages, on_result, write_more
        As for `beadctl.results.process.process`; results come in the order of the undivided run.
    stored : Stored, optional
        The store in which the outputs of the shards are.

    Raises
    ------
    OutputError
        If a job is at work on a shard, results were removed, or a table cannot be written.
    """
    # The images of all shards are not in memory together.
    out, facts, tally = whole.out, _facts(whole.records), Tally(deque(maxlen=0))
    outputs = Outputs(out, tuple(map(Output, whole.facts["shard"]["save"])), stored=stored)
    teller, taken = Teller(), itertools.count(1)
    tell = partial(tell_image, messages, FlagWarnings(messages, out), on_result)

    def states() -> Iterator[tuple[PurePosixPath, ImageResult | Status | None]]:
        for image in whole.in_order():
            stopping.check()
            yield image.name, image.failed or "ok"

    with stopping.held(), contextlib.ExitStack() as stack:
        stack.callback(teller.end)
        stack.enter_context(lock.held(out, messages.info, partial(shards.paths, out)))
        earlier = EarlierStatistics(out)
        with messages.progress(whole.images, "merging", teller.later) as advance:

            def take(result: ImageResult) -> None:
                tally.add(result)
                teller.later(partial(tell, result))
                advance(failed=result.failed)
                if next(taken) % TOLD_AT_ONCE == 0:
                    teller.tell()

            write_record(out, {**facts, "end": None, "outcome": "running"})
            mark(out)
            save_settings(out, whole.settings)
            left = write_tables(out, states, whole.facts["shard"]["key"], outputs, take)
            teller.tell()
        teller.later(partial(messages.notes, list(left.notes(out))))
        with stopping.finishing():
            write_more()
        if outdated := earlier.remove_outdated():
            teller.later(partial(messages.warn, removed_words(out, outdated)))
        write_record(out, {**facts, "outcome": "stopped" if left.lost else "finished"})
        shutil.rmtree(folder_of(out), ignore_errors=True)
        if left.removed:
            words = f"results that shards had written are gone: {left.removed}"
            raise IncompleteError(f"{out}: {words}; run the shards again, then merge")
    say_doubts(tally, Filters.of(whole.settings["instances"]), messages)
    kinds = {name: [record.facts.get(name) for record in whole.records] for name in PLATFORM}
    if unlike := [name for name, values in kinds.items() if any(one != values[0] for one in values)]:
        messages.warn(f"{out}: shards differ in {' and '.join(unlike)}, which may change a few counts")
    return tally


def _place(image: ShardImage) -> int:
    return image.place


def _differences(one: Mapping[str, Any], two: Mapping[str, Any]) -> Iterator[tuple[str, object, object]]:
    """Yield in what two shards differ that may not be mixed: its name, and both values."""
    for name, where in (("version", "beadctl"), ("model", "model_sha256")):
        yield from _unequal(name, one.get(where), two.get(where))
    for section in one["settings"]:
        for field, value in one["settings"][section].items():
            if (name := f"{section}.{field}") not in FREE:
                yield from _unequal(name, value, two["settings"].get(section, {}).get(field))
    # What the settings name may differ though they are equal: another region file of the same name.
    for role, flag in (("region", "--region"), ("exclude", "--region-exclude")):
        yield from _unequal(f"the file of {flag}", _region_sha256(one, role), _region_sha256(two, role))
    for name in ("key", "save"):
        yield from _unequal(name, one["shard"][name], two["shard"][name])


def _region_sha256(facts: Mapping[str, Any], role: str) -> object:
    """Return the SHA-256 of the file that tells the region, or what is left out; None without one."""
    region = (facts.get("options") or {}).get("region") or {}
    return (region.get(role) or {}).get("sha256")


def _unequal(name: str, one: object, two: object) -> Iterable[tuple[str, object, object]]:
    return () if one == two else [(name, _short(one), _short(two))]


def _short(value: object) -> object:
    return value[:12] if isinstance(value, str) and len(value) in (32, 64) else value


def _facts(records: Sequence[Record]) -> dict[str, Any]:
    """Return what the records say together: values that differ are lists, the times those of all."""
    first = records[0].facts
    names = [name for name in first if name not in OWN]
    each = merged([{name: record.facts.get(name) for name in names} for record in records])
    facts = {name: (first if name in OF_THE_FIRST else each)[name] for name in names}
    facts |= {"images": first["shard"]["images"], "shards": first["shard"]["count"]}
    times = {"start": min, "end": max}
    return facts | {name: end(record.facts[name] for record in records) for name, end in times.items()}
