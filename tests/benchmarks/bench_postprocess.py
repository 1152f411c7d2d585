"""From maps to measured beads: beadctl against the textbook recipe of scikit-image, on the same maps.

    python tests/benchmarks/bench_postprocess.py [--size 2048] [--pairs 5]

The recipe is that of scikit-image's watershed example: threshold, Euclidean distance transform,
`peak_local_max`, `watershed`, then `regionprops_table` of what both tables have. beadctl also parts by the
marker map, drops artefacts, divides clumps, moves outlines, and estimates the doubt. Also prints the share
that labelling and measuring take of the network's time over the same pixels; goal: 0.2.
"""

import argparse
import statistics
import time

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.measure import regionprops_table
from skimage.segmentation import watershed

from beadctl.images import InMemory
from beadctl.model.session import DEFAULT_MODEL, Maps, Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane
from beadctl.segmentation.prediction import PredictedPlane
from beadctl.simulate import render

PROPERTIES = (
    "label",
    "centroid",
    "area",
    "perimeter",
    "eccentricity",
    "solidity",
    "axis_major_length",
    "axis_minor_length",
    "feret_diameter_max",
    "intensity_mean",
    "intensity_max",
    "intensity_min",
)


def textbook(maps: Maps, image: NDArray[np.float32]) -> int:
    """Return the number of beads that the recipe finds and measures."""
    inside = maps.probability > 127
    distance = ndimage.distance_transform_edt(inside)
    peaks = peak_local_max(distance, footprint=np.ones((5, 5)), labels=ndimage.label(inside)[0])
    markers = np.zeros(inside.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = watershed(-distance, markers, mask=inside)
    return len(regionprops_table(labels, image, properties=PROPERTIES)["label"])


def ours(maps: Maps, image: NDArray[np.float32], options: SegmentOptions) -> int:
    """Return the number of beads that beadctl finds and measures."""
    return len(label_plane(PredictedPlane(maps), image, options).table)


def main() -> None:
    """Print both times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=2048, help="edge of the plane, px")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=5, help="of the simulated scene")
    args = parser.parse_args()
    model = Model(DEFAULT_MODEL, "cpu", 1)
    options = SegmentOptions.of(model.facts)
    edge = min(args.size, 1024)
    scene = render(np.random.default_rng(args.seed), edge).image.astype(np.float32)
    image = np.tile(scene, (args.size // edge,) * 2)
    start = time.perf_counter()
    maps = model.maps(InMemory(image))
    network = time.perf_counter() - start
    rows, beads = [], (0, 0)
    for _ in range(args.pairs):
        start = time.perf_counter()
        found = ours(maps, image, options)
        middle = time.perf_counter()
        other = textbook(maps, image)
        rows.append((middle - start, time.perf_counter() - middle))
        beads = found, other
    mpx = args.size**2 / 1e6
    ratio = statistics.median(one / other for one, other in rows)
    print("| method | beads | s/Mpx | to scikit-image | to the network |\n|---|---|---|---|---|")
    for name, count, taken, relative in zip(
        ("beadctl", "scikit-image"), beads, zip(*rows, strict=True), (ratio, 1.0), strict=True
    ):
        best = min(taken)
        print(f"| {name} | {count} | {best / mpx:.3f} | {relative:.2f} | {best / network:.3f} |")


if __name__ == "__main__":
    main()
