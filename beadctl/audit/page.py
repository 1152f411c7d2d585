"""The doubtful pairs on one HTML page: image, mask as it is, mask as it would fit."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.audit.faults import Fault
from beadctl.audit.fit import moved
from beadctl.audit.run import Audited, read_pixels
from beadctl.audit.table import counted, doubtful, shown
from beadctl.errors import BeadctlError
from beadctl.images import ReadOptions
from beadctl.results import html
from beadctl.results.formats.overlays import coloured, paint

# A page with more pictures is slow to open; the table lists all.
MOST_PICTURES = 60
LARGEST_PX = 256


def write(path: Path, audited: Sequence[Audited], reading: ReadOptions) -> None:
    """Write the page, the worst pairs first.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    html.write(path, "beadctl audit", _sections(audited, reading))


def _sections(audited: Sequence[Audited], reading: ReadOptions) -> Iterable[str]:
    yield html.lead(counted(audited))
    worst = doubtful(audited)
    yield html.section("Doubtful pairs", html.table(("image", "verdict", "worst finding"), shown(audited)))
    for one in worst[:MOST_PICTURES]:
        words = "; ".join(finding.words for finding in one.checked.findings)
        yield html.section(
            f"{one.verdict.value}: {one.sample.name}", html.gallery(_pictures(one, reading)), words
        )
    if len(worst) > MOST_PICTURES:
        yield f"<p>{len(worst) - MOST_PICTURES} more are in audit.csv.</p>"


def _pictures(one: Audited, reading: ReadOptions) -> Iterable[html.Picture]:
    try:
        pixels = read_pixels(one.sample.image, reading)
    except (BeadctlError, OSError):
        return
    yield _picture("image", pixels, np.zeros(pixels.shape, np.uint32))
    try:
        labels = one.sample.load((pixels.shape[0], pixels.shape[1])).labels
    except (BeadctlError, OSError):
        return
    yield _picture("mask as it is", pixels, labels)
    if any(finding.fault is Fault.SHIFTED for finding in one.checked.findings):
        found = one.checked.fit
        yield _picture(f"mask moved by ({found.dy:+.1f}, {found.dx:+.1f}) px", pixels, moved(labels, found))


def _picture(caption: str, pixels: NDArray[Any], labels: NDArray[np.uint32]) -> html.Picture:
    # The middle in full detail says more than all of a large image, thinned.
    parts = []
    for array in (pixels, labels):
        top, left = (max(0, (length - LARGEST_PX) // 2) for length in array.shape)
        parts.append(array[top : top + LARGEST_PX, left : left + LARGEST_PX])
    content = io.BytesIO()
    coloured(paint(parts[0], np.asarray(parts[1], np.uint32))).save(content, format="PNG")
    return html.Picture(caption, content.getvalue())
