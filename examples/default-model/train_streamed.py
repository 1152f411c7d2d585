"""Train the default model on a GPU that never waits: train_streamed.py OUT MINUTES [--flags].

Scenes are rendered by all cores but one while the network learns; tiles stay in the GPU's memory, and views
of them are made there (`beadctl.training.batch_views`). Real images are cut to tiles and drawn with fixed
shares. The order in which scenes arrive is not repeatable, so neither are the weights, to the last digits.
OUT becomes the folder of a run for `beadctl export`.
"""

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile
import torch
from skimage.io import imread

from beadctl.dataset.tiling import origins
from beadctl.images import levels_of
from beadctl.training import checkpoint
from beadctl.training.architecture import Architecture
from beadctl.training.augment import AUGMENTATIONS
from beadctl.training.batch_views import TileBatch, batch_views
from beadctl.training.checkpoint import Checkpoint
from beadctl.training.learner import Learner
from beadctl.training.plan import TrainingPlan
from beadctl.training.schedule import cosine, learning_rate
from beadctl.training.start import Start
from scenes import BLOCK, INPUT, SIZE_PX, depths

HERE = Path(__file__).resolve().parent
PX = SIZE_PX * SIZE_PX
# Bytes of a tile: image and depths of 16 bits, labels too.
TILE_BYTES = 6 * PX
DTYPES = np.float16, np.int16, np.float16
OVERLAP_PX = 64
# Share of the real tiles in a batch, and their weights among each other.
REAL_SHARE = 0.3
REAL = {"dsb2018": 0.44, "emps": 0.12, "stem_np": 0.28, "stem_np_half": 0.1, "yeast_pc": 0.06}
SECONDS_BETWEEN_WORDS = 15.0
WARMUP_STEPS = 400
PLAN = TrainingPlan(
    marker_weight=2.0, contact_weight=4.0, size=256, batch_size=64, lr=2e-3, ema_decay=0.9995,
    depth=5, max_channels=112, dropout=0.02, seed=51,
)  # fmt: skip


class Pool:
    """Tiles on the device, of which there are more and more."""

    def __init__(self, most: int, device: torch.device) -> None:
        shape = (most, SIZE_PX, SIZE_PX)
        self.tiles = TileBatch(
            torch.zeros(shape, dtype=torch.float16, device=device),
            torch.zeros(shape, dtype=torch.int16, device=device),
            torch.zeros(shape, dtype=torch.float16, device=device),
            torch.tensor([[0, 0, SIZE_PX, SIZE_PX]], device=device).repeat(most, 1),
        )
        self.most, self.held = most, 0

    def add(self, planes: Sequence[np.ndarray], areas: np.ndarray) -> None:
        """Append images, labels and depths with their areas; what does not fit is left out."""
        rows = slice(self.held, min(self.held + len(areas), self.most))
        for held, new in zip(vars(self.tiles).values(), (*planes, areas), strict=True):
            held[rows] = torch.from_numpy(new[: rows.stop - rows.start]).to(held.device)
        if held.is_cuda:
            torch.cuda.current_stream().synchronize()
        self.held = rows.stop

    def take(self, folder: Path, until: float) -> None:
        """Read blocks until the time is over or the pool is full."""
        whole = np.tile(np.array([[0, 0, SIZE_PX, SIZE_PX]]), (BLOCK, 1))
        # On a stream of its own the copies do not wait for the network.
        with torch.cuda.stream(torch.cuda.Stream() if self.tiles.images.is_cuda else None):
            while time.monotonic() < until and self.held < self.most:
                paths = list(folder.glob("*.block"))
                for path in paths:
                    words = np.fromfile(path, np.uint16).reshape(3, BLOCK, SIZE_PX, SIZE_PX)
                    path.unlink()
                    planes = [words[place].view(dtype) for place, dtype in enumerate(DTYPES)]
                    self.add(planes, whole)
                if not paths:
                    time.sleep(0.02)


def real_tiles(folder: Path, halved: bool) -> list[tuple[np.ndarray, ...]]:
    """Cut the images of a folder, with images/ and masks/, to tiles with beads; a small one is mirrored."""
    tiles = []
    for path in sorted((folder / "images").iterdir()):
        image = imread(path)
        labels = tifffile.imread(folder / "masks" / f"{path.stem}.tif").astype(np.int32)
        if halved:
            if min(image.shape) < 1500:
                continue
            high, wide = (length // 2 * 2 for length in image.shape)
            image = np.rint(image[:high, :wide].reshape(high // 2, 2, wide // 2, 2).mean(axis=(1, 3)))
            image, labels = image.astype(np.uint8), labels[:high:2, :wide:2]
        scaled = INPUT.normalisation(levels_of(image, INPUT.surround)).scaled(image)
        for top in origins(image.shape[0], SIZE_PX, OVERLAP_PX):
            for left in origins(image.shape[1], SIZE_PX, OVERLAP_PX):
                window = slice(top, top + SIZE_PX), slice(left, left + SIZE_PX)
                part = scaled[window], labels[window], np.where(labels[window] > 0, depths(labels[window]), 0)
                if part[1].any():
                    tiles.append(_filled(*part))
    return tiles


def _filled(*planes: np.ndarray) -> tuple[np.ndarray, ...]:
    shape = planes[0].shape
    missing = [SIZE_PX - length for length in shape]
    margins = [(gap // 2, gap - gap // 2) for gap in missing]
    full = [np.pad(plane, margins, mode="reflect") for plane in planes]
    area = np.array((margins[0][0], margins[1][0], *shape))
    return full[0].astype(np.float16), full[1].astype(np.int16), full[2].astype(np.float16), area


def real_pool(real: Path, device: torch.device) -> tuple[Pool, torch.Tensor]:
    """Return the real tiles and the probability of each."""
    sets = {name: real_tiles(real / name.removesuffix("_half"), name.endswith("_half")) for name in REAL}
    pool = Pool(sum(map(len, sets.values())), device)
    for tiles in sets.values():
        if tiles:
            *planes, areas = (np.stack(planes) for planes in zip(*tiles, strict=True))
            pool.add(planes, areas)
    print({name: len(tiles) for name, tiles in sets.items()}, flush=True)
    chances = [REAL[name] / len(tiles) for name, tiles in sets.items() for _ in tiles]
    return pool, torch.tensor(chances, device=device)


def begun(path: Path, device: torch.device) -> Learner:
    """Return a learner with the network of a checkpoint."""
    held = checkpoint.load(path)
    start = Start(Architecture(**held.architecture), held.average, path.name, "")
    return Learner(replace(start.planned(PLAN), start=None), device, start)


def save(learner: Learner, path: Path, elapsed_s: float) -> None:
    """Write the averaged weights as the best checkpoint of a run."""
    architecture = learner.plan.architecture
    facts = {"data": "streamed", "stride": architecture.stride, "halo_px": architecture.halo_px}
    facts |= {"diameter_px": None, "processes": 1, "polarity_augmented": True, "joiner": None}
    average = {name: value.cpu() for name, value in learner.average.network.state_dict().items()}
    none: dict[str, object] = {}
    held = Checkpoint(
        architecture.as_dict(), average, average, none, none, none, 1, learner.step, 1, 0.0, elapsed_s, [],
        learner.plan.as_dict(), facts,
    )  # fmt: skip
    checkpoint.save(held, path)


def main() -> None:
    """Train until the time is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--start", type=Path, required=True, help="checkpoint to start from")
    parser.add_argument("--real", type=Path, help="folder with a folder for each set of real images")
    parser.add_argument("--earlier", type=Path, help="folder with the package earlier_simulate")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)) - 1)
    parser.add_argument("--blocks", type=Path, default=Path("/dev/shm/blocks"), help="folder for blocks of scenes")
    parser.add_argument("--most", type=int, default=62_000, help="scenes to hold")
    parser.add_argument("--saves", type=float, nargs="*", default=(), help="shares of the time to save at, too")
    given = parser.parse_args()
    begin = time.monotonic()
    until = begin + 60 * given.minutes
    given.out.mkdir(parents=True, exist_ok=True)
    given.blocks.mkdir(parents=True)
    device = torch.device(given.device)
    torch.backends.cudnn.benchmark = True
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    workers = [
        subprocess.Popen(
            [sys.executable, str(HERE / "scenes.py"), str(given.blocks), str(seed)]
            + ([str(given.earlier)] if given.earlier else []),
            env=environment,
            preexec_fn=lambda: os.nice(10),
        )
        for seed in range(given.workers)
    ]
    try:
        learn(given, device, begin, until)
    finally:
        for worker in workers:
            worker.kill()


def learn(given: argparse.Namespace, device: torch.device, begin: float, until: float) -> None:
    """Take optimiser steps until the time is over."""
    learner = begun(given.start, device)
    plan = learner.plan
    scenes = Pool(given.most, device)
    threading.Thread(target=scenes.take, args=(given.blocks, until), daemon=True).start()
    real, chances = real_pool(given.real, device) if given.real else (scenes, None)
    rng = torch.Generator(device).manual_seed(plan.seed)
    of_real = round(REAL_SHARE * plan.batch_size) if chances is not None else 0
    while scenes.held < 4 * plan.batch_size:
        if time.monotonic() > until:
            sys.exit("no scenes were rendered")
        time.sleep(0.1)

    def batch() -> tuple[torch.Tensor, torch.Tensor]:
        rows = torch.randint(scenes.held, (plan.batch_size - of_real,), generator=rng, device=device)
        parts = [scenes.tiles.of(rows)]
        if chances is not None:
            parts.append(real.tiles.of(torch.multinomial(chances, of_real, True, generator=rng)))
        joined = TileBatch(*(torch.cat(planes) for planes in zip(*(vars(part).values() for part in parts))))
        return batch_views(joined, plan.size, rng, AUGMENTATIONS[INPUT], INPUT)

    first = said = time.monotonic()
    saves = [first + share * (until - first) for share in given.saves]
    print(f"first step after {first - begin:.1f} s", flush=True)
    terms, steps = torch.zeros(len(learner.objective.names), dtype=torch.float64, device=device), 0
    following = batch()
    while (now := time.monotonic()) < until:
        images, targets = following
        learner.accumulate(images.contiguous(memory_format=torch.channels_last), targets, plan.batch_size, 0.0)
        following = batch()
        step = learner.gradient(plan.batch_size)
        share = cosine((now - first) / (until - first), plan.final_lr_fraction)
        rate = learning_rate(learner.step, warmup_steps=WARMUP_STEPS, fall=share, peak=plan.lr)
        if step.finite:
            terms += step.terms[0]
            steps += 1
        else:
            learner.optimizer.zero_grad(set_to_none=True)
            learner._sums.zero_()
            print(f"step {learner.step}: not finite, left out", flush=True)
        if step.finite:
            learner.update(rate, plan.batch_size)
        if now - said > SECONDS_BETWEEN_WORDS:
            means = (terms / max(steps, 1) / plan.batch_size).tolist()
            speed = steps * plan.batch_size / (now - said)
            fits = " ".join(f"{name} {mean:.4f}" for name, mean in zip(learner.objective.names, means))
            print(
                f"{now - begin:6.1f} s, step {learner.step}, {fits}, rate {rate:.6f}, {speed:.0f} samples/s, "
                f"{scenes.held} scenes",
                flush=True,
            )
            terms.zero_()
            said, steps = now, 0
        if saves and now > saves[0]:
            saves.pop(0)
            save(learner, given.out / f"step-{learner.step}.pt", now - begin)
    save(learner, given.out / "best.pt", time.monotonic() - begin)
    print(f"{learner.step} steps of {plan.batch_size}, {scenes.held} scenes", flush=True)


if __name__ == "__main__":
    main()
