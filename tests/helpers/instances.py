"""Maps from which beads are found, and what they must become."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import local_maxima
from skimage.segmentation import watershed

EIGHT = np.ones((3, 3), dtype=bool)


FULL = {"threshold": 0.5, "marker_threshold": 0.5, "min_area_px": 1}


def discs(
    random: int, count: int, radii: tuple[float, float], size: int = 160, gap_px: float = 0.5
) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """Discs that touch but never overlap, and their exact marker map."""
    rng = np.random.default_rng(random)
    labels = np.zeros((size, size), dtype=np.uint32)
    marker = np.zeros((size, size))
    placed: list[tuple[float, float, float]] = []
    y, x = np.mgrid[:size, :size]
    for _ in range(20 * count):
        radius = rng.uniform(*radii)
        centre_y, centre_x = rng.uniform(radius, size - 1 - radius, 2)
        if placed and rng.random() < 0.7:
            near_y, near_x, near_radius = placed[rng.integers(len(placed))]
            angle, away = rng.uniform(0, 2 * np.pi), near_radius + radius + gap_px
            centre_y, centre_x = near_y + away * np.sin(angle), near_x + away * np.cos(angle)
        if not (radius <= min(centre_y, centre_x) and max(centre_y, centre_x) <= size - 1 - radius):
            continue
        if any(np.hypot(centre_y - b, centre_x - a) < r + radius + gap_px - 1e-6 for b, a, r in placed):
            continue
        placed.append((centre_y, centre_x, radius))
        near = tuple(slice(int(c - radius), int(c + radius) + 2) for c in (centre_y, centre_x))
        distance = np.hypot(y[near] - centre_y, x[near] - centre_x)
        labels[near][distance <= radius] = len(placed)
        marker[near] = np.maximum(marker[near], 1 - distance / (radius + 0.5))
        if len(placed) == count:
            break
    return labels, np.rint(255 * marker * (labels > 0)).astype(np.uint8)


def probability_of(labels: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return a map that is sure of the pixels of beads."""
    return np.where(labels > 0, 230, 20).astype(np.uint8)


def noisy_scene(random: int, size: int = 96) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Blobs of every shape, with holes, plateaus and many equal values."""
    rng = np.random.default_rng(random)
    maps = [ndimage.gaussian_filter(rng.normal(size=(size, size)), rng.uniform(1, 4)) for _ in range(2)]
    return tuple(np.clip(128 + 60 * m / m.std(), 0, 255).astype(np.uint8) for m in maps)


def same_partition(a: NDArray[np.generic], b: NDArray[np.generic]) -> bool:
    """Return whether two label images have the same beads, whatever their numbers."""
    pairs = np.unique(np.stack((a.ravel().astype(int), b.ravel().astype(int))), axis=1)
    return all(len(np.unique(side)) == pairs.shape[1] for side in pairs) and ((pairs == 0).sum(0) != 1).all()


def plain(probability, marker, threshold=0.5, marker_threshold=0.5):
    """The textbook road: one watershed of the whole plane, no packing, no short cuts."""
    mask = probability >= round(255 * threshold)
    peaks = local_maxima(np.where(mask, marker, 0), connectivity=2) & (
        marker >= round(255 * marker_threshold)
    )
    markers, count = ndimage.label(mask & peaks, structure=EIGHT)
    components, _ = ndimage.label(mask, structure=EIGHT)
    markerless = ~np.isin(components, components[markers > 0])
    markers = np.where(mask & markerless, count + components, markers)
    relief = 255.0 - marker
    at = np.flatnonzero(markers)
    relief.flat[at] += np.linspace(-0.5, 0, at.size, endpoint=False)
    return watershed(relief, markers, mask=mask, connectivity=2)
