"""Time of a training step with each loss against the same step with binary cross-entropy.

    python tests/benchmarks/bench_losses.py [--size 256] [--batch-size 2] [--widths 16 8] [--rounds 21]

A step is forward, objective, backward and AdamW on simulated scenes. In every round each loss makes one step,
in an order that rotates from round to round, so that other load on the machine affects all alike. Measured
are the process CPU time of one thread on a CPU, and the time until the device is idle on a GPU. Printed are
the ratio of the medians and the interquartile range of the ratios within the rounds. "bce again" is a second
copy of the reference: its difference from 1 is noise. Goal: at most 1.05.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import torch

from beadctl.losses import Loss, LossParameters
from beadctl.training.architecture import Architecture
from beadctl.training.dataset import Simulated, Views
from beadctl.training.objective import objective
from beadctl.training.unet import UNet

REFERENCE, CONTROL = "bce", "bce again"
GOAL = 1.05
# Untimed steps: the first ones allocate memory and choose kernels.
WARMUP = 3


def stepper(network: UNet, loss: Loss, images: torch.Tensor, wanted: torch.Tensor) -> Callable[[], None]:
    """Return a function that makes one optimiser step on a copy of the network."""
    network = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    parts = objective(loss, LossParameters(), 1.0)
    weights = torch.tensor(parts.weights, device=images.device)

    def step() -> None:
        total = (weights @ parts.values(network(images), wanted)).mean()
        total.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def seconds(step: Callable[[], None], device: torch.device) -> float:
    """Time of one step."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        began = time.perf_counter()
        step()
        torch.cuda.synchronize(device)
        return time.perf_counter() - began
    began = time.process_time()
    step()
    return time.process_time() - began


def measure(width: int, asked: argparse.Namespace, device: torch.device) -> None:
    """Time all losses on a network of this width and print the table."""
    torch.manual_seed(0)
    architecture = Architecture(width=width)
    network = UNet(architecture).to(device, memory_format=torch.channels_last)
    views = Views(Simulated(asked.batch_size, asked.size), asked.size, 0, None)
    images, wanted = (
        torch.stack(tensors) for tensors in zip(*(views[0, i] for i in range(asked.batch_size)), strict=True)
    )
    images = images.to(device, memory_format=torch.channels_last)
    wanted = wanted.to(device)
    chosen = {loss.value: loss for loss in Loss} | {CONTROL: Loss.BCE}
    steps = {name: stepper(network, loss, images, wanted) for name, loss in chosen.items()}
    for step in steps.values():
        for _ in range(WARMUP):
            step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    names = list(steps)
    for turn in range(asked.rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            times[name].append(seconds(steps[name], device))
    reference = times[REFERENCE]
    print(f"\n{device}, width {width}, {asked.batch_size} x {asked.size} px, {asked.rounds} rounds")
    print(f"{'loss':<14} {'ms':>8} {'ratio':>7}   interquartile range")
    for name, taken in times.items():
        ratio = statistics.median(taken) / statistics.median(reference)
        low, _, high = statistics.quantiles([a / b for a, b in zip(taken, reference, strict=True)], n=4)
        verdict = "" if ratio <= GOAL else f"   above {GOAL}"
        middle = 1e3 * statistics.median(taken)
        print(f"{name:<14} {middle:8.1f} {ratio:7.3f}   {low:.3f} to {high:.3f}{verdict}")


def main() -> None:
    """Measure on the CPU, and on a GPU where there is one."""
    parser = argparse.ArgumentParser(description="a training step with each loss against one with bce")
    parser.add_argument("--size", type=int, default=256, help="edge of a sample, px")
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 8])
    parser.add_argument("--rounds", type=int, default=21)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    devices = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
    for device in devices:
        for width in asked.widths:
            measure(width, asked, device)


if __name__ == "__main__":
    main()
