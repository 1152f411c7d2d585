"""What ``audit``, ``tile`` and ``train`` share: the pairs to be audited, and a quick look at some."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl import console, pipeline
from beadctl.annotations.pairing import pair
from beadctl.audit.check import Find
from beadctl.audit.faults import Verdict
from beadctl.audit.opinion import Seen
from beadctl.audit.survey import Reading, Subject, of_pairs, of_tiles, survey
from beadctl.commands import running
from beadctl.images import InMemory
from beadctl.settings import Settings
from beadctl.tiles import MANIFEST, read_manifest

# Pairs that the quick check looks at: under a second, and one fault in ten is seldom overlooked.
QUICK = 24
# Confidence from which on a bead is worth holding against a mask; what is counted is surer.
DOUBTFUL = 0.45


def subjects(images: Path, masks: Path | None, settings: Settings, voice: console.Voice) -> list[Subject]:
    """Return the pairs of two folders, or the tiles of one."""
    if masks is None and (images / MANIFEST).exists():
        return of_tiles(read_manifest(images))
    data = settings.data
    pairing = pair(images, masks or images, form=data.annotations, diameter_px=data.centre_diameter)
    pairing.tell(voice.warn)
    return of_pairs(pairing.pairs)


def reading(settings: Settings) -> Reading:
    """Return how image files are read."""
    return Reading(settings.data.axes, settings.data.channel, settings.data.plane)


def finder(settings: Settings, voice: console.Voice) -> Find:
    """Return what finds beads in an image: the model that the settings name, else the one in the package."""
    model = running.open_model(settings, voice)
    counting = running.recipe(settings, model)
    doubting = replace(counting, min_confidence=min(counting.min_confidence, DOUBTFUL))

    def find(pixels: NDArray[Any], doubtful: bool) -> Seen:
        recipe = doubting if doubtful else counting
        maps, shrink = pipeline.look(InMemory(pixels), model, recipe)
        found = pipeline.label_plane(maps, pixels, recipe, None, shrink)
        confidence = np.zeros(int(found.labels.max()) + 1)
        confidence[found.table.label] = found.table.confidence
        return Seen(found.labels, confidence)

    return find


def glance(every: Sequence[Subject], how: Reading, voice: console.Voice, advice: str) -> None:
    """Audit some of the pairs, without a model, and warn where a mask is bad.

    Parameters
    ----------
    every : sequence of Subject
        The pairs; up to 24 of them, spread evenly, are looked at.
    how : Reading
        How image files are read.
    voice : Voice
        Warns.
    advice : str
        The command that audits all of them.
    """
    some = list(every)[:: max(1, -(-len(every) // QUICK))]
    audited = survey(some, reading=how)
    bad = [one for one in audited if one.verdict is Verdict.BAD]
    if bad:
        first = bad[0]
        voice.warn(
            f"{len(bad)} of {len(audited)} masks looked at are bad, such as {first.subject.name}: "
            f"{first.checked.findings[0].words}; see all with: {advice}"
        )


def glance_at_tiles(settings: Settings, voice: console.Voice) -> None:
    """Audit some of the tiles that training is about to read, and warn where a mask is bad."""
    tiles = settings.data.tiles
    glance(of_tiles(read_manifest(tiles)), Reading(), voice, f"beadctl audit {tiles}")
