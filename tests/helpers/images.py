"""Images with known beads."""

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from beadctl.simulate import render

COUNTS = {
    ("dark.png", 0): 4,
    ("rgb.png", 0): 3,
    ("stack.tif", 0): 2,
    ("stack.tif", 1): 0,
    ("stack.tif", 2): 5,
    ("deep/sixteen.tif", 0): 7,
}


def discs(
    count: int, height: int = 96, width: int = 128, *, dtype=np.uint8, dark: bool = False, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return an image with so many separate discs of 10 px on a noisy background, and its label image."""
    rng = np.random.default_rng([seed, count, height, width])
    places = [(y, x) for y in range(12, height - 11, 24) for x in range(12, width - 11, 24)]
    chosen = rng.permutation(len(places))[:count]
    assert len(chosen) == count
    rows, columns = np.indices((height, width))
    labels = np.zeros((height, width), np.uint16)
    for label, index in enumerate(sorted(chosen), start=1):
        y, x = np.array(places[index]) + rng.uniform(-2, 2, 2)
        labels[(rows - y) ** 2 + (columns - x) ** 2 <= 5.0**2] = label
    image = rng.normal(0.3, 0.004, labels.shape) + 0.4 * (labels > 0)
    # An image without a bead would be stretched to its noise; marks too small to be one give the scale.
    image[2:5, 2:4] = image[2:5, 16:18] = 0.7
    image = 1 - image if dark else image
    return (image * np.iinfo(dtype).max).astype(dtype), labels


def write_bead_folder(folder: Path) -> Path:
    """Write images as people have them: 8 and 16 bits, PNG, RGB, a stack; `COUNTS`, and a simulated one."""
    (folder / "deep").mkdir(parents=True)
    Image.fromarray(discs(4, dark=True)[0]).save(folder / "dark.png")
    grey = discs(3)[0]
    Image.fromarray(np.stack([grey, grey // 2, grey], -1)).save(folder / "rgb.png")
    stack = np.stack([discs(count, 64, 128)[0] for count in (2, 0, 5)])
    tifffile.imwrite(folder / "stack.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    tifffile.imwrite(
        folder / "deep" / "sixteen.tif",
        discs(7, dtype=np.uint16)[0],
        ome=True,
        metadata={"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5},
    )
    tifffile.imwrite(folder / "deep" / "sim.tif", render(np.random.default_rng(2), (72, 100)).image)
    return folder
