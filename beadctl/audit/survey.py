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
from beadctl.annotations.canvas import Load, Remark
from beadctl.annotations.pairing import Pair
from beadctl.audit.album import Album
from beadctl.audit.check import FITS, Checked, Find, check, smoothing_px
from beadctl.audit.edges import edges, outlines
from beadctl.audit.faults import Fault, Finding, Verdict
from beadctl.audit.fingerprint import Print, printed
from beadctl.audit.fit import Fit, fit
from beadctl.devices import usable_cpus
from beadctl.errors import AnnotationError, BeadctlError
from beadctl.images import open_image
from beadctl.tiles import TileRow

# An image of this share of the folder's median sharpness is out of focus, if its neighbours are alike.
SOFT = 0.35
# Pairs that are looked at side by side: each is in memory, with some twenty times its size for edges.
MOST_THREADS = 4
# Pairs that are handed out at a time: each that waits costs some memory.
AHEAD = 64


@dataclass(frozen=True, slots=True)
class Subject:
    """A pair to be audited.

    Attributes
    ----------
    name : str
        Of the image.
    image, mask : Path
        The files.
    load : Load
        Reads the mask as a label image.
    split : str
        Side of the split, of a tile; empty otherwise.
    source : str
        What the image was cut from, of a tile; else its own name.
    """

    name: str
    image: Path
    mask: Path
    load: Load
    split: str = ""
    source: str = ""


@dataclass(frozen=True)
class Reading:
    """How image files are read; see `beadctl.images.open_image`."""

    axes: str | None = None
    channel: int | None = None
    plane: int | None = None

    def pixels(self, path: Path) -> NDArray[Any]:
        """Read the only plane of an image, shape (H, W).

        Raises
        ------
        ImageError, AnnotationError
            If it cannot be read, or has several planes.
        """
        image = open_image(path, axes=self.axes, channel=self.channel, plane=self.plane)
        if len(image.planes) != 1:
            raise AnnotationError(
                f"{path}: has {len(image.planes)} planes and one mask; choose one with --plane"
            )
        with image.planes[0].open() as opened:
            return opened.read_all()


@dataclass(frozen=True, slots=True)
class Audited:
    """A pair and what was found of it."""

    subject: Subject
    checked: Checked

    @property
    def verdict(self) -> Verdict:
        """What to do with the pair."""
        return self.checked.verdict


def of_pairs(pairs: Iterable[Pair]) -> list[Subject]:
    """Return the pairs of two folders as subjects."""
    return [
        Subject(str(item.image.name), item.image.path, item.truth, item.load, source=str(item.image.name))
        for item in pairs
    ]


def of_tiles(rows: Iterable[TileRow]) -> list[Subject]:
    """Return the tiles of a manifest as subjects."""
    from functools import partial

    from beadctl.annotations import AnnotationFormat
    from beadctl.annotations.reading import read

    return [
        Subject(
            row.image.name,
            row.image,
            row.mask,
            partial(read, row.mask, form=AnnotationFormat.LABELS),
            row.split,
            row.source,
        )
        for row in rows
    ]


def survey(
    subjects: Sequence[Subject],
    *,
    reading: Reading = Reading(),
    find: Find | None = None,
    on_pair: Callable[[Subject], None] = lambda _: None,
) -> tuple[Audited, ...]:
    """Audit pairs; what images are compared by goes to a temporary file once it is much.

    Parameters
    ----------
    subjects : sequence of Subject
        The pairs.
    reading : Reading
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

    def look(subject: Subject) -> tuple[Checked, Print | None]:
        try:
            pixels = reading.pixels(subject.image)
            truth = subject.load((pixels.shape[0], pixels.shape[1]))
        except (BeadctlError, OSError) as error:
            finding = Finding(Fault.UNREADABLE, Verdict.BAD, 0, str(error))
            return Checked(0, 0.0, Fit(0, 0, 0, True, 0, 0), (finding,), float("nan")), None
        checked = check(pixels, truth.labels, grey=is_grey(truth.remarks), find=find)
        doubts = [remark for remark in truth.remarks if remark.doubtful]
        return checked.plus(*map(_doubt, doubts)), printed(pixels, truth.labels)

    pool = ThreadPoolExecutor(min(usable_cpus(), MOST_THREADS))
    with Album() as album:
        try:
            for start in range(0, len(subjects), AHEAD):
                part = subjects[start : start + AHEAD]
                for number, (checked, small) in enumerate(pool.map(look, part), start):
                    every.append(checked)
                    if small:
                        album.keep(number, small)
                    on_pair(subjects[number])
        finally:
            # Whoever stops the audit does not wait for the pairs that nobody has begun.
            pool.shutdown(cancel_futures=True)
        every = _owners(subjects, every, album, reading)
        every = _twins(subjects, every, album)
    every = _out_of_focus(every)
    return tuple(Audited(subject, checked) for subject, checked in zip(subjects, every, strict=True))


def is_grey(remarks: Iterable[Remark]) -> bool:
    """Whether a mask was cut from grey values, as its reader remarked."""
    return any(remark.words.startswith(GREY) for remark in remarks)


def _doubt(remark: Remark) -> Finding:
    words = f"{remark.count} {remark.words}" if remark.count else remark.words
    return Finding(Fault.UNREADABLE, Verdict.CHECK, remark.count, words)


def _owners(
    subjects: Sequence[Subject], every: list[Checked], album: Album, reading: Reading
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
        fits, owner = _owner(subjects[number], [subjects[other] for other in others], reading)
        if owner:
            words = f"the mask belongs to {owner} (fit {fits:.1f}; here {checked.fit.standing:.1f})"
            first = Finding(Fault.OTHER_IMAGE, Verdict.BAD, checked.fit.standing, words)
            named[number] = replace(checked, findings=(first, *checked.findings[1:]))
    return named


def _owner(mask: Subject, others: Sequence[Subject], reading: Reading) -> tuple[float, str]:
    """Return how well a mask fits the best of some images, and its name; none if it fits no image."""
    best, outline = (FITS, ""), None
    for other in others:
        pixels = reading.pixels(other.image)
        outline = outline or outlines(mask.load((pixels.shape[0], pixels.shape[1])).labels)
        edge = edges(pixels, smoothing_px(outline.diameter_px))
        best = max(best, (fit(outline, edge, reach_px=24).standing, other.name))
    return best


def _twins(subjects: Sequence[Subject], every: list[Checked], album: Album) -> list[Checked]:
    """Find images that are the same; over the border of the split that is leakage."""
    marked = list(every)
    for later, earlier in album.twins().items():
        one, other = subjects[later], subjects[earlier]
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
