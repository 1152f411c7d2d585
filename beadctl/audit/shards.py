"""Shards of an audit: each checks some pairs and keeps what it found; the merge compares all of them.

Below ``.beadctl/audit`` of the folder of results there is one file a shard, such as ``3-of-7.jsonl``: a line
of facts, then a line for each of its pairs. A shard writes its file whole or not at all, and no other file.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from beadctl import __version__
from beadctl.annotations.sample import Sample
from beadctl.audit.check import CheckResult
from beadctl.audit.duplicates import ImageFingerprint
from beadctl.audit.faults import Fault, Finding, Verdict
from beadctl.audit.fit import MaskFit
from beadctl.audit.run import Checked
from beadctl.errors import OutputError
from beadctl.files import atomic
from beadctl.images import RESULTS_MARK, Found
from beadctl.results.shards import NAME, Part, require_all
from beadctl.shard import Shard

FOLDER = "audit"
FINGERPRINT = ("grey", "detail", "outline")
# What the facts of all shards have in common; the model is None where none is asked.
SAME = ("beadctl", "images", "masks", "model_sha256", "settings", "division")


def part_of(samples: Sequence[Sample], shard: Shard) -> Part:
    """Return the pairs of a shard, balanced by the bytes of their images."""
    return Part.of([Found(sample.image, PurePosixPath(sample.name)) for sample in samples], shard)


def write(out: Path, part: Part, checked: Sequence[Checked], facts: Mapping[str, Any]) -> None:
    """Write what a shard found.

    Parameters
    ----------
    out, part : Path and Part
        Folder of the results, and the shard's pairs.
    checked : sequence of Checked
        What was found of each.
    facts : mapping
        Where the pairs are, the settings and the model: what all shards have in common.
    """
    path = _folder(out) / f"{part.shard.number}-of-{part.shard.count}.jsonl"
    whole = {"beadctl": __version__, "division": part.division, "pairs": part.images, **facts}
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        for line in (whole, *map(_line, part.places, checked)):
            file.write(json.dumps(line) + "\n")


def are_in(out: Path) -> bool:
    """Return whether a folder of results holds shards of an audit."""
    return _folder(out).is_dir()


@dataclass(frozen=True)
class AuditShards:
    """All shards of an audit.

    Attributes
    ----------
    facts : mapping
        What they have in common; see `write`.
    files : tuple of Path
        In the order of their numbers.
    """

    facts: Mapping[str, Any]
    files: tuple[Path, ...]

    @classmethod
    def of(cls, out: Path) -> AuditShards:
        """Read the facts of the shards in a folder of results.

        Raises
        ------
        OutputError
            If one is missing or cannot be read, or they do not belong together.
        """
        named = [(path, NAME.fullmatch(path.stem)) for path in _folder(out).glob("*.jsonl")]
        found = {Shard(int(name[1]), int(name[2])): path for path, name in named if name}
        if not found:
            raise OutputError(f"{out}: holds no shards of an audit; run audit with --shard I/N first")
        require_all(out, dict.fromkeys(found, True))
        facts = {shard: _facts(found[shard]) for shard in sorted(found, key=lambda one: one.number)}
        (first, whole), *others = facts.items()
        if (version := whole["beadctl"]) != __version__:
            words = f"the shards are of beadctl {version}, and this is {__version__}"
            raise OutputError(f"{out}: {words}; merge with that one")
        for other, these in others:
            if unlike := [name for name in SAME if these[name] != whole[name]]:
                names = ", ".join("images" if name == "division" else name for name in unlike)
                words = f"shards {first} and {other} differ in {names}"
                raise OutputError(f"{out}: {words}; run those of one kind again")
        return cls(whole, tuple(found[shard] for shard in facts))

    def checked(self, samples: Sequence[Sample]) -> list[Checked]:
        """Return what was found of all pairs, in their order.

        Parameters
        ----------
        samples : sequence of Sample
            The pairs as they are found now.

        Raises
        ------
        OutputError
            If these are not the pairs that the shards divided, or a file cannot be read.
        """
        found: dict[int, Checked] = {}
        for path in self.files:
            found |= dict(_read(path))
        same = part_of(samples, Shard(1, 1)).division == self.facts["division"]
        if not same or sorted(found) != list(range(len(samples))):
            folder = self.files[0].parent
            raise OutputError(f"{folder}: images were added, removed or changed since; run the shards again")
        return [found[place] for place in range(len(samples))]


def _folder(out: Path) -> Path:
    return out / RESULTS_MARK / FOLDER


def _facts(path: Path) -> Mapping[str, Any]:
    try:
        with path.open(encoding="utf-8") as file:
            facts = json.loads(next(file, ""))
        if facts.keys() < {*SAME, "pairs"}:
            raise ValueError
    except (OSError, ValueError, AttributeError, RecursionError):
        raise _unreadable(path) from None
    else:
        whole: Mapping[str, Any] = facts
        return whole


def _read(path: Path) -> Iterator[tuple[int, Checked]]:
    try:
        with path.open(encoding="utf-8") as file:
            next(file)
            for line in file:
                yield _pair(json.loads(line))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _unreadable(path) from None


def _unreadable(path: Path) -> OutputError:
    return OutputError(f"{path}: cannot be read; run this shard again")


def _line(place: int, checked: Checked) -> dict[str, Any]:
    result, image = checked
    return {
        "place": place,
        "beads": result.beads,
        "diameter_px": result.diameter_px,
        "fit": {name: getattr(result.fit, name) for name in MaskFit.__slots__},
        "findings": [[finding.fault, finding.verdict, finding.message] for finding in result.findings],
        "sharpness": result.sharpness,
        "image": image and [image.shape, *(_text(image, name) for name in FINGERPRINT)],
    }


def _text(image: ImageFingerprint, name: str) -> str:
    return base64.b64encode(getattr(image, name).tobytes()).decode()


def _pair(line: Mapping[str, Any]) -> tuple[int, Checked]:
    findings = tuple(
        Finding(Fault(fault), Verdict(verdict), message) for fault, verdict, message in line["findings"]
    )
    numbers = line["beads"], line["diameter_px"], MaskFit(**line["fit"])
    image = None
    if line["image"]:
        (height, width), *texts = line["image"]
        planes = [np.frombuffer(base64.b64decode(text), np.int8).reshape(32, 32) for text in texts]
        image = ImageFingerprint((height, width), *planes)
    return int(line["place"]), (CheckResult(*numbers, findings, line["sharpness"]), image)
