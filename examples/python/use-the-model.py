"""The mask of a plane by a model file of beadctl, with onnxruntime and numpy alone.

python use-the-model.py bead.onnx plane.npy mask.npy
"""

import json
import sys

import numpy as np
import onnxruntime


def mask(model, plane):
    """Return where a model file sees beads in a plane of grey levels, bool of the plane's shape (H, W)."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    facts = json.loads(session.get_modelmeta().custom_metadata_map["beadctl"])
    if facts["normalisation"].startswith("median"):
        low, middle, high = np.percentile(plane, [0.1, 50, 99.9])
        channels = [np.clip((plane - middle) / max(high - middle, middle - low), -3, 3)]
    else:
        low, high = ends(plane)
        value = (plane - (low + high) / 2) / ((high - low) / 2)
        channels = [np.clip(value, -3, 3), contrast(value, 8), contrast(value, 32)]
    image = np.stack(channels)
    missing = [-edge % facts["stride"] for edge in plane.shape]
    image = np.pad(image, [(0, 0), (0, missing[0]), (0, missing[1])], mode="reflect")
    (probability,) = session.run(["probability"], {"image": image[None].astype(np.float32)})
    return probability[0, 0, : plane.shape[0], : plane.shape[1]] > facts["threshold"]


def ends(plane):
    """Return the grey levels that are shown as -1 and 1: see the guide to model files."""
    for levels in (field(plane), plane):
        low, high = np.percentile(levels, [0.1, 99.9])
        if low < high:
            return low, high
    return plane.min(), plane.max()


def field(plane):
    """Return the pixels without a lowest or highest grey level that a tenth of them have: a surround."""
    ends = [end for end in (plane.min(), plane.max()) if np.mean(plane == end) >= 0.1]
    inside = plane[~np.isin(plane, ends)]
    return inside if inside.size else plane


def contrast(value, sigma_px):
    """Return how far each pixel lies from the mean around it, in deviations: see the guide to model files."""
    sums = np.stack([np.ones_like(value), value, value**2])
    radius = round(3 * sigma_px / 4)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / (sigma_px / 4)) ** 2)
    for axis in (1, 2):
        sums = np.add.reduceat(sums, np.arange(0, sums.shape[axis], 4), axis)
        sums = np.apply_along_axis(smoothed, axis, sums, kernel / kernel.sum())
    mean, square = sums[1:] / sums[0]
    maps = np.stack([mean, np.sqrt(np.maximum(square - mean**2, 0) + 0.02**2)])
    for axis, edge in enumerate(value.shape, start=1):
        maps = np.apply_along_axis(enlarged, axis, maps, edge)
    return np.clip((value - maps[0]) / maps[1], -5, 5)


def smoothed(line, kernel):
    """Return a line of squares smoothed by a kernel."""
    radius = len(kernel) // 2
    return np.convolve(line, kernel)[radius:-radius]


def enlarged(line, edge):
    """Return a line of squares of 4 px interpolated to pixels."""
    return np.interp((np.arange(edge) + 0.5) / 4 - 0.5, np.arange(len(line)), line)


if __name__ == "__main__":
    found = mask(sys.argv[1], np.load(sys.argv[2]).astype(np.float64))
    np.save(sys.argv[3], found)
    print(f"{found.mean():.1%} of the pixels belong to beads")
