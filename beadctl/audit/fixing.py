"""Corrected copies of audited pairs in a folder of their own, and a record of each change."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from beadctl.annotations.sample import Sample, flat_stem
from beadctl.audit.check import CheckResult, check
from beadctl.audit.faults import Fault, Finding, Verdict
from beadctl.audit.fit import shift_labels
from beadctl.audit.run import AuditedSample
from beadctl.errors import OutputError
from beadctl.files import atomic, write_csv
from beadctl.images import ReadOptions, only_plane
from beadctl.images.pixel_size import stated_beside
from beadctl.images.tiff_write import write_tiff
from beadctl.text import alike
from beadctl.words import number_of

UNCHANGED = "none"
COLUMNS = ("image", "mask", "verdict", "written", "change")


@dataclass(frozen=True)
class Change:
    """Whether a pair is in the new folder, and what was changed or why it was left out."""

    audited: AuditedSample
    written: bool
    message: str


def fix(audited: Sequence[AuditedSample], out_dir: Path, reading: ReadOptions) -> tuple[Change, ...]:
    """Write the pairs that are right or can be corrected: images, masks and ``changes.csv``.

    Masks become label images, grey ones thresholded at half their highest value. A shifted mask is moved by
    whole pixels, and image and mask are cropped to their common part. Pairs that are bad otherwise, or still
    bad after that, are left out. Masks that merge beads are kept with a remark: they are right about pixels,
    and a network learns more with them than without (``bench_audited_training.py``). Images are copied, but
    where a file beside an image states its pixel size, that is written into the image.

    Parameters
    ----------
    audited, reading : sequence of AuditedSample, ReadOptions
        The pairs as `beadctl.audit.run.audit` returned them, and how it read their images.
    out_dir : Path
        A folder that holds no earlier result.

    Raises
    ------
    OutputError
        As for `require_fixable`, or if nothing can be written.
    """
    require_fixable([pair.sample for pair in audited], out_dir)
    changes = tuple(_fix_pair(pair, out_dir, reading) for pair in audited)
    write_csv(out_dir / "changes.csv", COLUMNS, map(_row, changes), rounded=True)
    return changes


def require_fixable(samples: Sequence[Sample], out_dir: Path) -> None:
    """Refuse a folder that holds results, and images whose copies in one folder would have one name.

    Raises
    ------
    OutputError
        Names the folder, or two such images.
    """
    if (out_dir / "changes.csv").exists() or (out_dir / "images").exists():
        raise OutputError(f"{out_dir}: already holds images or changes.csv; choose another folder for --fix")
    taken = dict[str, Path]()
    for sample in samples:
        other = taken.setdefault(alike(flat_stem(sample.name)), sample.image)
        if other != sample.image:
            words = f"would both be {out_dir / 'masks' / flat_stem(sample.name)}.tif"
            raise OutputError(f"{other} and {sample.image} {words}; rename one, or audit them apart")


def _row(change: Change) -> dict[str, object]:
    return {
        "image": change.audited.sample.name,
        "mask": str(change.audited.sample.truth),
        "verdict": change.audited.result.verdict.value,
        "written": "yes" if change.written else "no",
        "change": change.message,
    }


def _fix_pair(pair: AuditedSample, out_dir: Path, reading: ReadOptions) -> Change:
    unusable = [finding for finding in _unusable(pair.result) if finding.fault is not Fault.SHIFTED]
    if unusable:
        return Change(pair, False, f"left out: {unusable[0].message}")
    plane = only_plane(pair.sample.image, reading)
    with plane.open() as opened:
        pixels = opened.read_all()
    labels, fit = pair.sample.load((pixels.shape[0], pixels.shape[1])).labels, pair.result.fit
    done = ["thresholded at half the highest grey value"] if pair.result.has(Fault.GREY) else []
    dy, dx = round(fit.dy), round(fit.dx)
    stem = flat_stem(pair.sample.name)
    image_path = out_dir / "images" / f"{stem}{pair.sample.image.suffix}"
    is_moved = pair.result.has(Fault.SHIFTED) and bool(dy or dx)
    # A copy has another name, and lies elsewhere.
    is_sized_beside = plane.pixel_size_um is not None and bool(stated_beside(pair.sample.image))
    if is_moved:
        height, width = labels.shape
        window = slice(max(0, dy), height + min(0, dy)), slice(max(0, dx), width + min(0, dx))
        pixels, labels = pixels[window], shift_labels(labels, fit)[window]
        moved = f"moved by ({dy:+d}, {dx:+d}) px"
        unusable = _unusable(check(pixels, labels))
        if unusable:
            return Change(pair, False, f"left out: {moved}, {unusable[0].message}")
        done.append(f"{moved} and cropped to {labels.shape[0]}x{labels.shape[1]} px")
    if is_sized_beside:
        done.append("pixel size, of the file beside it, written into the image")
    if is_moved or is_sized_beside:
        image_path = image_path.with_suffix(".tif")
        write_tiff(image_path, pixels, software="beadctl audit", pixel_size_um=plane.pixel_size_um)
    else:
        with atomic(image_path) as temporary:
            shutil.copyfile(pair.sample.image, temporary)
    write_tiff(out_dir / "masks" / f"{stem}.tif", labels, software="beadctl audit")
    merged = [finding for finding in _bad(pair.result) if finding.fault is Fault.MERGED]
    remark = f" (but {merged[0].message})" if merged else ""
    return Change(pair, True, ("; ".join(done) or UNCHANGED) + remark)


def _unusable(result: CheckResult) -> list[Finding]:
    """Return the findings that make a mask unfit for training."""
    return [finding for finding in _bad(result) if finding.fault is not Fault.MERGED]


def _bad(result: CheckResult) -> list[Finding]:
    return [finding for finding in result.findings if finding.verdict is Verdict.BAD]


def summary(changes: Sequence[Change]) -> str:
    """Return how many pairs were written, corrected and left out, as a sentence."""
    written = [change for change in changes if change.written]
    corrected = sum(not change.message.startswith(UNCHANGED) for change in written)
    left_out = len(changes) - len(written)
    return f"{number_of(len(written), 'pair')} written, {corrected} of them corrected; {left_out} left out"
