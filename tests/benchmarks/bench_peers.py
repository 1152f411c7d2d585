"""beadctl and other bead counters on the same real images, scored by the same rules.

    BEADCTL_DATA=DIR python tests/benchmarks/bench_peers.py [--set NAME ...] [--method NAME ...] [--repeats 3]
    python tests/benchmarks/bench_peers.py --images DIR --masks DIR     own images with label images

Each method has one setting for all images. LoG, trackpy and Hough need a size: they are given the true median
diameter of each set, which a user would have to measure. They also need bright beads: an image whose dark
tail of grey levels is the longer one is inverted. Nothing else was tuned for them. Peers that are not
installed are named and left out (the extra `peers` has them).

Rules: those of `scores.py` and `real_sets.py`. Time is process CPU time of one thread relative to
beadctl's, the median of alternating runs.
"""

import argparse
import importlib.util
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from real_sets import SETS, Labels, Sample, grey, labelled, sets
from scipy import ndimage, stats
from scipy.spatial import KDTree
from scores import Scores
from skimage import feature, filters, measure, morphology, segmentation

from beadctl.images import InMemory
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import segment_plane


def bright(image: NDArray[Any]) -> NDArray[np.float32]:
    """Return the image as float, inverted if its dark tail is the longer one."""
    values = image.astype(np.float32)
    low, middle, high = np.percentile(values, (0.1, 50, 99.9))
    return -values if middle - low > high - middle else values


def foreground(image: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return Otsu's foreground, on the side to which the grey levels are skewed, without objects under 12 px.

    A Gaussian of 50 px is subtracted first, because no single threshold suits an uneven background.
    """
    smooth = ndimage.gaussian_filter(image.astype(np.float32), 1.0)
    flat = smooth - ndimage.gaussian_filter(smooth, 50.0)
    flat = -flat if stats.skew(flat.ravel()) < 0 else flat
    mask = morphology.remove_small_objects(flat > filters.threshold_otsu(flat), max_size=11)
    return ndimage.binary_fill_holes(mask), flat


def watershed(height: NDArray[Any], mask: NDArray[np.bool_]) -> Labels:
    """Divide a mask by a watershed from the maxima of a height that are 3 px apart or more."""
    peaks = feature.peak_local_max(height, min_distance=3, labels=measure.label(mask), exclude_border=False)
    markers = np.zeros(mask.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return np.asarray(segmentation.watershed(-height, markers, mask=mask))


def by_distance(image: NDArray[Any], _diameter_px: float) -> Labels:
    """Otsu's threshold, divided by the distance to the edge."""
    mask, _ = foreground(image)
    return watershed(ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1.0), mask)


def by_grey(image: NDArray[Any], _diameter_px: float) -> Labels:
    """Otsu's threshold, divided by the grey levels, as ImageJ's segmented maxima are."""
    mask, flat = foreground(image)
    return watershed(flat, mask)


def painted(places: NDArray[Any], radii_px: Any, shape: tuple[int, ...]) -> Labels:
    """Paint (N, 2) places as discs; a pixel of several belongs to the nearest."""
    labels = np.zeros(shape, np.int32)
    if not len(places):
        return labels
    distance, nearest = KDTree(places).query(np.indices(shape).reshape(2, -1).T)
    inside = distance <= np.broadcast_to(radii_px, len(places))[nearest]
    labels.ravel()[inside] = nearest[inside] + 1
    return labels


def log(image: NDArray[Any], diameter_px: float) -> Labels:
    """Blobs of the Laplacian of Gaussian at the scales around the given diameter."""
    values = bright(image)
    low, high = np.percentile(values, (1, 99.9))
    unit = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    sigma = diameter_px / 2 / np.sqrt(2)
    blobs = feature.blob_log(
        unit, min_sigma=0.7 * sigma, max_sigma=1.4 * sigma, num_sigma=5, threshold=0.1, exclude_border=False
    )
    return painted(blobs[:, :2], blobs[:, 2] * np.sqrt(2), image.shape)


def trackpy(image: NDArray[Any], diameter_px: float) -> Labels:
    """Crocker and Grier's features, as trackpy finds them with nothing but a diameter."""
    import trackpy as tp

    odd = 2 * round(diameter_px / 2) + 1
    values = bright(image)
    found = tp.locate(values - values.min(), odd)
    return painted(found[["y", "x"]].to_numpy(), diameter_px / 2, image.shape)


def hough(image: NDArray[Any], diameter_px: float) -> Labels:
    """OpenCV's circles of 0.5 to 1.5 times the given diameter."""
    import cv2

    values = bright(image)
    low, high = np.percentile(values, (0.1, 99.9))
    unit = (np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)
    circles = cv2.HoughCircles(
        cv2.medianBlur(unit, 3),
        cv2.HOUGH_GRADIENT_ALT,
        1.5,
        minDist=max(2.0, 0.7 * diameter_px),
        param1=100,
        param2=0.6,
        minRadius=max(1, int(0.25 * diameter_px)),
        maxRadius=int(0.75 * diameter_px) + 1,
    )
    if circles is None:
        return np.zeros(image.shape, np.int32)
    found = circles.reshape(-1, circles.shape[-1])
    return painted(found[:, 1::-1], found[:, 2], image.shape)


class Beadctl:
    """A model, by default the one in the package, as `segment` runs it."""

    def __init__(self, path: Path = DEFAULT_MODEL) -> None:
        self.model = Model(path, "cpu", 1)
        self.options = SegmentOptions.of(self.model.facts)

    def __call__(self, image: NDArray[Any], _diameter_px: float) -> Labels:
        """Find the beads of a plane."""
        return segment_plane(InMemory(image), self.model, self.options).labels


Method = Callable[[NDArray[Any], float], Labels]
PEERS: dict[str, tuple[Method, str, bool]] = {
    "Otsu + distance watershed": (by_distance, "skimage", False),
    "Otsu + grey-level watershed": (by_grey, "skimage", False),
    "LoG (scikit-image)": (log, "skimage", True),
    "trackpy": (trackpy, "trackpy", True),
    "Hough (OpenCV)": (hough, "cv2", True),
}


def run(method: Method, samples: Sequence[Sample]) -> tuple[Scores, float]:
    """Run a method over a set; return its scores and seconds."""
    seconds, found = 0.0, []
    diameter_px = float(np.median([sample.diameter_px for sample in samples]))
    for sample in samples:
        image = grey(sample.path)
        began = time.process_time()
        found.append(method(image, diameter_px))
        seconds += time.process_time() - began
    return Scores.of(zip(samples, found, strict=True)), seconds


def main() -> None:
    """Print one table a set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", nargs="*", default=SETS, dest="sets", choices=SETS)
    parser.add_argument("--method", nargs="*", dest="methods", help="of the peers; none: beadctl alone")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--masks", type=Path)
    args = parser.parse_args()
    if args.images and args.masks:
        samples = {args.images.name: list(labelled(args.images, args.masks))}
    elif "BEADCTL_DATA" in os.environ:
        samples = sets(args.sets, Path(os.environ["BEADCTL_DATA"]))
    else:
        raise SystemExit("name the folder of real images in BEADCTL_DATA, or give --images and --masks")
    beadctl = Beadctl()
    peers = {name: peer for name, peer in PEERS.items() if args.methods is None or name in args.methods}
    for name, peer in peers.items():
        if importlib.util.find_spec(peer[1]) is None:
            print(f"{name}: not installed")
    peers = {name: peer for name, peer in peers.items() if importlib.util.find_spec(peer[1])}
    print("| set | method | centre F1 | IoU50 F1 | count MAPE | time |\n|---|---|---|---|---|---|")
    for name, chosen in samples.items():
        ours = [run(beadctl, chosen)]
        rows = [("beadctl", ours[0][0], 1.0)]
        for label, (method, _, given) in peers.items():
            ratios = []
            for _ in range(args.repeats):
                scores, seconds = run(method, chosen)
                ours.append(run(beadctl, chosen))
                ratios.append(seconds / ours[-1][1])
            title = f"{label}, given the diameter" if given else label
            rows.append((title, scores, statistics.median(ratios)))
        for label, scores, ratio in rows:
            print(f"| {' | '.join((name, label, *scores.cells(), f'{ratio:.2f}'))} |", flush=True)


if __name__ == "__main__":
    main()
