"""Scores of a network on images that it was not trained on, by pixels and by counts.

Beads are found by the maps alone (`beadctl.segmentation.prediction.find_beads`), without the choice of the
scale and the artefact filter of ``beadctl segment``: tiles have the scale that the network is trained at, and
its score should not depend on the rules after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from beadctl.evaluation.metrics import CountErrors, instance_counts, pixel_counts
from beadctl.evaluation.scoring import Score
from beadctl.model.joiner import Joiner
from beadctl.model.session import Maps
from beadctl.segmentation.gaps import gaps_of
from beadctl.segmentation.instances import level_of
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.prediction import find_beads, outside_gaps
from beadctl.training.shown import input_of, shown
from beadctl.training.unet import UNet
from beadctl.training.world import ALONE, World


@dataclass(frozen=True)
class Scores:
    """Figures on the validation images.

    Attributes
    ----------
    jaccard, dice : float
        Of the foreground pixels of all images together.
    f1 : float
        Of the beads matched at an intersection over union above 0.5, over all images together.
    count_mae, count_mape : float
        Mean absolute error of the bead count, beads an image and relative to the true count of each image.
    count_bias : float
        Sum of found minus true over the sum of true; above 0 too many.
    """

    jaccard: float
    dice: float
    f1: float
    count_mae: float
    count_mape: float
    count_bias: float

    def columns(self) -> dict[str, Any]:
        """Return the figures by the names of `EpochRecord`."""
        return {name if "count" in name else f"val_{name}": value for name, value in vars(self).items()}

    @classmethod
    def of(cls, total: Score) -> Scores:
        """Return the figures of all images together."""
        pixels, counts = total.pixels, total.counts
        f1 = total.instances.f1(0.5)
        return cls(pixels.jaccard, pixels.f1, f1, counts.mae, counts.mape, counts.bias)


def label_options(plan: Mapping[str, Any], joiner: Joiner | None = None) -> SegmentOptions:
    """Return how maps become beads, by the fields of a `TrainingPlan` and the joiner of the run."""
    return SegmentOptions(plan["threshold"], plan["marker_threshold"], plan["min_area_px"], joiner=joiner)


def score(
    network: UNet,
    scenes: Iterable[tuple[NDArray[np.float32], NDArray[Any]]],
    device: torch.device,
    options: SegmentOptions,
    world: World = ALONE,
) -> Scores:
    """Label every image and compare.

    Parameters
    ----------
    network : UNet
        In evaluation mode.
    scenes : iterable
        Normalised images float32 (H, W) of any size with their labels.
    device : torch.device
        Where the network is.
    options : SegmentOptions
        Thresholds and least area.
    world : World
        Processes that each compare their own share of the images; all get the figures of all images.
    """
    own = [compared(network, image, true, device, options)[1] for image, true in scenes]
    # In the order of the images, so that sums of fractions are those of one process to the bit.
    return Scores.of(sum(world.joined(own), Score()))


def compared(
    network: UNet,
    image: NDArray[np.float32],
    true: NDArray[Any],
    device: torch.device,
    options: SegmentOptions,
) -> tuple[NDArray[np.uint32], Score]:
    """Label one image; return the label image and its comparison with the true one, all (H, W)."""
    found, gaps = maps(network, image, device), gaps_of(image)
    if gaps is not None:
        found = outside_gaps(found, gaps)
    labels = find_beads(found, options, gaps=gaps).labels
    mask = found.probability >= level_of(options.threshold)
    number = int(np.count_nonzero(np.unique(true)))
    errors = CountErrors((number,), (int(labels.max(initial=0)),))
    return labels, Score(pixel_counts(true, mask), instance_counts(true, labels), counts=errors)


@torch.inference_mode()
def maps(network: UNet, image: NDArray[np.float32], device: torch.device) -> Maps:
    """Run the network on one normalised image (H, W), in full precision; the maps have its size.

    The image is mirrored outwards to whole strides, to the right and below, as at inference.
    """
    height, width = image.shape
    margins = [(0, -length % network.architecture.stride) for length in (height, width)]
    channels = shown(image, input_of(network.architecture.inputs))
    batch = torch.from_numpy(np.pad(channels, [(0, 0), *margins], mode="reflect"))[None].to(device)
    batch = batch.contiguous(memory_format=torch.channels_last)
    answer = network(batch)[0, :, :height, :width].sigmoid()
    probability, marker = (answer * 255).round().to(torch.uint8).cpu().numpy()
    return Maps(probability, marker)
