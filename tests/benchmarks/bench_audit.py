"""Faults that `audit` finds in simulated pairs with planted faults, and its false alarms on right pairs.

    python tests/benchmarks/bench_audit.py [--pairs 100] [--seed 2026 ...] [--no-find]

Prints for each planted fault the share of pairs that are not `ok`, the share that is `bad`, and the most
frequent findings; for right pairs (`none`) these are false alarms. `swap` gives each image the mask of
another; `grey` is a mask of grey values in a file. Merged masks count only where at least a twentieth of the
beads merge. Goals: 95 % found, at most 2 % false alarms. The limits of `audit` were chosen on the seeds 7 11
23 101 202 303 404 505 606 707 808 2026; published figures are of the others 909 1010 1111 1212 1313 1414 3001
3002, all in one call.
"""

import argparse
import itertools
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import tifffile

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.faults import FAULTS, scene

from beadctl import console
from beadctl.annotations.formats.binary import GREY
from beadctl.annotations.reading import read
from beadctl.audit.check import check
from beadctl.audit.detector import bead_detector
from beadctl.cli import arguments, settings


def grey(labels, folder):
    """Return a mask of grey values as `audit` reads it, and whether its reader remarks on the grey values."""
    values = np.where(labels > 0, 255, 0).astype(np.uint8)
    values[:-1][(labels[:-1] > 0) & (labels[1:] == 0)] = 140
    path = Path(folder) / "grey.tif"
    tifffile.imwrite(path, values)
    truth = read(path, labels.shape)
    return truth.labels, any(remark.words.startswith(GREY) for remark in truth.remarks)


def default_detector():
    """Return a detector with the default model and settings."""
    defaults = settings.load(None, {}).settings
    model, plan = arguments.session(defaults, console.Messages.of(quiet=True, verbose=False))
    return bead_detector(model, arguments.segment_options(defaults, model.facts, plan))


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--seed", type=int, nargs="+", default=[2026])
    parser.add_argument("--no-find", action="store_true", help="use no model")
    flags = parser.parse_args()
    detector = None if flags.no_find else default_detector()
    verdicts, faults = {}, {}

    def judge(name, image, labels, is_grey=False):
        result = check(image, labels, grey=is_grey, detector=detector)
        verdicts.setdefault(name, Counter())[result.verdict.value] += 1
        faults.setdefault(name, Counter())[result.findings[0].fault.value if result.findings else "-"] += 1

    with tempfile.TemporaryDirectory() as folder:
        for seed, number in itertools.product(flags.seed, range(flags.pairs)):
            one, other = scene(seed, number), scene(seed + 1, number)
            judge("none", one.image, one.labels)
            judge("swap", one.image, other.labels)
            judge("grey", one.image, *grey(one.labels, folder))
            for name, plant in FAULTS.items():
                labels = plant(np.random.default_rng([seed, number]), one.labels)
                if name != "merged" or labels.max() <= 0.95 * one.labels.max():
                    judge(name, one.image, labels)
    print("planted   pairs  not ok    bad  most frequent findings")
    for name, tally in verdicts.items():
        total = sum(tally.values())
        most = ", ".join(f"{fault} {count}" for fault, count in faults[name].most_common(3))
        print(f"{name:8s} {total:6d} {1 - tally['ok'] / total:7.3f} {tally['bad'] / total:6.3f}  {most}")


if __name__ == "__main__":
    main()
