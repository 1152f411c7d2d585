"""Whether counts follow the dilution of real microbeads: beadctl, a tuned Laplacian of Gaussian, the masks.

    BEADCTL_DATA=DIR python tests/benchmarks/bench_dilution.py [--method NAME ...] [--model FILE] [--tune]

The tiles of `microbeads` with a dilution in their name are fields of one series, whose fits are those of
``beadctl count --dilution-series``. The masks are counted as connected objects; they merge touching beads.
The blobs of scikit-image have the size of these beads (9 px) and the threshold of the highest centre F1 that
--tune prints, on the separate beads of the tiles at 640x and sparser whose masks fit.
"""

import argparse
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bench_peers import Beadctl, bright, painted
from numpy.typing import NDArray
from real_sets import grey, microbeads
from scipy import ndimage
from scores import Scores
from skimage import feature

from beadctl.counting.dilution import DilutedField, DilutionSeries, dilution_series
from beadctl.model.session import DEFAULT_MODEL

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
TUNED = 0.15
SIGMAS_PX = (2.2, 4.5)
HEADS = ("method", "slope", "R2", "R2 of logs", "linear range", "index")


def blobs(image: NDArray[Any], threshold: float = TUNED) -> NDArray[np.float64]:
    """Return (N, 3) centres and scales of the blobs of a dark or bright image."""
    values = bright(image)
    low, high = np.percentile(values, (1, 99.9))
    unit = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    low_px, high_px = SIGMAS_PX
    found = feature.blob_log(
        unit, min_sigma=low_px, max_sigma=high_px, num_sigma=5, threshold=threshold, exclude_border=False
    )
    return np.asarray(found, float)


def tune(root: Path) -> None:
    """Print the centre F1 of the blobs for each threshold."""
    samples = list(microbeads(root))
    images = [grey(one.path) for one in samples]
    for threshold in THRESHOLDS:
        found = [blobs(image, threshold) for image in images]
        labels = [
            painted(one[:, :2], one[:, 2] * np.sqrt(2), image.shape)
            for one, image in zip(found, images, strict=True)
        ]
        scores = Scores.of(zip(samples, labels, strict=True))
        print(f"threshold {threshold}: centre F1 {scores.centre_f1:.3f}, count MAPE {scores.count_mape:.3f}")


def masked(root: Path, name: str) -> int:
    """Count the connected objects of a tile's mask."""
    return int(ndimage.label(grey(root / "masks" / name) > 127)[1])


def found_by(root: Path, beadctl: Beadctl) -> dict[str, Callable[[str], int]]:
    """Return the methods: each counts the beads of a tile."""
    return {
        "beadctl": lambda name: int(beadctl(grey(root / "images" / name), 9.0).max()),
        "LoG": lambda name: len(blobs(grey(root / "images" / name))),
        "masks": partial(masked, root),
    }


def line(method: str, series: DilutionSeries) -> str:
    """Return a method's line of the table."""
    ends, first_last = series.slope_interval, series.linear_range
    linear = "none" if first_last is None else f"{first_last[0]:g}x to {first_last[1]:g}x"
    figures = f"{series.r2:.3f} | {series.r2_log:.3f} | {linear} | {series.proportionality_index:.2f}"
    return f"| {method} | {series.slope:.2f} ({ends.low:.2f} to {ends.high:.2f}) | {figures} |"


def main() -> None:
    """Print the fits of each method, and the mean and residual of each level."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--method", nargs="*", default=["beadctl", "LoG", "masks"], dest="methods")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--tune", action="store_true")
    args = parser.parse_args()
    if "BEADCTL_DATA" not in os.environ:
        raise SystemExit("name the folder of real images in BEADCTL_DATA")
    root = Path(os.environ["BEADCTL_DATA"]) / "microbeads"
    if args.tune:
        tune(root)
        return
    tiles = {
        path.name: float(match[1])
        for path in sorted((root / "images").iterdir())
        if (match := re.match(r"(\d+)x_", path.name))
    }
    methods = found_by(root, Beadctl(args.model))
    print(f"{len(tiles)} tiles\n\n| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}")
    series = {}
    for method in args.methods:
        counts = {name: methods[method](name) for name in tiles}
        series[method] = dilution_series([DilutedField(tiles[name], counts[name]) for name in tiles])
        print(line(method, series[method]), flush=True)
    levels = [f"{level.dilution:g}x" for level in next(iter(series.values())).levels]
    print(f"\n| mean (residual) | {' | '.join(levels)} |\n|---|{'---|' * len(levels)}")
    for method, one in series.items():
        cells = (f"{level.mean:.1f} ({level.residual:+.0%})" for level in one.levels)
        print(f"| {method} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
