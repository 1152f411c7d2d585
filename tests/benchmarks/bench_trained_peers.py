"""StarDist, Cellpose and beadctl, trained from random weights on the same scenes for the same time.

    BEADCTL_DATA=DIR python tests/benchmarks/bench_trained_peers.py OUT [--minutes 15] [--scenes 600]

Cellpose 3 needs an older numpy, hence an environment of its own:

    pip install ".[train]" "cellpose>=3.1,<4" stardist tensorflow-cpu

Each network is trained in its own process with one thread and the settings of its authors' example, for the
same minutes of CPU time: StarDist with 32 rays on a grid of 2 px, its thresholds optimised on the validation
scenes; Cellpose 3 at a mean diameter of 30 px; beadctl with the architecture of the default model, its
thresholds calibrated on the validation scenes. No published weights are loaded. Cellpose resizes by a
diameter and is given the true median of each set. Scores are those of `bench_peers.py`. Networks that are in
OUT already are not trained again.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from bench_peers import Beadctl, run
from numpy.typing import NDArray
from real_sets import SETS, Labels, grey, sets

from beadctl.simulate import write

VALIDATION = 8  # one scene in 8 is for validation
ONE_THREAD = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def scenes(folder: Path) -> tuple[list[NDArray[Any]], list[Labels], list[NDArray[Any]], list[Labels]]:
    """Read training images and labels, and those for validation."""
    paths = sorted((folder / "images").iterdir())
    images = [grey(path) for path in paths]
    labels = [tifffile.imread(folder / "masks" / path.name).astype(np.int32) for path in paths]
    held = [index % VALIDATION == 0 for index in range(len(paths))]

    def part(planes: list[NDArray[Any]], wanted: bool) -> list[NDArray[Any]]:
        return [plane for plane, is_held in zip(planes, held, strict=True) if is_held == wanted]

    return part(images, False), part(labels, False), part(images, True), part(labels, True)


def percentiles(image: NDArray[Any]) -> NDArray[np.float32]:
    """Normalise as StarDist's examples do."""
    low, high = np.percentile(image, (1, 99.8))
    return np.asarray((image - low) / max(float(high - low), 1e-6), np.float32)


def train_stardist(out: Path, folder: Path, seconds: float) -> None:
    """Train StarDist and optimise its thresholds."""
    from stardist.models import Config2D, StarDist2D

    images, labels, held, held_labels = scenes(folder)
    images, held = [percentiles(image) for image in images], [percentiles(image) for image in held]
    rng = np.random.default_rng(0)

    def augmented(image: NDArray[Any], label: Labels) -> tuple[NDArray[Any], Labels]:
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        image, label = np.rot90(image, turns), np.rot90(label, turns)
        if mirrored:
            image, label = image[:, ::-1], label[:, ::-1]
        return image * rng.uniform(0.6, 2) + rng.uniform(-0.2, 0.2), label

    steps = 20
    config = Config2D(
        n_rays=32,
        grid=(2, 2),
        n_channel_in=1,
        train_patch_size=(256, 256),
        train_batch_size=4,
        train_steps_per_epoch=steps,
        train_tensorboard=False,
    )

    def fitted(name: str, epochs: int) -> Any:
        model = StarDist2D(config, name=name, basedir=str(out))
        model.train(
            images, labels, validation_data=(held[:16], held_labels[:16]), augmenter=augmented, epochs=epochs
        )
        return model

    began = time.process_time()
    fitted("warm-up", 1)
    first = time.process_time() - began
    began = time.process_time()
    fitted("warm-up-2", 2)
    each = max(time.process_time() - began - first, 1.0)
    model = fitted("model", max(1, int((seconds - first) / each)))
    model.optimize_thresholds(held, held_labels)


def train_cellpose(out: Path, folder: Path, seconds: float) -> None:
    """Train Cellpose's network from random weights."""
    from cellpose import models, train

    images, labels, held, held_labels = scenes(folder)

    def fitted(name: str, epochs: int) -> None:
        model = models.CellposeModel(gpu=False, pretrained_model=False, diam_mean=30.0)
        train.train_seg(
            model.net,
            train_data=images,
            train_labels=labels,
            test_data=held[:16],
            test_labels=held_labels[:16],
            channels=[0, 0],
            n_epochs=epochs,
            nimg_per_epoch=80,
            nimg_test_per_epoch=8,
            save_path=out,
            model_name=name,
        )

    out.mkdir(parents=True, exist_ok=True)
    began = time.process_time()
    fitted("warm-up", 1)
    first = time.process_time() - began
    began = time.process_time()
    fitted("warm-up", 2)
    each = max(time.process_time() - began - first, 1.0)
    fitted("model", max(1, int((seconds - first) / each)))


def train_beadctl(out: Path, folder: Path, seconds: float) -> None:
    """Cut the scenes into tiles, train, export and calibrate."""

    def beadctl(*words: object) -> None:
        subprocess.run([sys.executable, "-m", "beadctl", *map(str, words), "-q"], check=True)

    minutes, pairs = seconds / 60, (folder / "images", folder / "masks")
    if not (out / "tiles/manifest.csv").exists():
        beadctl("tile", *pairs, "-o", out / "tiles", "--size", 256, "--test-fraction", 0)
    shape = ("--width", 16, "--depth", 5, "--max-channels", 112, "--marker-weight", 2, "--dropout", 0.05)
    length = ("--max-minutes", minutes, "--epochs", 1000, "--patience", 1000)
    load = ("--batch-size", 8, "--workers", 0, "--threads", 1, "--lr", 0.002)
    beadctl("train", "--tiles", out / "tiles", "-o", out / "run", "--size", 256, *shape, *length, *load)
    beadctl("export", out / "run", "-o", out / "trained.onnx")
    held = out / "held"
    for part in ("images", "masks"):
        (held / part).mkdir(parents=True, exist_ok=True)
        for path in sorted((folder / part).iterdir())[::VALIDATION]:
            (held / part / path.name).write_bytes(path.read_bytes())
    beadctl(
        "eval", held / "images", held / "masks", "-m", out / "trained.onnx", "--calibrate", out / "bead.onnx"
    )


Method = Callable[[NDArray[Any], float], Labels]


def stardist(out: Path) -> Method:
    """Return the trained StarDist."""
    from stardist.models import StarDist2D

    model = StarDist2D(None, name="model", basedir=str(out))
    return lambda image, _: np.asarray(model.predict_instances(percentiles(image))[0])


def cellpose(out: Path) -> Method:
    """Return the trained Cellpose."""
    from cellpose import models

    model = models.CellposeModel(gpu=False, pretrained_model=str(out / "models/model"), diam_mean=30.0)
    return lambda image, diameter_px: np.asarray(
        model.eval(image.astype(np.float32), diameter=diameter_px, channels=[0, 0])[0]
    )


NETWORKS: dict[str, tuple[Callable[[Path, Path, float], None], Callable[[Path], Method], str]] = {
    "beadctl": (train_beadctl, lambda out: Beadctl(out / "bead.onnx"), "bead.onnx"),
    "stardist": (train_stardist, stardist, "model/thresholds.json"),
    "cellpose": (train_cellpose, cellpose, "models/model"),
}


def main() -> None:
    """Train what is missing, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=15.0, help="of CPU time, for each")
    parser.add_argument("--scenes", type=int, default=600)
    parser.add_argument("--set", nargs="*", default=SETS, dest="sets", choices=SETS)
    parser.add_argument(
        "--network", nargs="*", default=list(NETWORKS), dest="networks", choices=list(NETWORKS)
    )
    parser.add_argument("--only-train", choices=list(NETWORKS), help=argparse.SUPPRESS)
    args = parser.parse_args()
    folder = args.out / "scenes"
    if args.only_train:
        NETWORKS[args.only_train][0](args.out / args.only_train, folder, args.minutes * 60)
        return
    if not folder.exists():
        write(folder, args.scenes, 256, 31)
    for name in args.networks:
        if not (args.out / name / NETWORKS[name][2]).exists():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            again = [
                sys.executable,
                __file__,
                str(args.out),
                "--minutes",
                str(args.minutes),
                "--only-train",
                name,
            ]
            subprocess.run(again, check=True, env=ONE_THREAD, stdout=subprocess.DEVNULL)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"{name}: {spent / 60:.1f} minutes of CPU time in all", flush=True)
    samples = sets(args.sets, Path(os.environ["BEADCTL_DATA"]))
    print("| set | network | centre F1 | IoU50 F1 | count MAPE | time |\n|---|---|---|---|---|---|")
    for set_name, chosen in samples.items():
        unit = None
        for name in args.networks:
            scores, seconds = run(NETWORKS[name][1](args.out / name), chosen)
            unit = unit or seconds
            cells = (set_name, name, *scores.cells(), f"{seconds / unit:.2f}")
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
