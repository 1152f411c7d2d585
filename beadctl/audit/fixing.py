"""Corrected pairs in a folder of their own: only what is safe to correct, and a record of each change."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from beadctl.audit.check import Checked, check
from beadctl.audit.faults import Fault, Finding, Verdict
from beadctl.audit.fit import moved
from beadctl.audit.run import Audited, read_pixels
from beadctl.errors import OutputError
from beadctl.files import atomic, write_csv
from beadctl.images import ReadOptions
from beadctl.images.tiff_write import write_tiff

UNCHANGED = "none"
COLUMNS = ("image", "mask", "verdict", "written", "change")


@dataclass(frozen=True)
class Change:
    """What became of a pair.

    Attributes
    ----------
    audited : Audited
        The pair.
    written : bool
        Whether it is in the new folder.
    words : str
        What was changed, or why it was left out.
    """

    audited: Audited
    written: bool
    words: str

    def cells(self) -> dict[str, object]:
        """Return the row of ``changes.csv``."""
        return {
            "image": self.audited.sample.name,
            "mask": str(self.audited.sample.truth),
            "verdict": self.audited.verdict.value,
            "written": "yes" if self.written else "no",
            "change": self.words,
        }


def fix(audited: Sequence[Audited], out_dir: Path, reading: ReadOptions) -> tuple[Change, ...]:
    """Write the pairs that are right, or can be made so: images, masks and ``changes.csv``.

    Masks become label images, so grey ones are cut at half their highest value. One that is shifted is moved
    by whole pixels, and both it and the image are cropped to what they share. What is bad otherwise, or still
    bad after that, is left out. But masks that merge beads are kept, and it is said: they tell where beads
    are, if not how many, and a network learns more with them than without (`bench_audited_training.py`).
    Sources are only read.

    Parameters
    ----------
    audited : sequence of Audited
        As `survey` returned them.
    out_dir : Path
        A folder that holds no earlier result.
    reading : ReadOptions
        How image files are read.

    Raises
    ------
    OutputError
        If the folder holds results, two images have one name, or nothing can be written.
    """
    if (out_dir / "changes.csv").exists() or (out_dir / "images").exists():
        raise OutputError(f"{out_dir}: holds images or changes.csv already; choose another folder for --fix")
    names = [_stem(one) for one in audited]
    twice = (
        next((name for name in names if names.count(name) > 1), None)
        if len(set(names)) < len(names)
        else None
    )
    if twice:
        raise OutputError(f"{twice}: several images have this name; audit their folders one at a time")
    changes = tuple(_fixed(one, out_dir, reading) for one in audited)
    write_csv(out_dir / "changes.csv", COLUMNS, (change.cells() for change in changes), rounded=True)
    return changes


def _stem(one: Audited) -> str:
    return "_".join(PurePosixPath(one.sample.name).with_suffix("").parts)


def _fixed(one: Audited, out_dir: Path, reading: ReadOptions) -> Change:
    beyond = [finding for finding in _bad(one.checked) if finding.fault is not Fault.SHIFTED]
    if beyond:
        return Change(one, False, f"left out: {beyond[0].words}")
    pixels = read_pixels(one.sample.image, reading)
    labels = one.sample.load((pixels.shape[0], pixels.shape[1])).labels
    words = []
    if any(finding.fault is Fault.GREY for finding in one.checked.findings):
        words.append("cut at half the highest grey")
    found = one.checked.fit
    shifted = any(finding.fault is Fault.SHIFTED for finding in one.checked.findings)
    dy, dx = round(found.dy), round(found.dx)
    image_path = out_dir / "images" / f"{_stem(one)}{one.sample.image.suffix}"
    if shifted and (dy or dx):
        window = tuple(
            slice(max(0, move), length + min(0, move))
            for move, length in zip((dy, dx), labels.shape, strict=True)
        )
        pixels, labels = pixels[window], moved(labels, found)[window]
        again = _bad(check(pixels, labels))
        if again:
            return Change(one, False, f"left out: moved by ({dy:+d}, {dx:+d}) px, {again[0].words}")
        words.append(f"moved by ({dy:+d}, {dx:+d}) px and cropped to {labels.shape[0]}x{labels.shape[1]} px")
        image_path = image_path.with_suffix(".tif")
        write_tiff(image_path, pixels, software="beadctl audit")
    else:
        with atomic(image_path) as temporary:
            shutil.copyfile(one.sample.image, temporary)
    write_tiff(out_dir / "masks" / f"{_stem(one)}.tif", labels, software="beadctl audit")
    merged = next((finding for finding in one.checked.findings if finding.fault is Fault.MERGED), None)
    aside = f" (though {merged.words})" if merged and merged.verdict is Verdict.BAD else ""
    return Change(one, True, ("; ".join(words) or UNCHANGED) + aside)


def _bad(checked: Checked) -> list[Finding]:
    """Return what makes a mask unfit to learn from."""
    return [
        finding
        for finding in checked.findings
        if finding.verdict is Verdict.BAD and finding.fault is not Fault.MERGED
    ]


def told(changes: Iterable[Change]) -> str:
    """Return what became of the pairs, in words."""
    every = list(changes)
    written = [change for change in every if change.written]
    altered = sum(not change.words.startswith(UNCHANGED) for change in written)
    return f"{len(written)} pairs written, {altered} of them corrected; {len(every) - len(written)} left out"
