"""The network of a model file against a matrix product and another network, in time and in multiplications.

    python tests/benchmarks/bench_network.py [OTHER] [--model FILE] [--size 1024] [--pairs 11] [--threads 1]

All run alternately on one tile of noise in one process. Printed are the multiplications a second of the
network over those of PyTorch's product of two matrices of single precision, each at best, and the median of
the paired ratios of the times: below 1, FILE (the default model) is faster than OTHER. Goals: 0.9 of the
product; an `export --int8` as OTHER gives 1.7.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper, shape_inference

from beadctl.model.session import DEFAULT_MODEL, Model


def seconds(model: Model, tile: np.ndarray) -> float:
    """Return how long one run over a tile takes."""
    start = time.perf_counter()
    model.run(tile)
    return time.perf_counter() - start


def product_rate() -> float:
    """Return the multiplications a second of the product of two matrices of single precision."""
    edge = 2048
    one, other = torch.rand(2, edge, edge)
    start = time.perf_counter()
    torch.mm(one, other)
    return edge**3 / (time.perf_counter() - start)


def multiplications(path: Path, size: int) -> float:
    """Return the multiplications of all convolutions over those of one pixel of a tile."""
    graph = onnx.load(path)
    axes = graph.graph.input[0].type.tensor_type.shape.dim
    for axis, length in ((axes[0], 1), (axes[2], size), (axes[3], size)):
        axis.dim_value = length
    known = shape_inference.infer_shapes(graph).graph
    shapes = {one.name: [d.dim_value for d in one.type.tensor_type.shape.dim] for one in known.value_info}
    shapes |= {one.name: [1, 1, size, size] for one in known.output}
    weights = {one.name: numpy_helper.to_array(one) for one in known.initializer}
    # Weights of a file in int8 come as integers with their scale.
    weights |= {
        node.output[0]: weights[node.input[0]]
        for node in known.node
        if node.op_type == "DequantizeLinear" and node.input[0] in weights
    }
    total = 0.0
    for node in known.node:
        if node.op_type == "Conv":
            kernel = weights[node.input[1]]
            total += kernel.size * float(np.prod(shapes[node.output[0]][2:]))
        elif node.op_type == "ConvTranspose":
            kernel = weights[node.input[1]]
            total += kernel.size * float(np.prod(shapes[node.input[0]][2:]))
    return total / size**2


def main() -> None:
    """Print both networks' cost and the ratio of their times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", type=Path, nargs="?")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--pairs", type=int, default=11)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    paths = [args.model, *([args.other] if args.other else [])]
    models = [Model(path, "cpu", args.threads) for path in paths]
    rng = np.random.default_rng(0)
    tiles = [
        rng.standard_normal((1, one.facts.normalisation.channels, args.size, args.size), np.float32)
        for one in models
    ]
    times, rates = [], []
    for _ in range(args.pairs + 1):
        times.append([seconds(model, tile) for model, tile in zip(models, tiles, strict=True)])
        rates.append(product_rate())
    print(f"product of matrices: {max(rates) / 1e9:.1f} thousand million multiplications a second")
    for path, taken in zip(paths, zip(*times[1:], strict=True), strict=True):
        each = multiplications(path, args.size)
        print(f"{path}: {each / 1000:.2f} thousand multiplications a pixel")
        print(f"{min(taken) / args.size**2 * 1e6:.3f} s/Mpx at best")
        print(
            f"{each * args.size**2 / min(taken) / max(rates):.3f} of the product's multiplications a second"
        )
    if args.other:
        ratio = statistics.median(first / second for first, second in times[1:])
        print(f"median ratio of the times: {ratio:.3f}")


if __name__ == "__main__":
    main()
