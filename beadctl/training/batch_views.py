"""Random views of a batch of tiles, all at once and on the device that trains.

They are those of `beadctl.training.augment`, drawn by torch: processes that prepare samples one by one cannot
keep up with a GPU. Channels and targets are those of `shown` and `targets`.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from beadctl.images import InputName
from beadctl.images.local_contrast import LIMITS as CONTRAST_LIMITS
from beadctl.images.local_contrast import TRUNCATE
from beadctl.images.normalisation import LIMITS
from beadctl.training.augment import Augmentation
from beadctl.training.targets import NEAR_PX

# Width of a blur's window, in standard deviations, as in `shade`.
BLUR_TRUNCATE = 3.0


@dataclass(frozen=True, eq=False)
class TileBatch:
    """Tiles of one size, on one device.

    Attributes
    ----------
    images : Tensor
        (N, H, W), floating point, normalised and finite.
    labels : Tensor
        (N, H, W), integers below 2**24.
    depths : Tensor
        (N, H, W), `beadctl.training.targets.depths` of the labels, px.
    areas : Tensor
        (N, 4), int64: top, left, height and width, px, of what was recorded. The rest is a mirror image of
        it, and does not count.
    """

    images: Tensor
    labels: Tensor
    depths: Tensor
    areas: Tensor

    def of(self, rows: Tensor) -> "TileBatch":
        """Return the tiles of these numbers, in their order."""
        return TileBatch(self.images[rows], self.labels[rows], self.depths[rows], self.areas[rows])


def batch_views(
    tiles: TileBatch, size: int, rng: torch.Generator, augmentation: Augmentation, name: InputName
) -> tuple[Tensor, Tensor]:
    """Return one random view of every tile: channels (N, C, S, S) and targets (N, 4, S, S), float32.

    Parameters
    ----------
    tiles : TileBatch
        The tiles.
    size : int
        Edge S of a view, px, a multiple of 4.
    rng : torch.Generator
        Of the tiles' device.
    augmentation : Augmentation
        The ranges to draw from.
    name : InputName
        The input of the network.
    """
    places, scale = draw_places(tiles.areas, size, rng, augmentation)
    image, labels, depths, inside = looked_up(tiles, places)
    image = shaded(image, rng, augmentation)
    return channels(image, name), wanted(labels, depths, scale, inside)


def draw_places(
    areas: Tensor, size: int, rng: torch.Generator, augmentation: Augmentation
) -> tuple[Tensor, Tensor]:
    """Draw where the pixels of each view lie in its tile: (N, S, S, 2), y and x in px; and scales (N,).

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
    return (centre[:, None] + offsets @ matrix.mT).view(number, size, size, 2), scale


def looked_up(tiles: TileBatch, places: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return image, labels, depths and what counts at places (N, S, S, 2) of the tiles, float32 (N, S, S).

    Labels are those of the nearest pixel, the others are interpolated; beyond its border a tile is mirrored.
    """
    height, width = tiles.images.shape[1:]
    lengths = torch.tensor((height - 1, width - 1), device=places.device)
    grid = (2 * places / lengths - 1).flip(-1)

    def sampled(plane: Tensor, mode: str) -> Tensor:
        return F.grid_sample(plane[:, None].float(), grid, mode, "reflection", align_corners=True)[:, 0]

    start = tiles.areas[:, None, None, :2] - 0.5
    inside = ((places > start) & (places < start + tiles.areas[:, None, None, 2:])).all(-1)
    image, labels = sampled(tiles.images, "bilinear"), sampled(tiles.labels, "nearest")
    return image, labels, sampled(tiles.depths, "bilinear"), inside.float()


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
    """Return what the network is shown of normalised images (N, S, S): (N, C, S, S), as `shown`."""
    planes = [image.clamp(-LIMITS.clip, LIMITS.clip)]
    planes += [_contrast(image, sigma_px) for sigma_px in name.sigmas_px]
    return torch.stack(planes, 1)


def _contrast(image: Tensor, sigma_px: float) -> Tensor:
    step = CONTRAST_LIMITS.block_px
    # In double precision: the variance is a difference of squares.
    values = image[:, None].double()
    window = _window(image.shape[-1] // step, sigma_px / step, image.device)
    powers = torch.ones_like(values), values, values**2
    share, total, squares = (window @ F.avg_pool2d(plane, step) @ window.T for plane in powers)
    mean = total / share
    deviation = ((squares / share - mean**2).clamp_min(0) + CONTRAST_LIMITS.floor**2).sqrt()
    size = image.shape[-2:]
    mean, deviation = (
        F.interpolate(plane.float(), size, mode="bilinear", align_corners=False)[:, 0]
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


def wanted(labels: Tensor, depths: Tensor, scale: Tensor, inside: Tensor) -> Tensor:
    """Return foreground, marker map, contacts and what counts, (N, 4, S, S), of views at scales (N,).

    An edge lies half a pixel outside of its rim, whose depth is 1, so depths grow with the scale from there.
    """
    bead = labels > 0
    grown = torch.where(bead, ((depths - 0.5) * scale.view(-1, 1, 1) + 0.5).clamp_min(1.0), 0.0)
    most = int(labels.max()) + 1
    owner = (labels + most * torch.arange(len(labels), device=labels.device).view(-1, 1, 1)).long().flatten()
    deepest = torch.zeros(len(labels) * most, device=labels.device)
    deepest = deepest.scatter_reduce(0, owner, grown.flatten(), "amax")
    marker = torch.where(bead, grown / deepest[owner].view_as(grown).clamp_min(1.0), 0.0)
    window = 2 * NEAR_PX + 1
    highest = F.max_pool2d(labels, window, 1, NEAR_PX)
    lowest = -F.max_pool2d(torch.where(bead, -labels, -float(most)), window, 1, NEAR_PX)
    contact = (lowest != most) & (lowest != highest)
    return torch.stack((bead.float(), marker, contact.float(), inside), 1)
