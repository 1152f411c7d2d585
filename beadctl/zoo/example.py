"""The field that a package is tested with: its plane, what the network is shown of it, and its maps."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.errors import ModelError
from beadctl.images import InMemory, NetworkInput
from beadctl.model.metadata import ModelFacts
from beadctl.model.session import Model
from beadctl.results.formats.overlays import coloured, paint
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import segment_plane
from beadctl.simulate import render_suspension
from beadctl.zoo.documentation import OUTPUTS

# Number, diameter and seed of the simulated beads, and the least edge of their field.
BEADS, DIAMETER_PX, SEED, EDGE_PX = 40, 17.0, 22, 256


@dataclass(frozen=True, eq=False)
class Example:
    """A simulated field, and what a model file makes of it.

    Attributes
    ----------
    plane : ndarray, shape (H, W)
        Grey levels of the field.
    shown : ndarray of float32, shape (1, C, H, W)
        What the network is shown of it.
    maps : dict of str to ndarray of float32, shape (1, 1, H, W)
        Outputs of the network by their names, in the order of the file.
    cover : bytes
        The plane beside the outlines of the beads that beadctl finds in it, as PNG.
    """

    plane: NDArray[Any]
    shown: NDArray[np.float32]
    maps: dict[str, NDArray[np.float32]]
    cover: bytes

    @classmethod
    def of(cls, model: Model) -> "Example":
        """Draw the field, and run a model file on it.

        Raises
        ------
        ModelError
            If the network has other outputs than those of beadctl.
        """
        edge = least_edge_px(model.facts)
        edge += -(-max(0, EDGE_PX - edge) // model.facts.stride) * model.facts.stride
        look = "absorber" if model.facts.polarity == "dark" else "disc"
        plane = render_suspension(np.random.default_rng(SEED), look, BEADS, DIAMETER_PX, edge).image
        pixels = InMemory(plane)
        shown = NetworkInput.of(pixels, model.facts.normalisation).apply(plane)[None]
        labels = segment_plane(pixels, model, SegmentOptions.of(model.facts)).labels
        pictures = [paint(plane, np.zeros_like(labels)), paint(plane, labels)]
        file = io.BytesIO()
        coloured(np.concatenate(pictures, axis=1)).save(file, format="PNG", optimize=True)
        names = [output.name for output in model.session.get_outputs()]
        if not set(names) <= set(OUTPUTS):
            raise ModelError(f"{model.path}: has outputs beside {' and '.join(OUTPUTS)}; export it again")
        maps = dict(zip(names, model.session.run(names, {"image": shown}), strict=True))
        return cls(plane, shown, maps, file.getvalue())


def least_edge_px(facts: ModelFacts) -> int:
    """Return the least multiple of the stride that leaves a pixel between the halos of both sides."""
    return (2 * facts.halo // facts.stride + 1) * facts.stride
