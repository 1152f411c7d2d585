"""Images a second of `train` against a bare PyTorch loop: same network, loss, optimiser and tiles.

    python tests/benchmarks/bench_training.py [--size 256] [--precision bf16] [--pairs 5]
    python tests/benchmarks/bench_training.py --accumulate 4 --weighting balance

The bare loop takes prepared batches from memory and runs forward, loss with fixed weights, backward and
optimiser step, without augmentation, targets, clipping, weight average or records. Both run alternately, so
that other load on the machine affects both; the median of the paired ratios is printed. Goal: 0.95.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import statistics
import tempfile
import time
from pathlib import Path

import tifffile
import torch

from beadctl.cpus import usable_cpus
from beadctl.dataset.manifest import MANIFEST, TileRow, read_manifest
from beadctl.images import levels_of
from beadctl.losses import Loss, LossParameters
from beadctl.simulate import render
from beadctl.training import device
from beadctl.training.dataset import Batches, Shuffled, Views, load
from beadctl.training.objective import objective
from beadctl.training.options import TrainCallbacks, TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.tiles import Tiles
from beadctl.training.train import train
from beadctl.training.unet import UNet
from beadctl.weighting import WeightingName


def write_tiles(folder: Path, count: int, size: int) -> None:
    """Write simulated tiles as ``beadctl tile`` would, all but one for training."""
    import numpy as np

    rows = []
    for number in range(count):
        scene = render(np.random.default_rng(number), size)
        levels = vars(levels_of(scene.image)).values()
        paths = folder / f"image{number}.tif", folder / f"mask{number}.tif"
        tifffile.imwrite(paths[0], scene.image)
        tifffile.imwrite(paths[1], scene.labels)
        split, beads = "train" if number else "val", int(scene.labels.max())
        place = f"field{number}", 0, 0, size, size, beads, *levels, "0" * 64, 0
        rows.append((split, paths[0].name, paths[1].name, *place))
    with (folder / MANIFEST).open("w", newline="") as file:
        csv.writer(file).writerows([[field.name for field in dataclasses.fields(TileRow)], *rows])


def ours(plan: TrainingPlan, tiles: Path, name: str, threads: int) -> float:
    """Images a second of the second epoch of `train`; the first one starts the workers."""
    with tempfile.TemporaryDirectory() as folder:
        records = []
        run_dir = Path(folder)
        train(
            plan,
            run_dir,
            tiles=tiles,
            options=TrainOptions(device=name, threads=threads),
            callbacks=TrainCallbacks(on_epoch=records.append),
        )
        return float(records[-1].images_per_s)


def bare(plan: TrainingPlan, tiles: Path, name: str, threads: int) -> float:
    """Images a second of the shortest loop that trains, over as many steps."""
    target = device.resolve(name)
    dtype = device.arithmetic(plan.precision, target)
    torch.manual_seed(plan.seed)
    torch.set_num_threads(threads)
    network = UNet(plan.architecture).to(target, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan.lr)
    terms = objective(Loss.COMBINED, LossParameters(), 1.0)
    source = Shuffled(Tiles(read_manifest(tiles), "train", tiles))
    loader = load(
        Views(source, plan.size, plan.seed, None),
        Batches(len(source), plan.batch_size),
        workers=0,
        pin_memory=False,
    )
    ready = [(x.to(target, memory_format=torch.channels_last), y.to(target)) for x, y in loader]
    for measured in (False, True):
        began = time.monotonic()
        for number, (images, wanted) in enumerate(ready, 1):
            with torch.autocast(target.type, dtype, enabled=dtype != torch.float32):
                logits = network(images)
            loss = terms.values(logits.float(), wanted).sum(0).mean()
            (loss / plan.accumulate).backward()
            if number % plan.accumulate == 0 or number == len(ready):
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                # Training reads the loss after every step, which waits for the GPU.
                loss.item()
        if measured:
            return len(source) / (time.monotonic() - began)
    raise AssertionError


def main() -> None:
    """Run the pairs and print the ratios."""
    parser = argparse.ArgumentParser(description="train against a bare loop")
    parser.add_argument("--size", type=int, default=256, help="edge of a tile, px")
    parser.add_argument("--tiles", type=int, default=48, help="training tiles")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--accumulate", type=int, default=1, help="micro-batches in a step")
    parser.add_argument("--weighting", type=WeightingName, default=WeightingName.FIXED, help="of train")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--precision", default="auto", help="auto, fp32, bf16 or fp16")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=usable_cpus(), help="fewer where other jobs run")
    parser.add_argument("--pairs", type=int, default=5)
    asked = parser.parse_args()
    shared = ("size", "batch_size", "accumulate", "weighting", "width", "precision")
    plan = TrainingPlan(epochs=2, **{name: getattr(asked, name) for name in shared})
    with tempfile.TemporaryDirectory() as folder:
        tiles = Path(folder)
        write_tiles(tiles, asked.tiles + 1, asked.size)
        for augment in (False, True):
            chosen, ratios = dataclasses.replace(plan, augment=augment), []
            for _ in range(asked.pairs):
                loop, shortest = (run(chosen, tiles, asked.device, asked.threads) for run in (ours, bare))
                ratios.append(loop / shortest)
                print(f"augment {augment}: train {loop:.2f}, bare {shortest:.2f} images/s, {ratios[-1]:.3f}")
            print(f"augment {augment}: median ratio {statistics.median(ratios):.3f} (goal 0.95)")


if __name__ == "__main__":
    main()
