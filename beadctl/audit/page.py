"""The doubtful pairs on one HTML page: the image, its mask, and a shifted mask moved to where it fits."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.audit.faults import Fault
from beadctl.audit.fit import shift_labels
from beadctl.audit.run import AuditedSample, read_pixels
from beadctl.audit.table import console_rows, doubtful, summary
from beadctl.errors import BeadctlError
from beadctl.images import ReadOptions
from beadctl.results import html
from beadctl.results.formats.overlays import coloured, paint

# A page with more pictures opens slowly; the table lists all pairs.
MAX_PAIRS = 60
CUTOUT_PX = 256


def write(path: Path, audited: Sequence[AuditedSample], reading: ReadOptions) -> None:
    """Write the page, the worst pairs first; errors are those of `beadctl.results.html.write`."""
    html.write(path, "beadctl audit", _sections(audited, reading))


def _sections(audited: Sequence[AuditedSample], reading: ReadOptions) -> Iterable[str]:
    yield html.lead(summary(audited))
    pairs, columns = doubtful(audited), ("image", "verdict", "worst finding")
    yield html.section("Doubtful pairs", html.table(columns, console_rows(audited)))
    for pair in pairs[:MAX_PAIRS]:
        messages = "; ".join(finding.message for finding in pair.result.findings)
        heading = f"{pair.result.verdict.value}: {pair.sample.name}"
        yield html.section(heading, html.gallery(_pictures(pair, reading)), messages)
    if len(pairs) > MAX_PAIRS:
        yield f"<p>{len(pairs) - MAX_PAIRS} more are in audit.csv.</p>"


def _pictures(pair: AuditedSample, reading: ReadOptions) -> Iterable[html.Picture]:
    try:
        pixels = read_pixels(pair.sample.image, reading)
        yield _picture("image", pixels, np.zeros(pixels.shape, np.uint32))
        labels = pair.sample.load((pixels.shape[0], pixels.shape[1])).labels
    except (BeadctlError, OSError):
        return
    yield _picture("mask", pixels, labels)
    if pair.result.has(Fault.SHIFTED):
        fit = pair.result.fit
        caption = f"mask moved by ({fit.dy:+.1f}, {fit.dx:+.1f}) px"
        yield _picture(caption, pixels, shift_labels(labels, fit))


def _picture(caption: str, pixels: NDArray[Any], labels: NDArray[np.uint32]) -> html.Picture:
    """Return the middle of an image at full resolution with the outlines of its labels."""
    top, left = (max(0, (length - CUTOUT_PX) // 2) for length in labels.shape)
    cutout = slice(top, top + CUTOUT_PX), slice(left, left + CUTOUT_PX)
    content = io.BytesIO()
    coloured(paint(pixels[cutout], labels[cutout])).save(content, format="PNG")
    return html.Picture(caption, content.getvalue())
