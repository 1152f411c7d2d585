"""All pairs of a folder: each held against its image, and images against one another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.binary_mask import GREY
from beadctl.annotations.canvas import Remark
from beadctl.annotations.sample import Sample
from beadctl.audit.check import FITS, Checked, Find, check, smoothing_px
from beadctl.audit.duplicates import Album
from beadctl.audit.edges import edges, outlines
from beadctl.audit.faults import Fault, Finding, Verdict
from beadctl.audit.fingerprint import Print, printed
from beadctl.audit.fit import MaskFit, fit
from beadctl.console import Messages
from beadctl.devices import usable_cpus
from beadctl.errors import BeadctlError
from beadctl.images import ReadOptions, only_plane

# An image of this share of the folder's median sharpness is out of focus, if its neighbours are alike.
SOFT = 0.35
# Pairs that are looked at side by side: each is in memory, with some twenty times its size for edges.
MOST_THREADS = 4
# Pairs that are handed out at a time: each that waits costs some memory.
AHEAD = 64


@dataclass(frozen=True, slots=True)
class Audited:
    """A pair and what was found of it."""

    sample: Sample
    checked: Checked

    @property
    def verdict(self) -> Verdict:
        """What to do with the pair."""
        return self.checked.verdict


def audit(
    samples: Sequence[Sample],
    *,
    reading: ReadOptions = ReadOptions(),
    find: Find | None = None,
    on_pair: Callable[[Sample], None] = lambda _: None,
) -> tuple[Audited, ...]:
    """Audit pairs; what images are compared by goes to a temporary file once it is much.

    Parameters
    ----------
    samples : sequence of Sample
        The pairs.
    reading : ReadOptions
        How image files are read.
    find : callable, optional
        Finds beads in an image; see `check`.
    on_pair : callable
        Told of each pair that is done.

    Returns
    -------
    tuple of Audited
        In the order given.
    """
    every: list[Checked] = []

    def look(sample: Sample) -> tuple[Checked, Print | None]:
        try:
            pixels = read_pixels(sample.image, reading)
            truth = sample.load((pixels.shape[0], pixels.shape[1]))
        except (BeadctlError, OSError) as error:
            finding = Finding(Fault.UNREADABLE, Verdict.BAD, 0, str(error))
            return Checked(0, 0.0, MaskFit(0, 0, 0, True, 0, 0), (finding,), float("nan")), None
        checked = check(pixels, truth.labels, grey=is_grey(truth.remarks), find=find)
        doubts = [remark for remark in truth.remarks if remark.doubtful]
        return checked.plus(*map(_doubt, doubts)), printed(pixels, truth.labels)

    pool = ThreadPoolExecutor(min(usable_cpus(), MOST_THREADS))
    with Album() as album:
        try:
            for start in range(0, len(samples), AHEAD):
                part = samples[start : start + AHEAD]
                for number, (checked, small) in enumerate(pool.map(look, part), start):
                    every.append(checked)
                    if small:
                        album.keep(number, small)
                    on_pair(samples[number])
        finally:
            # Whoever stops the audit does not wait for the pairs that nobody has begun.
            pool.shutdown(cancel_futures=True)
        every = _owners(samples, every, album, reading)
        every = _twins(samples, every, album)
    every = _out_of_focus(every)
    return tuple(Audited(sample, checked) for sample, checked in zip(samples, every, strict=True))


def audit_with_progress(
    samples: Sequence[Sample], reading: ReadOptions, find: Find | None, messages: Messages
) -> tuple[Audited, ...]:
    """Run `audit` with a progress bar."""
    with messages.progress(len(samples), "auditing") as progress:
        return audit(
            samples, reading=reading, find=find, on_pair=lambda _: progress.advance(progress.task_ids[0])
        )


def read_pixels(path: Path, reading: ReadOptions) -> NDArray[Any]:
    """Read the only plane of an image, shape (H, W).

    Raises
    ------
    ImageError
        If it cannot be read, or has several planes.
    """
    with only_plane(path, reading).open() as opened:
        return opened.read_all()


def is_grey(remarks: Iterable[Remark]) -> bool:
    """Whether a mask was cut from grey values, as its reader remarked."""
    return any(remark.words.startswith(GREY) for remark in remarks)


def _doubt(remark: Remark) -> Finding:
    words = f"{remark.count} {remark.words}" if remark.count else remark.words
    return Finding(Fault.UNREADABLE, Verdict.CHECK, remark.count, words)


def _owners(
    samples: Sequence[Sample], every: list[Checked], album: Album, reading: ReadOptions
) -> list[Checked]:
    """Say of each mask of another image which image it fits, if one of the folder."""
    strange = {
        number: checked
        for number, checked in enumerate(every)
        if checked.findings and checked.findings[0].fault is Fault.OTHER_IMAGE
    }
    named = list(every)
    for number, others in album.likely_owners(strange).items():
        checked = strange[number]
        fits, owner = _owner(samples[number], [samples[other] for other in others], reading)
        if owner:
            words = f"the mask belongs to {owner} (fit {fits:.1f}; here {checked.fit.standing:.1f})"
            first = Finding(Fault.OTHER_IMAGE, Verdict.BAD, checked.fit.standing, words)
            named[number] = replace(checked, findings=(first, *checked.findings[1:]))
    return named


def _owner(mask: Sample, others: Sequence[Sample], reading: ReadOptions) -> tuple[float, str]:
    """Return how well a mask fits the best of some images, and its name; none if it fits no image."""
    best, outline = (FITS, ""), None
    for other in others:
        pixels = read_pixels(other.image, reading)
        outline = outline or outlines(mask.load((pixels.shape[0], pixels.shape[1])).labels)
        edge = edges(pixels, smoothing_px(outline.diameter_px))
        best = max(best, (fit(outline, edge, reach_px=24).standing, other.name))
    return best


def _twins(samples: Sequence[Sample], every: list[Checked], album: Album) -> list[Checked]:
    """Find images that are the same; over the border of the split that is leakage."""
    marked = list(every)
    for later, earlier in album.twins().items():
        one, other = samples[later], samples[earlier]
        if one.split == other.split:
            finding = Finding(Fault.DUPLICATE, Verdict.CHECK, 1, f"the image equals {other.name}, or nearly")
        else:
            words = f"in {one.split} as is its twin {other.name} in {other.split}: the split leaks"
            finding = Finding(Fault.LEAK, Verdict.BAD, 1, words)
        marked[later] = marked[later].plus(finding)
    return marked


def _out_of_focus(every: list[Checked]) -> list[Checked]:
    values = np.array([checked.sharpness for checked in every])
    known = values[np.isfinite(values)]
    if len(known) < 5:
        return every
    middle = float(np.median(known))
    # Folders of many kinds of images have no usual sharpness.
    if float(np.quantile(known, 0.25)) < 0.7 * middle:
        return every
    return [
        checked.plus(
            Finding(
                Fault.OUT_OF_FOCUS,
                Verdict.CHECK,
                checked.sharpness / middle,
                f"fine detail is {checked.sharpness / middle:.0%} of that of the other images",
            )
        )
        if checked.sharpness < SOFT * middle
        else checked
        for checked in every
    ]
