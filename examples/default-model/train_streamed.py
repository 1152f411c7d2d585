"""Train the default model on a GPU while its scenes are rendered: train_streamed.py OUT MINUTES ...

All cores but one render scenes (`scenes.py`). Tiles stay in the memory of the GPU, which makes the views of
them (`beadctl.training.batch_views`). Real images are cut to tiles and drawn with fixed shares. Scenes arrive
in an order that no seed repeats. OUT becomes the folder of a run, for `beadctl export`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from scenes import BLOCK, DTYPES, INPUT, SIZE_PX, Tile, tile
from skimage.io import imread
from torch import Tensor

from beadctl.dataset.tiling import OVERLAP_PX, origins
from beadctl.training import checkpoint
from beadctl.training.augment import AUGMENTATIONS
from beadctl.training.batch_views import TileBatch, batch_views
from beadctl.training.checkpoint import Checkpoint
from beadctl.training.learner import Learner
from beadctl.training.plan import TrainingPlan
from beadctl.training.schedule import cosine, learning_rate
from beadctl.training.start import weights

PLAN = TrainingPlan(
    marker_weight=2.0,
    contact_weight=4.0,
    size=256,
    depth=5,
    max_channels=112,
    batch_size=64,
    lr=2e-3,
    ema_decay=0.9995,
    dropout=0.02,
    seed=51,
)
WARMUP_STEPS = 400
# Share of the real tiles in a batch, and that of each set among them.
REAL_SHARE = 0.3
REAL = {"dsb2018": 0.44, "emps": 0.12, "stem_np": 0.28, "stem_np_half": 0.1, "yeast_pc": 0.06}
# Scenes that are held: 37 GB.
MOST_SCENES = 62_000
# Batches that measure the statistics of a start without batch normalisation, and scenes to begin with.
MEASURED_BATCHES, FIRST_SCENES = 6, 256
SECONDS_BETWEEN_ROWS = 15.0


class Pool:
    """Tiles on the device; more are added while others are used."""

    def __init__(self, most: int, device: torch.device) -> None:
        shape = (most, SIZE_PX, SIZE_PX)
        self.most, self.held, self.device = most, 0, device
        self.tiles = TileBatch(
            torch.zeros(shape, dtype=torch.float16, device=device),
            torch.zeros(shape, dtype=torch.int16, device=device),
            torch.zeros((most, 4), dtype=torch.int64, device=device),
        )

    def add(self, planes: Sequence[NDArray[Any]], areas: NDArray[np.int64]) -> None:
        """Append images and labels with their areas; what does not fit is left out."""
        rows = slice(self.held, min(self.held + len(areas), self.most))
        for held, new in zip(vars(self.tiles).values(), (*planes, areas), strict=True):
            held[rows] = torch.from_numpy(new[: rows.stop - rows.start]).to(self.device)
        if self.device.type == "cuda":
            torch.cuda.current_stream().synchronize()
        self.held = rows.stop

    def take(self, folder: Path, until: float) -> None:
        """Read blocks until the time is over or the pool is full."""
        whole = np.tile(np.array([[0, 0, SIZE_PX, SIZE_PX]]), (BLOCK, 1))
        # On a stream of its own the copies do not wait for the network.
        with torch.cuda.stream(torch.cuda.Stream() if self.device.type == "cuda" else None):
            while time.monotonic() < until and self.held < self.most:
                paths = list(folder.glob("*.block"))
                for path in paths:
                    words = np.fromfile(path, np.uint16).reshape(len(DTYPES), BLOCK, SIZE_PX, SIZE_PX)
                    path.unlink()
                    self.add([part.view(dtype) for part, dtype in zip(words, DTYPES, strict=True)], whole)
                if not paths:
                    time.sleep(0.02)


@dataclass(frozen=True, eq=False)
class Mixture:
    """Scenes and real tiles, of which batches are drawn."""

    scenes: Pool
    real: Pool | None
    chances: Tensor
    rng: torch.Generator

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Return channels and targets of `size` random views."""
        of_real = round(REAL_SHARE * size) if self.real else 0
        held, device = self.scenes.held, self.scenes.device
        parts = [
            self.scenes.tiles.of(torch.randint(held, (size - of_real,), generator=self.rng, device=device))
        ]
        if self.real:
            drawn = torch.multinomial(self.chances, of_real, replacement=True, generator=self.rng)
            parts.append(self.real.tiles.of(drawn))
        planes = zip(*(vars(part).values() for part in parts), strict=True)
        tiles = TileBatch(*(torch.cat(plane) for plane in planes))
        images, wanted = batch_views(tiles, PLAN.size, self.rng, AUGMENTATIONS[INPUT], INPUT)
        return images.contiguous(memory_format=torch.channels_last), wanted


def cut(folder: Path) -> list[tuple[Tile, tuple[int, ...]]]:
    """Cut the images of a folder, with images/ and masks/, into tiles with beads, and state their areas."""
    tiles = []
    for path in sorted((folder / "images").iterdir()):
        image = imread(path)
        labels = tifffile.imread(folder / "masks" / f"{path.stem}.tif")
        planes = tile(image, labels)
        for top in origins(image.shape[0], SIZE_PX, OVERLAP_PX):
            for left in origins(image.shape[1], SIZE_PX, OVERLAP_PX):
                parts = [plane[top : top + SIZE_PX, left : left + SIZE_PX] for plane in planes]
                if parts[1].any():
                    tiles.append(_filled(parts))
    return tiles


def _filled(parts: list[NDArray[Any]]) -> tuple[Tile, tuple[int, ...]]:
    """Mirror the planes of a small tile until they are of full size."""
    shape = parts[0].shape
    margins = [((SIZE_PX - length) // 2, (SIZE_PX - length + 1) // 2) for length in shape]
    image, labels = (np.pad(plane, margins, mode="reflect") for plane in parts)
    return (image, labels), (margins[0][0], margins[1][0], *shape)


def real_pool(folders: Sequence[Path], device: torch.device) -> tuple[Pool, Tensor]:
    """Return the tiles of the sets in these folders, and with which probability each is drawn."""
    sets = {folder.name: cut(folder) for folder in folders}
    print({name: len(tiles) for name, tiles in sets.items()}, flush=True)
    pool = Pool(sum(map(len, sets.values())), device)
    for tiles in sets.values():
        planes = [np.stack(plane) for plane in zip(*(planes for planes, _ in tiles), strict=True)]
        pool.add(planes, np.array([area for _, area in tiles]))
    chances = [REAL[name] / len(tiles) for name, tiles in sets.items() for _ in tiles]
    return pool, torch.tensor(chances, device=device)


@contextmanager
def rendering(folder: Path, earlier: Path | None, processes: int) -> Iterator[None]:
    """Let so many processes render scenes into a folder."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    script = str(Path(__file__).with_name("scenes.py"))
    package = [str(earlier)] if earlier else []
    command = [sys.executable, script, str(folder)]
    workers = [
        subprocess.Popen([*command, str(seed), *package], env=os.environ | threads)  # noqa: S603
        for seed in range(processes)
    ]
    try:
        yield
    finally:
        for worker in workers:
            worker.kill()


def begun(start: str | None, mixture: Mixture) -> Learner:
    """Return a learner with the weights of a checkpoint or model file, or with random ones."""
    if start is None:
        return Learner(PLAN, mixture.scenes.device)
    held = weights(start)
    batches = MEASURED_BATCHES if held.folded else 0
    samples = (mixture.batch(PLAN.batch_size)[0] for _ in range(batches))
    return Learner(held.planned(PLAN), mixture.scenes.device, held, samples)


def median_diameter_px(pool: Pool) -> float:
    """Return the median diameter of discs with the areas of the beads in the first scenes."""
    labels = pool.tiles.labels[: min(pool.held, FIRST_SCENES)].flatten(1).cpu().numpy()
    areas = np.concatenate([np.unique(one[one > 0], return_counts=True)[1] for one in labels])
    return float(np.median(np.sqrt(4 / np.pi * areas)))


def save(learner: Learner, path: Path, elapsed_s: float, diameter_px: float) -> None:
    """Write the averaged weights as the best checkpoint of a run, which cannot be resumed."""
    architecture = learner.plan.architecture
    average = {name: value.cpu() for name, value in learner.average.network.state_dict().items()}
    held = Checkpoint(
        architecture=architecture.as_dict(),
        model=average,
        average=average,
        optimizer={},
        scaler={},
        rng={},
        epoch=1,
        step=learner.step,
        best_epoch=1,
        best_score=0.0,
        elapsed_s=elapsed_s,
        history=[],
        settings=learner.plan.as_dict(),
        facts={
            "data": "streamed",
            "stride": architecture.stride,
            "halo_px": architecture.halo_px,
            "diameter_px": diameter_px,
            "processes": 1,
            "polarity_augmented": True,
            "joiner": None,
        },
    )
    checkpoint.save(held, path)


def learn(learner: Learner, mixture: Mixture, begin: float, until: float) -> Iterator[dict[str, float]]:
    """Take optimiser steps until the time is over, and yield now and then how it goes."""
    plan, names = learner.plan, learner.objective.names
    said, done = time.monotonic(), 0
    terms = torch.zeros(len(names), dtype=torch.float64, device=learner.device)
    following = mixture.batch(plan.batch_size)
    while (now := time.monotonic()) < until:
        learner.accumulate(*following, plan.batch_size, 0.0)
        # Queued before the gradient is read, so that the GPU has work meanwhile.
        following = mixture.batch(plan.batch_size)
        step = learner.gradient(plan.batch_size)
        if not step.finite:
            sys.exit(f"step {learner.step}: the loss is not finite")
        fall = cosine((now - begin) / (until - begin), plan.final_lr_fraction)
        rate = learning_rate(learner.step, warmup_steps=WARMUP_STEPS, fall=fall, peak=plan.lr)
        terms += step.terms[0]
        learner.update(rate, plan.batch_size)
        done += plan.batch_size
        if now - said > SECONDS_BETWEEN_ROWS:
            means = dict(zip(names, (terms / done).tolist(), strict=True))
            times = {"seconds": now - begin, "step": learner.step}
            yield (
                times
                | means
                | {"lr": rate, "samples_per_s": done / (now - said), "scenes": mixture.scenes.held}
            )
            terms.zero_()
            said, done = now, 0


def written(rows: Iterable[dict[str, float]], path: Path) -> None:
    """Write rows to a table, and print them, as they come."""
    with path.open("w", encoding="utf-8") as file:
        for number, row in enumerate(rows):
            lines = [",".join(row)] * (number == 0) + [",".join(f"{value:.6g}" for value in row.values())]
            for line in lines:
                print(line, file=file, flush=True)
                print(line, flush=True)


def main() -> None:
    """Train until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--start", help="checkpoint or model file to start from; random weights without one")
    parser.add_argument("--real", type=Path, nargs="+", help="folders of real images, named as in REAL")
    parser.add_argument("--earlier", type=Path, help="folder with the package earlier_simulate")
    parser.add_argument("--device", type=torch.device, default="cuda")
    parser.add_argument("--processes", type=int, default=max(1, len(os.sched_getaffinity(0)) - 1))
    parser.add_argument("--most", type=int, default=MOST_SCENES, help="scenes to hold")
    given = parser.parse_args()
    until = time.monotonic() + 60 * given.minutes
    given.out.mkdir(parents=True)
    torch.backends.cudnn.benchmark = True
    shared = Path("/dev/shm")  # noqa: S108
    with (
        tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as blocks,
        rendering(Path(blocks), given.earlier, given.processes),
    ):
        scenes = Pool(given.most, given.device)
        threading.Thread(target=scenes.take, args=(Path(blocks), until), daemon=True).start()
        real, chances = real_pool(given.real, given.device) if given.real else (None, torch.ones(1))
        mixture = Mixture(scenes, real, chances, torch.Generator(given.device).manual_seed(PLAN.seed))
        while scenes.held < min(FIRST_SCENES, given.most):
            if time.monotonic() > until:
                sys.exit("no scenes were rendered")
            time.sleep(0.1)
        learner, begin = begun(given.start, mixture), time.monotonic()
        written(learn(learner, mixture, begin, until), given.out / "history.csv")
        save(learner, given.out / "best.pt", time.monotonic() - begin, median_diameter_px(scenes))
        print(f"{learner.step} steps of {PLAN.batch_size} samples, {scenes.held} scenes")


if __name__ == "__main__":
    main()
