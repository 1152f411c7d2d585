"""The open sets of real images: their images, and what is true of them.

Of microbeads only separate beads count, in tiles at 640x and sparser whose masks fit, because the masks merge
touching beads.
"""

import csv
import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure

from beadctl.annotations.pairing import pair as pair_samples
from beadctl.images import open_image

Labels = NDArray[Any]
SETS = (
    *("microbeads", "fluorescent", "powder", "nuclei", "dsb2018"),
    *("stem_np", "yeast_pc", "colloid_fluo", "dish_beads", "dirt"),
)


@dataclass(frozen=True)
class Sample:
    """An image, its true centres, true labels where known, and pixels that are not scored."""

    path: Path
    centres: NDArray[np.float64]
    tolerance_px: float
    diameter_px: float
    labels: Labels | None = None
    ignored: NDArray[np.bool_] | None = None


def centres_of(labels: Labels) -> NDArray[np.float64]:
    """Return (N, 2) centroids."""
    return np.array([region.centroid for region in measure.regionprops(labels)]).reshape(-1, 2)


def diameter_of(labels: Labels) -> float:
    """Return the median equivalent diameter, px."""
    return float(np.median([region.equivalent_diameter_area for region in measure.regionprops(labels)]))


def grey(path: Path) -> NDArray[Any]:
    """Read the first plane."""
    with open_image(path).planes[0].open() as pixels:
        return pixels.read_all()


def microbeads(root: Path) -> Iterator[Sample]:
    """Yield the separate beads of the tiles whose masks fit."""
    for name in (root / "fits.txt").read_text(encoding="utf-8").split():
        if int(name.split("x_")[0]) < 640:
            continue
        labels, _ = ndimage.label(grey(root / "masks" / name) > 127)
        areas = np.bincount(labels.ravel())
        areas[0] = 0
        clump = areas > 1.6 * np.median(areas[areas > 0])
        separate = np.where(clump[labels], 0, labels)
        ignored = ndimage.binary_dilation(clump[labels], iterations=3)
        yield Sample(root / "images" / name, centres_of(separate), 4.0, 9.0, ignored=ignored)


def fluorescent(root: Path) -> Iterator[Sample]:
    """Yield images whose truth is centres."""
    for split in ("train", "val"):
        centres = defaultdict(list)
        with (root / f"{split}_centres.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                centres[Path(row["image"]).name].append((float(row["y"]), float(row["x"])))
        for name, points in sorted(centres.items()):
            yield Sample(root / split / name, np.array(points), 4.0, 10.0)


def labelled(images: Path, masks: Path) -> Iterator[Sample]:
    """Yield images whose truth is label images."""
    for pair in pair_samples(images, masks).samples:
        labels = pair.load(grey(pair.image).shape).labels
        if labels.any():
            diameter_px = diameter_of(labels)
            yield Sample(pair.image, centres_of(labels), max(3.0, diameter_px / 2), diameter_px, labels)


def colloid_fluo(root: Path) -> Iterator[Sample]:
    """Yield the image of which a part is annotated: beads with their centre elsewhere are not scored."""
    for sample in labelled(root / "images", root / "masks"):
        valid = root / "valid" / sample.path.name
        ignored = grey(valid) == 0
        outside = ignored[tuple(sample.centres.astype(int).T)]
        yield dataclasses.replace(sample, centres=sample.centres[~outside], labels=None, ignored=ignored)


def dirt(root: Path) -> Iterator[Sample]:
    """Yield the images without any bead: their count error is the number of false beads."""
    for path in sorted((root / "images").iterdir()):
        yield Sample(path, np.zeros((0, 2)), 4.0, 10.0)


def sets(wanted: Sequence[str], data: Path) -> dict[str, list[Sample]]:
    """Return the samples of each set."""
    readers = {
        "microbeads": microbeads,
        "fluorescent": fluorescent,
        "colloid_fluo": colloid_fluo,
        "dirt": dirt,
    }
    return {
        name: list(
            readers[name](data / name)
            if name in readers
            else labelled(data / name / "images", data / name / "masks")
        )
        for name in wanted
    }
