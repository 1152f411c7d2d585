"""Audit of all pairs of a folder: each mask against its image, and the images against one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.canvas import Remark
from beadctl.annotations.formats.binary import GREY
from beadctl.annotations.formats.labels import BY_CLASS, SHARED
from beadctl.annotations.sample import Sample
from beadctl.audit.check import LIMITS, CheckResult, Detector, check
from beadctl.audit.duplicates import ImageFingerprint, find_duplicates, image_fingerprint, likely_owners
from beadctl.audit.edges import edge_map, trace_outlines
from beadctl.audit.faults import Fault, Finding, Verdict
from beadctl.audit.fit import NO_FIT, fit_mask
from beadctl.audit.placement import LIMITS as PLACEMENT_LIMITS
from beadctl.cpus import usable_cpus
from beadctl.errors import BeadctlError, ImageError
from beadctl.images import ReadOptions, only_plane
from beadctl.results.gate import wait_for
from beadctl.results.workers import Workers

Fingerprints = list[ImageFingerprint | None]
Checked = tuple[CheckResult, ImageFingerprint | None]
"""What was found of a pair by itself, and the fingerprint of an image that could be read."""
# Pairs that are checked in parallel: each needs some twenty times the memory of its image.
MAX_THREADS = 4
# Pairs that are queued at a time.
BATCH = 64
# Longest shift between a mask and the image that it may belong to, px.
OWNER_REACH_PX = 24


@dataclass(frozen=True, slots=True)
class AuditedSample:
    """A pair and what was found of it."""

    sample: Sample
    result: CheckResult


def audit(
    samples: Sequence[Sample],
    *,
    reading: ReadOptions = ReadOptions(),
    detector: Detector | None = None,
    on_pair: Callable[[Sample], None] = lambda _: None,
) -> tuple[AuditedSample, ...]:
    """Audit pairs, in their order; about 3 kB a pair are kept to compare images with one another.

    Parameters
    ----------
    samples, reading : sequence of Sample, ReadOptions
        The pairs, and how image files are read.
    detector : callable, optional
        Detects beads in an image; see `beadctl.audit.check.check`.
    on_pair : callable
        Called with each pair that is done.
    """
    return compared(
        samples, check_pairs(samples, reading=reading, detector=detector, on_pair=on_pair), reading
    )


def check_pairs(
    samples: Sequence[Sample],
    *,
    reading: ReadOptions = ReadOptions(),
    detector: Detector | None = None,
    on_pair: Callable[[Sample], None] = lambda _: None,
    workers: Workers | None = None,
) -> list[Checked]:
    """Check each pair by itself.

    Parameters
    ----------
    samples, reading, detector, on_pair
        As for `audit`.
    workers : Workers, optional
        Check them; reading and detector are those of their order.
    """
    if workers:
        return _by_workers(samples, workers, on_pair)
    checked: list[Checked] = []
    pool = ThreadPoolExecutor(min(usable_cpus(), MAX_THREADS))
    check_one = partial(check_pair, reading=reading, detector=detector)
    try:
        for start in range(0, len(samples), BATCH):
            batch = samples[start : start + BATCH]
            for sample, found in zip(batch, pool.map(check_one, batch), strict=True):
                checked.append(found)
                on_pair(sample)
    finally:
        # An interrupted audit does not start the queued pairs.
        pool.shutdown(cancel_futures=True)
    return checked


def _by_workers(
    samples: Sequence[Sample], workers: Workers, on_pair: Callable[[Sample], None]
) -> list[Checked]:
    checked: list[Checked] = []
    futures = [
        workers.submit(
            replace(one, image=one.image.absolute(), truth=one.truth.absolute()),
            str(one.image),
            str(one.truth),
        )
        for one in samples
    ]
    for sample, future in zip(samples, futures, strict=True):
        try:
            checked.append(wait_for(future, check=workers.check))
        except ImageError as error:
            checked.append(unreadable(f"{sample.image}: {error}"))
        on_pair(sample)
    return checked


def check_pair(sample: Sample, reading: ReadOptions, detector: Detector | None) -> Checked:
    """Check a pair by itself; parameters are those of `audit`."""
    try:
        pixels = read_pixels(sample.image, reading)
        truth = sample.load((pixels.shape[0], pixels.shape[1]))
    except (BeadctlError, OSError) as error:
        return unreadable(str(error))
    grey = any(remark.words.startswith(GREY) for remark in truth.remarks)
    # Numbers of 64 bits may be infinite in 32.
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            result = check(pixels, truth.labels, grey=grey, detector=detector)
        except ImageError as error:
            # The network is shown no plane without numbers, or of numbers beyond all measures.
            return unreadable(f"{sample.image}: {str(error).removeprefix(f'{sample.image}: ')}")
        fingerprint = image_fingerprint(pixels, truth.labels)
    doubts = [_doubt(remark) for remark in truth.remarks if remark.doubtful]
    # First, because labels that are not beads explain the other findings.
    result = replace(result, findings=()).plus(*doubts, *result.findings)
    return result, fingerprint


def unreadable(words: str) -> Checked:
    """Return what is told of a pair that could not be checked."""
    finding = Finding(Fault.UNREADABLE, Verdict.BAD, words)
    return CheckResult(0, 0.0, NO_FIT, (finding,), float("nan")), None


def compared(
    samples: Sequence[Sample], checked: Sequence[Checked], reading: ReadOptions
) -> tuple[AuditedSample, ...]:
    """Compare checked pairs with one another: owners of foreign masks, duplicates, images out of focus.

    Parameters
    ----------
    samples, checked : sequence of Sample and of Checked
        The pairs, and what `check_pairs` found of each.
    reading : ReadOptions
        How image files are read.
    """
    results = [result for result, _ in checked]
    fingerprints = [fingerprint for _, fingerprint in checked]
    _name_owners(samples, results, fingerprints, reading)
    _mark_duplicates(samples, results, fingerprints)
    _mark_out_of_focus(results)
    return tuple(map(AuditedSample, samples, results))


def _doubt(remark: Remark) -> Finding:
    if BY_CLASS in remark.words:
        return Finding(Fault.BY_CLASS, Verdict.BAD, str(remark))
    fault = Fault.BY_CLASS if remark.words.startswith(SHARED) else Fault.UNREADABLE
    return Finding(fault, Verdict.CHECK, str(remark))


def read_pixels(path: Path, reading: ReadOptions) -> NDArray[Any]:
    """Read the only plane of an image, shape (H, W).

    Raises
    ------
    ImageError
        If it cannot be read, or has several planes.
    """
    with only_plane(path, reading).open() as opened:
        return opened.read_all()


def _name_owners(
    samples: Sequence[Sample], results: list[CheckResult], fingerprints: Fingerprints, reading: ReadOptions
) -> None:
    """Name the image of the folder that each mask of another image fits, if there is one."""
    foreign = [index for index, result in enumerate(results) if result.has(Fault.OTHER_IMAGE)]
    for index, others in likely_owners(fingerprints, foreign).items():
        result = results[index]
        score, owner = _best_owner(samples[index], [samples[other] for other in others], reading)
        if owner:
            message = f"the mask belongs to {owner} (fit {score:.1f}; here {result.fit.score:.1f})"
            first = Finding(Fault.OTHER_IMAGE, Verdict.BAD, message)
            rest = (finding for finding in result.findings if finding.fault is not Fault.OTHER_IMAGE)
            results[index] = replace(result, findings=(first, *rest))


def _best_owner(mask: Sample, others: Sequence[Sample], reading: ReadOptions) -> tuple[float, str]:
    """Return the best fit score of a mask and the name of its image; no name if it fits none."""
    best, outlines = (PLACEMENT_LIMITS.score, ""), None
    for other in others:
        pixels = read_pixels(other.image, reading)
        outlines = outlines or trace_outlines(mask.load((pixels.shape[0], pixels.shape[1])).labels)
        edges = edge_map(pixels, outlines.diameter_px)
        best = max(best, (fit_mask(outlines, edges, OWNER_REACH_PX).score, other.name))
    return best


def _mark_duplicates(
    samples: Sequence[Sample], results: list[CheckResult], fingerprints: Fingerprints
) -> None:
    """Add findings for images that equal earlier ones; in different splits that is leakage."""
    for later, earlier in find_duplicates(fingerprints).items():
        one, other = samples[later], samples[earlier]
        if one.split == other.split:
            finding = Finding(Fault.DUPLICATE, Verdict.CHECK, f"the image equals {other.name}, or nearly so")
        else:
            message = f"in {one.split}, but its duplicate {other.name} is in {other.split}: the split leaks"
            finding = Finding(Fault.LEAK, Verdict.BAD, message)
        results[later] = results[later].plus(finding)


def _mark_out_of_focus(results: list[CheckResult]) -> None:
    values = np.array([result.sharpness for result in results])
    known = values[np.isfinite(values)]
    if len(known) < LIMITS.focus_images:
        return
    median = float(np.median(known))
    if float(np.quantile(known, 0.25)) < LIMITS.focus_quartile * median:
        return
    for index, result in enumerate(results):
        if result.sharpness < LIMITS.out_of_focus * median:
            message = f"fine detail is {result.sharpness / median:.0%} of the median of all images"
            results[index] = result.plus(Finding(Fault.OUT_OF_FOCUS, Verdict.CHECK, message))
