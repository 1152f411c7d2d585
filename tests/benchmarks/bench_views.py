"""Samples a second of `train` on a GPU, with random views made by processes or by the GPU.

    python tests/benchmarks/bench_views.py [--size 256] [--batch-size 64] [--workers 2 8]

Both train the network of the default model on the same tiles, alternately; the median of the paired ratios is
printed. Without a GPU, the CPU is the device that makes views.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from bench_training import write_tiles

from beadctl.training import device
from beadctl.training.options import TrainCallbacks, TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.train import train

MAKERS = "processes", "device"


def samples_per_s(plan: TrainingPlan, tiles: Path, asked: argparse.Namespace, workers: int) -> float:
    """Return samples a second of the last epoch; the first one starts the processes."""
    records = []
    with tempfile.TemporaryDirectory() as folder:
        train(
            plan,
            Path(folder),
            tiles=tiles,
            options=TrainOptions(device=asked.device, workers=workers),
            callbacks=TrainCallbacks(on_epoch=records.append),
        )
    return float(records[-1].images_per_s)


def main() -> None:
    """Run the pairs and print the ratios."""
    parser = argparse.ArgumentParser(description="views made by processes or by the GPU")
    parser.add_argument("--tiles", type=int, default=48, help="training tiles")
    parser.add_argument("--tile-size", type=int, default=384, help="edge of a tile, px")
    parser.add_argument("--size", type=int, default=256, help="edge of a view, px")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=100, help="optimiser steps in an epoch")
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--pairs", type=int, default=3)
    asked = parser.parse_args()
    plan = TrainingPlan(
        epochs=2,
        size=asked.size,
        batch_size=asked.batch_size,
        steps_per_epoch=asked.steps,
        width=16,
        depth=5,
        max_channels=112,
        contact_weight=4.0,
    )
    with tempfile.TemporaryDirectory() as folder:
        tiles = Path(folder)
        write_tiles(tiles, asked.tiles + 1, asked.tile_size)
        for workers in asked.workers:
            ratios = []
            for _ in range(asked.pairs):
                rates = []
                for maker in MAKERS:
                    device.makes_views = lambda target, maker=maker: maker == "device"
                    rates.append(samples_per_s(plan, tiles, asked, workers))
                ratios.append(rates[1] / rates[0])
                told = ", ".join(f"{maker} {rate:.0f}" for maker, rate in zip(MAKERS, rates, strict=True))
                print(f"{workers} workers: {told} samples/s, {ratios[-1]:.2f}", flush=True)
            print(f"{workers} workers: median ratio {statistics.median(ratios):.2f}", flush=True)


if __name__ == "__main__":
    main()
