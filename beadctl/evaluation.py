"""How well a model file does on labelled images: counts summed over the folder, then one ratio."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl import beads
from beadctl.annotations import AnnotationFormat
from beadctl.annotations.canvas import Load, Remark
from beadctl.annotations.pairing import Pair
from beadctl.annotations.reading import read
from beadctl.errors import AnnotationError, BeadctlError, ModelError
from beadctl.images import Normalisation, Plane, open_image
from beadctl.inference import Maps, Model
from beadctl.metrics import (
    CentreCounts,
    CountErrors,
    InstanceCounts,
    PixelCounts,
    centre_counts,
    instance_counts,
    pixel_counts,
)
from beadctl.pipeline import Recipe, label_plane, look
from beadctl.tiles import TileRow

# Centres of beads of a few pixels are not known better than this.
LEAST_TOLERANCE_PX = 3.0

COLUMNS = (
    "image",
    "status",
    "true_count",
    "count",
    "jaccard",
    "dice",
    "precision",
    "recall",
    "f1@0.50",
    "ap@0.50",
    "pq",
    "centre_f1",
    "reason",
)


@dataclass(frozen=True)
class Sample:
    """An image to score, and where its truth is.

    Attributes
    ----------
    name : str
        As the table names it.
    image : Path
        The file.
    truth : Load
        Reads the label image that it is scored against.
    normalisation : Normalisation or None
        That of the whole source image, for a tile cut from it.
    """

    name: str
    image: Path
    truth: Load
    normalisation: Normalisation | None = None


@dataclass(frozen=True)
class Score:
    """Counts of one image, or summed over many; ratios are taken of the sums.

    Attributes
    ----------
    pixels : PixelCounts
        Foreground pixels.
    instances : InstanceCounts
        Beads matched at IoU 0.50 to 0.90.
    centres : CentreCounts
        Beads matched by their centres, within half a typical true diameter: what a truth of painted centres
        can tell, and the others cannot.
    counts : CountErrors
        Numbers of beads.
    """

    pixels: PixelCounts = field(default_factory=lambda: PixelCounts(0, 0, 0, 0))
    instances: InstanceCounts = field(default_factory=InstanceCounts)
    centres: CentreCounts = field(default_factory=CentreCounts)
    counts: CountErrors = field(default_factory=CountErrors)

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.pixels + other.pixels,
            self.instances + other.instances,
            self.centres + other.centres,
            self.counts + other.counts,
        )

    def figures(self) -> dict[str, float | int]:
        """Return every figure by its name."""
        figures: dict[str, float | int] = {
            "images": len(self.counts.true),
            "true_count": sum(self.counts.true),
            "count": sum(self.counts.found),
            "jaccard": self.pixels.jaccard,
            "dice": self.pixels.dice,
            "precision": self.pixels.precision,
            "recall": self.pixels.recall,
        }
        for hundredths in range(50, 91, 10):
            threshold = hundredths / 100
            figures[f"f1@{threshold:.2f}"] = self.instances.f1(threshold)
            figures[f"ap@{threshold:.2f}"] = self.instances.ap(threshold)
        figures |= {
            "mean_ap": self.instances.mean_ap,
            "pq": self.instances.pq(0.5),
            "centre_f1": self.centres.f1,
            "count_mae": self.counts.mae,
            "count_mape": self.counts.mape,
            "count_bias": self.counts.bias,
            "r2": self.counts.r2,
        }
        return figures


@dataclass(frozen=True)
class Scored:
    """One image of an evaluation: its score, or the reason why it has none."""

    sample: Sample
    score: Score | None
    reason: str = ""
    remarks: tuple[Remark, ...] = ()

    def cells(self) -> dict[str, Any]:
        """Return the row of the per-image table."""
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row |= {"image": self.sample.name, "status": "ok" if self.score else "failed", "reason": self.reason}
        if self.score:
            figures = self.score.figures()
            row |= {key: figures[key] for key in COLUMNS if key in figures}
        return row


def samples_of_tiles(rows: Iterable[TileRow], split: str, folder: Path) -> list[Sample]:
    """Return the tiles of one split as samples, each with its source's normalisation.

    Raises
    ------
    AnnotationError
        If the split is empty.
    """
    samples = [
        Sample(
            row.image.name,
            row.image,
            partial(read, row.mask, form=AnnotationFormat.LABELS),
            Normalisation(row.offset, row.scale),
        )
        for row in rows
        if row.split == split
    ]
    if not samples:
        raise AnnotationError(f"{folder}: has no {split} tiles; choose another --split, or tile more images")
    return samples


def samples_of_pairs(pairs: Iterable[Pair]) -> list[Sample]:
    """Return image/mask pairs as samples."""
    return [Sample(str(pair.image.name), pair.image.path, pair.load) for pair in pairs]


def evaluate(samples: Iterable[Sample], model: Model, recipe: Recipe) -> Iterator[Scored]:
    """Segment each image with the model file as `segment` does, and score it against its truth.

    Parameters
    ----------
    samples : iterable of Sample
        Images and truths.
    model : Model
        What ships is what is measured.
    recipe : Recipe
        As for `beadctl.pipeline.run`.

    Yields
    ------
    Scored
        One an image, in order; an image that cannot be scored says why.
    """
    for sample in samples:
        try:
            seen = see(sample, model, recipe)
            found = label_plane(seen.maps, seen.image, recipe, None, seen.shrink).labels
            yield Scored(sample, score(seen.truth, found), remarks=seen.remarks)
        except ModelError:
            raise
        except BeadctlError as error:
            yield Scored(sample, None, str(error))


def score(truth: NDArray[np.uint32], found: NDArray[np.uint32]) -> Score:
    """Score one label image against another of the same shape."""
    true, seen = beads.measure(truth), beads.measure(found)
    within_px = max(LEAST_TOLERANCE_PX, float(np.median(true.diameter_px)) / 2) if len(true) else 0.0
    centres = centre_counts(
        np.column_stack((true.y_px, true.x_px)), np.column_stack((seen.y_px, seen.x_px)), within_px
    )
    instances = instance_counts(truth, found)
    true_count, found_count = (int(np.count_nonzero(np.unique(labels))) for labels in (truth, found))
    counts = CountErrors((true_count,), (found_count,))
    return Score(pixel_counts(truth, found), instances, centres, counts)


def plain(figures: dict[str, float | int]) -> dict[str, float | int | None]:
    """Return figures as JSON knows them: what is undefined (0/0) becomes null."""
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in figures.items()
    }


@dataclass(frozen=True)
class Seen:
    """What the network saw on an image, beside its truth.

    Attributes
    ----------
    image : ndarray, shape (H, W)
        The plane, in its own units.
    truth : ndarray of uint32, shape (H, W)
        Label image.
    maps : Maps
        The network's answer, of the same size.
    shrink : int
        Factor by which the image was shrunk for the network.
    remarks : tuple of Remark
        What to say of the truth.
    """

    image: NDArray[Any]
    truth: NDArray[np.uint32]
    maps: Maps
    shrink: int
    remarks: tuple[Remark, ...] = ()


def see(sample: Sample, model: Model, recipe: Recipe) -> Seen:
    """Run the network over a sample and read its truth.

    Raises
    ------
    ImageError, AnnotationError
        If either cannot be read, or they do not belong together.
    """
    plane = _only_plane(sample, recipe)
    pixel_size_um = plane.pixel_size_um or recipe.pixel_size_um
    with plane.open() as pixels:
        truth = sample.truth((plane.height, plane.width))
        maps, shrink = look(
            pixels, model, recipe, pixel_size_um=pixel_size_um, normalisation=sample.normalisation
        )
        image = pixels.read_all()
    return Seen(image, truth.labels, maps, shrink, truth.remarks)


def _only_plane(sample: Sample, recipe: Recipe) -> Plane:
    image = open_image(sample.image, axes=recipe.axes, channel=recipe.channel, plane=recipe.plane)
    if len(image.planes) != 1:
        raise AnnotationError(
            f"{sample.image}: has {len(image.planes)} planes and one mask; choose one with --plane"
        )
    return image.planes[0]
