"""How good the network is on whole images that it never trained on, by pixels and by counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from beadctl.evaluation.metrics import CountErrors, InstanceCounts, PixelCounts, instance_counts, pixel_counts
from beadctl.segmentation.instances import label
from beadctl.training.unet import UNet


@dataclass(frozen=True)
class Scores:
    """Figures on the validation images.

    Attributes
    ----------
    jaccard, dice : float
        Of the foreground pixels of all images together.
    f1 : float
        Of the beads matched at an intersection over union above 0.5, over all images together.
    count_mae : float
        Mean absolute error of the bead count, beads an image.
    count_mape : float
        The same relative to the true count of each image.
    count_bias : float
        Sum of found minus true over the sum of true; above 0 too many.
    """

    jaccard: float
    dice: float
    f1: float
    count_mae: float
    count_mape: float
    count_bias: float


@dataclass(frozen=True)
class Counts:
    """What is counted on images, before it becomes figures; they add up over images."""

    pixels: PixelCounts = field(default_factory=PixelCounts)
    beads: InstanceCounts = field(default_factory=InstanceCounts)
    numbers: CountErrors = field(default_factory=CountErrors)

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.pixels + other.pixels, self.beads + other.beads, self.numbers + other.numbers)

    @property
    def scores(self) -> Scores:
        """The figures of all images together."""
        pixels, numbers = self.pixels, self.numbers
        return Scores(
            pixels.jaccard, pixels.dice, self.beads.f1(0.5), numbers.mae, numbers.mape, numbers.bias
        )


def counts(true: NDArray[Any], mask: NDArray[np.bool_], found: NDArray[Any]) -> Counts:
    """Compare the true labels of an image with the foreground and the beads that were found, (H, W) each."""
    number = int(np.count_nonzero(np.unique(true)))
    return Counts(
        pixel_counts(true, mask),
        instance_counts(true, found),
        CountErrors((number,), (int(found.max(initial=0)),)),
    )


def score(
    network: UNet,
    scenes: Iterable[tuple[NDArray[np.float32], NDArray[Any]]],
    device: torch.device,
    *,
    threshold: float,
    marker_threshold: float,
    min_area_px: int,
) -> Scores:
    """Label every image as ``segment`` would, and compare.

    Parameters
    ----------
    network : UNet
        In evaluation mode.
    scenes : iterable
        Normalised images float32 (H, W) of any size with their labels.
    device : torch.device
        Where the network is.
    threshold, marker_threshold, min_area_px
        As `beadctl.segmentation.instances.label` takes them.

    Returns
    -------
    Scores
    """
    total = Counts()
    for image, labels in scenes:
        probability, marker = maps(network, image, device)
        found = label(
            probability,
            marker,
            threshold=threshold,
            marker_threshold=marker_threshold,
            min_area_px=min_area_px,
        )
        total += counts(labels, probability >= round(threshold * 255), found)
    return total.scores


@torch.inference_mode()
def maps(
    network: UNet, image: NDArray[np.float32], device: torch.device
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Probability and marker of one image, 0 to 255 for 0 to 1, in full precision.

    The image is mirrored outwards to whole strides, to the right and below, as at inference.

    Parameters
    ----------
    network : UNet
        In evaluation mode.
    image : ndarray of float32, shape (H, W)
        Normalised.
    device : torch.device
        Where the network is.

    Returns
    -------
    probability, marker : ndarray of uint8, shape (H, W)
    """
    height, width = image.shape
    margins = [(0, -length % network.stride) for length in (height, width)]
    batch = torch.from_numpy(np.pad(image, margins, mode="reflect"))[None, None].to(device)
    batch = batch.contiguous(memory_format=torch.channels_last)
    answer = network(batch)[0, :, :height, :width].sigmoid()
    probability, marker = (answer * 255).round().to(torch.uint8).cpu().numpy()
    return probability, marker
