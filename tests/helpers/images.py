"""Images with known beads."""

import numpy as np

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
