"""Compare each claim of the earlier study with the runs, and write claims.md beside this file.

Usage: python claims.py RUNS [FILE]   (RUNS: the folder that study.sh wrote)
"""

import csv
import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import fmean, median

import numpy as np
import tifffile

from beadctl.dataset.manifest import read_manifest
from beadctl.study.outcome import Outcome, read
from beadctl.study.statistics import differences

SETS = ("fits-512", "fits-256", "found-512", "found-256")


def outcomes(folder: Path) -> list[Outcome]:
    """Return every outcome of a comparison."""
    return [read(path) for path in sorted(folder.glob("*/result.json"))]


def table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def mean(values: Iterable[float]) -> float:
    """Return the mean of the values that are numbers."""
    return fmean([value for value in values if not math.isnan(value)] or [math.nan])


def gradients(folder: Path, loss: str, of: str | None = None) -> list[dict[str, float]]:
    """Return the gradient records of a loss, in the runs that were trained with `of`, by default itself."""
    found = []
    for path in sorted(folder.glob(f"{of or loss}-fixed-*/gradients.csv")):
        found += [
            {name: float(value) for name, value in row.items() if name != "loss"}
            for row in table(path)
            if row["loss"] == loss
        ]
    return found


def pull(row: dict[str, float]) -> float:
    """Return the gradient of a boundary pixel as a multiple of that of a background pixel."""
    if not row["pixels_boundary"] or not row["share_background"]:
        return math.nan
    boundary = row["share_boundary"] / row["pixels_boundary"]
    return boundary / (row["share_background"] / row["pixels_background"])


def foreground(tiles: Path) -> float:
    """Return the share of bead pixels in the training tiles."""
    masks = [tifffile.imread(row.mask) > 0 for row in read_manifest(tiles) if row.split == "train"]
    return float(np.mean([mask.mean() for mask in masks]))


def jaccard(runs: list[Outcome], loss: str) -> list[float]:
    """Return the Jaccard of every run of a loss."""
    return [run.jaccard for run in runs if run.arm.loss == loss]


def spread(values: list[float]) -> str:
    """Return mean and range in words."""
    return f"{fmean(values):.3f} ({min(values):.3f} to {max(values):.3f}, n = {len(values)})"


def lines(root: Path) -> Iterable[tuple[str, str, str]]:
    """Yield claim, measurement and verdict."""
    main = root / "fits-512"
    all_runs = {name: outcomes(root / name) for name in SETS}

    pairs = {
        name: {frozenset((pair.first, pair.second)): pair for pair in differences(runs)}
        for name, runs in all_runs.items()
    }
    for other in ("dice", "focal"):
        leads, shown = [], []
        for name in SETS:
            pair = pairs[name][frozenset(("combined", other))]
            shown.append(pair.shown and pair.first == "combined")
            ahead = f"{name}: {pair.first} ahead by {abs(pair.mean):.3f}"
            leads.append(f"{ahead}, corrected p {pair.p_corrected:.2f}")
        yield (
            f"0.7 Dice + 0.3 focal beats {other} alone",
            "; ".join(leads),
            "holds" if all(shown) else "holds in part" if any(shown) else "not shown",
        )

    for kind in ("fits", "found"):
        small, large = (jaccard(all_runs[f"{kind}-{size}"], "dice") for size in (256, 512))
        drop = 1 - fmean(large) / fmean(small)
        yield (
            f"Dice collapses from 256 to 512 px (-67 %), labels: {kind}",
            f"256: {spread(small)}; 512: {spread(large)}; change {-drop:+.0%}",
            "holds" if drop > 0.5 else "in part" if drop > 0.2 else "does not hold",
        )
    focal = jaccard(all_runs["fits-512"], "focal")
    combined = jaccard(all_runs["fits-512"], "combined")
    yield (
        "focal is the stable one (sd 0.0018), combined varies (sd 0.0315)",
        f"fits-512: sd of focal {np.std(focal, ddof=1):.3f}, of combined {np.std(combined, ddof=1):.3f}",
        "holds" if np.std(focal) < np.std(combined) else "does not hold: the reverse",
    )

    for loss in ("dice", "bce"):
        share = mean(row["share_boundary"] for row in gradients(main, loss))
        pixels = mean(row["pixels_boundary"] for row in gradients(main, loss))
        yield (
            f"without focal, boundary pixels have under 0.001 % of the gradient: {loss}",
            f"{share:.1%} of the gradient on {pixels:.1%} of the pixels",
            "holds" if share < 1e-5 else "does not hold",
        )
    ratios = {
        loss: median(
            ratio for row in gradients(main, loss, of="combined") if not math.isnan(ratio := pull(row))
        )
        for loss in ("bce", "focal")
    }
    gain = ratios["focal"] / ratios["bce"]
    yield (
        "focal amplifies boundary pixels 100 to 1000 times",
        f"a boundary pixel pulls {ratios['bce']:.0f} times as hard as a background pixel under "
        f"cross-entropy and {ratios['focal']:.0f} times under focal, medians over the same batches: "
        f"{gain:.0f} times more",
        "holds" if gain >= 100 else "does not hold",
    )
    for confidence, claimed in ((90, 0.99), (70, 0.91), (50, 0.75), (30, 0.51)):
        weight = mean(
            row[f"bead_0{confidence}"]
            for loss in ("focal", "combined")
            for row in gradients(main, "focal", of=loss)
        )
        less = 1 - weight / 0.25
        yield (
            f"focal weighs bead pixels of confidence {confidence / 100:g} down by {claimed:.0%}",
            f"their gradient is {abs(less):.0%} smaller than under cross-entropy (alpha set aside)",
            "holds"
            if abs(less - claimed) < 0.02
            else "does not hold: that is the factor of the loss, not of its gradient",
        )

    share = {size: foreground(root.parent / f"fits-{size}-tiles") for size in (256, 512)}
    odds = {size: 1 / value - 1 for size, value in share.items()}
    yield (
        "imbalance 1 : 3.3 at 256 px, 1 : 7.2 at 512 px",
        f"1 : {odds[256]:.1f} at 256 px, 1 : {odds[512]:.1f} at 512 px, in tiles cut from the same images",
        "does not hold" if abs(odds[512] / odds[256] - 1) < 0.2 else "holds in part",
    )

    rows = {loss: gradients(main, loss, of="combined") for loss in ("dice", "focal")}
    last = int(max(row["epoch"] for row in rows["dice"]))
    parts = []
    for low, high in ((1, last // 3), (last // 3 + 1, 2 * last // 3), (2 * last // 3 + 1, last)):
        here: Callable[[str], float] = lambda loss, low=low, high=high: mean(  # noqa: E731
            row["gradient_sum"] for row in rows[loss] if low <= row["epoch"] <= high
        )
        parts.append(0.3 * here("focal") / (0.7 * here("dice") + 0.3 * here("focal")))
    yield (
        "three stages: focal dominates early, both in the middle, Dice late",
        "focal's share of the combined gradient in the three thirds of training: "
        + ", ".join(f"{part:.0%}" for part in parts),
        "holds" if parts[0] > 0.5 > parts[2] else "does not hold",
    )

    falls = []
    for path in sorted(main.glob("combined-fixed-*/history.csv")):
        scores = [float(row["val_jaccard"]) for row in table(path)]
        falls.append(max(scores) - scores[-1])
    yield (
        "the combined loss overfits late (0.164 to 0.140)",
        f"best less last validation Jaccard, fits-512: {', '.join(f'{fall:.3f}' for fall in falls)}",
        "does not hold" if max(falls) < 0.02 else "holds in part",
    )
    for size in (256, 512):
        fits, found = (fmean(jaccard(all_runs[f"{kind}-{size}"], "combined")) for kind in ("fits", "found"))
        yield (
            f"(not in the study) bad labels cost Jaccard, {size} px",
            f"combined loss: {fits:.3f} on the labels that fit, {found:.3f} on the labels as found, each on "
            "its own test tiles",
            "holds" if fits - found > 0.1 else "not shown",
        )


def main() -> None:
    """Write the table."""
    root = Path(sys.argv[1])
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_name("claims.md")
    head = "| claim | measured | verdict |\n| --- | --- | --- |\n"
    out.write_text(head + "".join(f"| {' | '.join(line)} |\n" for line in lines(root)), encoding="utf-8")


if __name__ == "__main__":
    main()
