"""Networks trained on pairs as found, against those trained on the pairs that `audit --fix` wrote.

    BEADCTL_DATA=DATA python tests/benchmarks/bench_audited_training.py OUT [--seeds 3]

DATA/microbeads holds `images`, `masks` and `fits.txt`, the images whose masks fit by an independent measure.
Every third of those is held out, the same for both. Both networks have the same settings, seeds and number of
steps, and each chooses its best epoch on tiles of its own set. Prints the Jaccard index of pixels and the
count error on the held-out images for each seed. If interrupted, the same command resumes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path


def beadctl(*arguments, accepted=(0,)):
    """Run beadctl and return its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "beadctl", *map(str, arguments), "-q"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in accepted:
        raise SystemExit(f"beadctl {arguments[0]} ended with {done.returncode}")
    return done.stdout


def copied(data, names, folder):
    """Copy pairs to a folder of their own."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copy(data / part / name, folder / part / name)
    return folder


def prepared(data, out):
    """Write the held-out pairs and the two training sets; return their folders."""
    folders = [out / name for name in ("held-out", "raw", "audited")]
    if (out / "audited/changes.csv").exists():
        return folders
    names = sorted(path.name for path in (data / "images").iterdir())
    held = sorted((data / "fits.txt").read_text(encoding="utf-8").split())[::3]
    copied(data, held, folders[0])
    copied(data, [name for name in names if name not in held], folders[1])
    beadctl("audit", folders[1] / "images", folders[1] / "masks", "--fix", folders[2], accepted=(0, 1))
    return folders


def main():
    """Train and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=4)
    arguments = parser.parse_args()
    held, raw, audited = prepared(Path(os.environ["BEADCTL_DATA"]) / "microbeads", arguments.out)
    print(f"{len(list((held / 'images').iterdir()))} held-out images, ", end="")
    print(", ".join(f"{len(list((folder / 'images').iterdir()))} {folder.name}" for folder in (raw, audited)))
    print("seed  raw Jaccard  audited Jaccard  raw count MAPE  audited count MAPE")
    for seed in range(arguments.seeds):
        figures = []
        for folder in (raw, audited):
            tiles, run = folder / "tiles", folder / f"run{seed}"
            if not (tiles / "manifest.csv").exists():
                pairs = folder / "images", folder / "masks"
                beadctl("tile", *pairs, "-o", tiles, "--size", 256, "--test-fraction", 0)
            if not (run / "bead.onnx").exists():
                resume = ["--resume"] if (run / "last.pt").exists() else []
                plan = (
                    *("--epochs", arguments.epochs, "--steps-per-epoch", arguments.steps, "--batch-size", 8),
                    *("--width", 16, "--max-channels", 112, "--lr", 0.002, "--precision", "bf16"),
                )
                beadctl("train", "--tiles", tiles, "--size", 256, "-o", run, "--seed", seed, *plan, *resume)
                beadctl("export", run, "-o", run / "bead.onnx", "--overwrite")
            scores = beadctl("eval", held / "images", held / "masks", "-m", run / "bead.onnx")
            figures.append(json.loads(scores)["figures"])
        on_raw, on_audited = figures
        print(
            f"{seed:4d} {on_raw['jaccard']:12.3f} {on_audited['jaccard']:16.3f}"
            f" {on_raw['count_mape']:15.3f} {on_audited['count_mape']:19.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
