"""The maps of one plane: `Model.maps` against MONAI's sliding window and a per-tile script.

    python tests/benchmarks/bench_windows.py [--size 2048] [--pairs 3] [--threads 2]

All have the weights of the default model and start from the same three channels in memory. MONAI runs the
network in eager PyTorch over windows of 512 px that overlap by a quarter, its default, blended evenly
or by a Gaussian. The script runs onnxruntime over tiles of 512 px side by side, without halo. Prints
the time, its ratio to that of `Model.maps`, paired, and how far the maps lie from those of the network over
the whole plane, in levels of 1/255: the largest difference, and the share of pixels that are more than one
level off.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from monai.inferers import sliding_window_inference
from numpy.typing import NDArray

from beadctl.cpus import usable_cpus
from beadctl.images import InMemory, NetworkInput
from beadctl.model.session import DEFAULT_MODEL, Maps, Model
from beadctl.simulate import render
from beadctl.training.fold import fold
from beadctl.training.import_onnx import read
from beadctl.training.unet import UNet

WINDOW_PX = 512

Planes = list[NDArray[np.uint8]]


def levels(maps: NDArray[np.float32]) -> Planes:
    """Return maps (2, H, W) in 0..1 as levels."""
    return [np.rint(plane * np.float32(255)).astype(np.uint8) for plane in maps]


def monai(channels: NDArray[np.float32], network: UNet, mode: str) -> Planes:
    """Run MONAI's inferer."""
    with torch.inference_mode():
        maps = sliding_window_inference(
            torch.from_numpy(channels[None]),
            (WINDOW_PX, WINDOW_PX),
            sw_batch_size=1,
            predictor=lambda windows: torch.sigmoid(network(windows)),
            overlap=0.25,
            mode=mode,
        )
    return levels(maps[0].numpy())


def per_tile(channels: NDArray[np.float32], model: Model) -> Planes:
    """Run tiles side by side."""
    maps = np.empty((2, *channels.shape[1:]), np.float32)
    for top in range(0, channels.shape[1], WINDOW_PX):
        for left in range(0, channels.shape[2], WINDOW_PX):
            place = np.s_[:, top : top + WINDOW_PX, left : left + WINDOW_PX]
            maps[place] = np.concatenate(model.run(np.ascontiguousarray(channels[place])[None]), axis=1)[0]
    return levels(maps)


def of_channels(channels: NDArray[np.float32], model: Model, pixels: InMemory) -> Maps:
    """Run `Model.maps` on channels that are ready."""

    class Ready:
        def apply(self, part: NDArray[np.float32], top: int, left: int) -> NDArray[np.float32]:
            return channels[:, top : top + part.shape[0], left : left + part.shape[1]]

    return model.maps(pixels, shown=Ready())  # type: ignore[arg-type]


def timed(run: Callable[[], Planes]) -> tuple[float, Planes]:
    """Return the seconds and the answer of a run."""
    start = time.perf_counter()
    answer = run()
    return time.perf_counter() - start, answer


def main() -> None:
    """Print one row a method."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=2048, help="edge of the plane, px, a multiple of 512")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=usable_cpus())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = Model(DEFAULT_MODEL, "cpu", args.threads)
    architecture, state = read(model)
    network = UNet(architecture)
    network.load_state_dict(state)
    network = fold(network)
    edge = min(args.size, 1024)
    scene = render(np.random.default_rng(5), edge).image
    image = np.tile(scene, (args.size // edge,) * 2)
    pixels = InMemory(image)
    channels = NetworkInput.of(pixels, model.facts.normalisation).apply(image)
    wanted = levels(np.concatenate(model.run(channels[None]), axis=1)[0])
    methods: dict[str, Callable[[], Planes]] = {
        "Model.maps": lambda: of_channels(channels, model, pixels).planes,
        "MONAI": lambda: monai(channels, network, "constant"),
        "MONAI, Gaussian": lambda: monai(channels, network, "gaussian"),
        "onnxruntime per tile": lambda: per_tile(channels, model),
    }
    times: dict[str, list[float]] = {name: [] for name in methods}
    off: dict[str, tuple[int, float]] = {}
    for _ in range(args.pairs):
        for name, run in methods.items():
            seconds, planes = timed(run)
            times[name].append(seconds)
            difference = np.abs(np.stack(planes).astype(int) - np.stack(wanted))
            off[name] = int(difference.max()), float((difference > 1).mean())
    print(
        "| method | s/Mpx | to Model.maps | largest difference, levels | pixels off |\n|---|---|---|---|---|"
    )
    mpx = args.size**2 / 1e6
    ours = times["Model.maps"]
    for name, taken in times.items():
        ratio = statistics.median(one / our for one, our in zip(taken, ours, strict=True))
        largest, share = off[name]
        print(f"| {name} | {min(taken) / mpx:.3f} | {ratio:.2f} | {largest} | {share:.2%} |")


if __name__ == "__main__":
    main()
