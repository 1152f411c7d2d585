"""Random views of a batch of tiles, all at once and on the device that trains.

They are those of `beadctl.training.augment`, drawn by torch: processes that prepare samples one by one cannot
keep up with a GPU. Channels and targets are those of `shown` and `targets`.
"""

import math
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from beadctl.images import InputName
from beadctl.images.local_contrast import LIMITS as CONTRAST_LIMITS
from beadctl.images.local_contrast import TRUNCATE
from beadctl.images.normalisation import LIMITS
from beadctl.training.augment import Augmentation
from beadctl.training.batch_targets import batch_targets

# Width of a blur's window, in standard deviations, as in `shade`.
BLUR_TRUNCATE = 3.0


@dataclass(frozen=True, eq=False)
class TileBatch:
    """Tiles of one size, on one device.

    Attributes
    ----------
    images : Tensor
        (N, H, W), floating point, normalised; NaN where nothing was recorded, or a mirror image of what was.
    labels : Tensor
        (N, H, W), integers below 2**24; where nothing was recorded, their complements ``-1 - label``.
    areas : Tensor
        (N, 4), int64: top, left, height and width, px, of what was recorded. The rest is a mirror image of
        it, and does not count.
    """

    images: Tensor
    labels: Tensor
    areas: Tensor

    def of(self, rows: Tensor) -> "TileBatch":
        """Return the tiles of these numbers, in their order."""
        return TileBatch(*(plane[rows] for plane in self._planes))

    def to(self, device: torch.device) -> "TileBatch":
        """Return the tiles on another device; the copy may still be under way."""
        return TileBatch(*(plane.to(device, non_blocking=True) for plane in self._planes))

    def pin_memory(self) -> "TileBatch":
        """Return the tiles in memory that a GPU copies from while others compute; for `DataLoader`."""
        return TileBatch(*(plane.pin_memory() for plane in self._planes))

    @property
    def _planes(self) -> tuple[Tensor, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))


def batch_views(
    tiles: TileBatch, size: int, rng: torch.Generator, augmentation: Augmentation, name: InputName
) -> tuple[Tensor, Tensor]:
    """Return one random view of every tile: channels (N, C, S, S) and targets (N, 4, S, S), float32.

    Parameters
    ----------
    tiles : TileBatch
        The tiles.
    size : int
        Edge S of a view, px.
    rng : torch.Generator
        Of the tiles' device.
    augmentation : Augmentation
        The ranges to draw from.
    name : InputName
        The input of the network.
    """
    image, labels, inside = looked_up(tiles, draw_places(tiles.areas, size, rng, augmentation))
    return channels(shaded(image, rng, augmentation), name), batch_targets(labels, inside)


def draw_places(areas: Tensor, size: int, rng: torch.Generator, augmentation: Augmentation) -> Tensor:
    """Draw where the pixels of each view lie in its tile: (N, S, S, 2), y and x in px.

    Some views are scaled and rotated, the others lie on the tile's pixels; all are turned by quarters and
    mirrored. A view lies within the recorded area, where one fits.
    """
    number, device = len(areas), areas.device

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(number, generator=rng, device=device)

    warped = uniform(0, 1) < augmentation.warp_probability
    scale = torch.where(warped, uniform(*map(math.log, augmentation.scale)).exp(), 1.0)
    turn = math.radians(augmentation.turn_degrees)
    angle = torch.where(warped, uniform(-turn, turn), 0.0)
    cos, sin = angle.cos() / scale, angle.sin() / scale
    matrix = torch.stack((cos, -sin, sin, cos), -1).view(-1, 2, 2)

    middle, half = areas[:, :2] + (areas[:, 2:] - 1) / 2, matrix.abs().sum(2) * (size - 1) / 2
    freedom = ((areas[:, 2:] - 1) / 2 - half).clamp_min(0)
    centre = middle + torch.stack((uniform(-1, 1), uniform(-1, 1)), -1) * freedom
    on_pixels = (centre - (size - 1) / 2).round() + (size - 1) / 2
    centre = torch.where(warped[:, None], centre, on_pixels)

    quarters = torch.tensor([[[1, 0], [0, 1]], [[0, 1], [-1, 0]], [[-1, 0], [0, -1]], [[0, -1], [1, 0]]])
    mirrors = torch.tensor([[[1, 0], [0, 1]], [[1, 0], [0, -1]]])
    turns = (quarters[:, None] @ mirrors[None]).view(8, 2, 2).to(device, torch.float32)
    matrix = matrix @ turns[torch.randint(8, (number,), generator=rng, device=device)]
    steps = torch.arange(size, device=device) - (size - 1) / 2
    offsets = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1).view(1, -1, 2)
    return (centre[:, None] + offsets @ matrix.mT).view(number, size, size, 2)


def looked_up(tiles: TileBatch, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return image, labels and what counts at places (N, S, S, 2) of the tiles, float32 (N, S, S).

    Labels are those of the nearest pixel, the image is interpolated; beyond its border a tile is mirrored. A
    view that would not count at all counts where it lies in the area.
    """
    height, width = tiles.images.shape[1:]
    lengths = torch.tensor((max(1, height - 1), max(1, width - 1)), device=places.device)
    grid = (2 * places / lengths - 1).flip(-1)

    def sampled(plane: Tensor, mode: str) -> Tensor:
        return F.grid_sample(plane[:, None].float(), grid, mode, "reflection", align_corners=True)[:, 0]

    start = tiles.areas[:, None, None, :2] - 0.5
    inside = ((places > start) & (places < start + tiles.areas[:, None, None, 2:])).all(-1)
    labels = sampled(tiles.labels, "nearest")
    seen = inside & (labels >= 0)
    # The mean over no pixel is NaN.
    seen = torch.where(seen.flatten(1).any(1)[:, None, None], seen, inside)
    return sampled(tiles.images, "bilinear"), torch.maximum(labels, -1 - labels), seen.float()


def shaded(image: Tensor, rng: torch.Generator, augmentation: Augmentation) -> Tensor:
    """Change the intensities of images (N, S, S), each in its own way, as `augment.shade` does."""

    def uniform(low: float, high: float) -> Tensor:
        drawn = torch.rand(len(image), generator=rng, device=image.device)
        return (low + (high - low) * drawn).view(-1, 1, 1)

    sign = torch.where(uniform(0, 1) < augmentation.polarity_probability, -1.0, 1.0)
    exponent, factor = (
        uniform(*map(math.log, bounds)).exp() for bounds in (augmentation.gamma, augmentation.contrast)
    )
    image = sign * torch.copysign(image.abs() ** exponent, image) * factor
    image = image + uniform(-augmentation.offset, augmentation.offset)
    blurred = uniform(0, 1) < augmentation.blur_probability
    sigma_px = torch.where(blurred, uniform(0, augmentation.blur_px), 0.0)
    image = blurred_by(image, sigma_px, augmentation.blur_px)
    noise = torch.randn(image.shape, generator=rng, device=image.device)
    return image + uniform(0, augmentation.noise) * noise


def blurred_by(image: Tensor, sigma_px: Tensor, most_px: float) -> Tensor:
    """Blur images (N, S, S), each by its own standard deviation (N, 1, 1), from 0 to `most_px`."""
    reach = int(BLUR_TRUNCATE * most_px + 0.5)
    steps = torch.arange(-reach, reach + 1, device=image.device)
    weights = torch.exp(-0.5 * (steps / sigma_px.view(-1, 1).clamp_min(1e-3)) ** 2)
    weights = weights / weights.sum(1, keepdim=True)
    for dim in (1, 2):
        size = image.shape[dim]
        padding = (0, 0, reach, reach) if dim == 1 else (reach, reach, 0, 0)
        padded = F.pad(image[:, None], padding, mode="replicate")[:, 0]
        image = torch.zeros_like(image)
        for step in range(2 * reach + 1):
            image += padded.narrow(dim, step, size) * weights[:, step, None, None]
    return image


def channels(image: Tensor, name: InputName) -> Tensor:
    """Return what the network is shown of normalised images (N, S, S): (N, C, S, S), as `shown`.

    It is 0 for NaN and infinity.
    """
    known = image.isfinite()
    image = torch.where(known, image, 0.0)
    planes = [image.clamp(-LIMITS.clip, LIMITS.clip)]
    planes += [torch.where(known, _contrast(image, known, sigma_px), 0.0) for sigma_px in name.sigmas_px]
    return torch.stack(planes, 1)


def _contrast(image: Tensor, known: Tensor, sigma_px: float) -> Tensor:
    step, size = CONTRAST_LIMITS.block_px, image.shape[-1]
    missing = -size % step
    # In double precision: the variance is a difference of squares.
    share, values = (F.pad(plane[:, None].double(), (0, missing) * 2) for plane in (known, image))
    window = _window((size + missing) // step, sigma_px / step, image.device)
    powers = share, values, values**2
    share, total, squares = (window @ F.avg_pool2d(plane, step) @ window.T for plane in powers)
    share = share.clamp_min(1e-9)
    mean = total / share
    deviation = ((squares / share - mean**2).clamp_min(0) + CONTRAST_LIMITS.floor**2).sqrt()
    mean, deviation = (
        F.interpolate(plane.float(), scale_factor=step, mode="bilinear")[:, 0, :size, :size]
        for plane in (mean, deviation)
    )
    return ((image - mean) / deviation).clamp(-CONTRAST_LIMITS.clip, CONTRAST_LIMITS.clip)


def _window(blocks: int, sigma: float, device: torch.device) -> Tensor:
    """Return the matrix of a Gaussian window over a line of blocks, 0 beyond its ends, float64."""
    steps = torch.arange(blocks, device=device, dtype=torch.float64)
    distance, reach = (steps[:, None] - steps).abs(), int(TRUNCATE * sigma + 0.5)
    line = torch.arange(-reach, reach + 1, device=device, dtype=torch.float64)
    weights = torch.where(distance <= reach, torch.exp(-0.5 * (distance / sigma) ** 2), 0.0)
    return weights / torch.exp(-0.5 * (line / sigma) ** 2).sum()
