"""``python -m helpers.stages STAGE ARGUMENTS``: beadctl, which says when the function STAGE is called.

The network's maps are replaced by known ones, which takes less time, unless STAGE comes before them.
"""

import sys
from importlib import import_module

import numpy as np

from beadctl.cli.main import main
from beadctl.images import Normalisation
from beadctl.model.session import Maps
from beadctl.results import sources
from beadctl.segmentation.prediction import PredictedPlane

# Functions that an image goes through -> the module that calls them.
STAGES = {
    "open_image": "beadctl.results.image_work",
    "predict_plane": "beadctl.results.sources",
    "label_plane": "beadctl.results.sources",
}
EDGE_PX, STEP_PX = 8192, 56
BEFORE_MAPS = ("beadctl.results.sources.predict_plane", "beadctl.model.session.read_reflected")
AFTER_MAPS = (
    "beadctl.segmentation.instances.find_beads",
    "beadctl.segmentation.artefacts.artefacts",
    "beadctl.segmentation.half_contrast.at_half_contrast",
    "beadctl.segmentation.measure.bead_intensities",
    "beadctl.results.formats.overlays.encode",
    "beadctl.results.formats.masks.encode",
    "beadctl.results.formats.masks.write",
    "beadctl.results.ledger.save",
)


def maps() -> Maps:
    """Return maps of 21,000 beads of 20 px in rows and columns."""
    height = np.clip(1 - np.hypot(*(np.indices((STEP_PX, STEP_PX)) - STEP_PX // 2)) / 14, 0, 1)
    planes = [(255 * np.minimum(height * steep, 1)).astype(np.uint8) for steep in (3, 1)]
    repeats = -(-EDGE_PX // STEP_PX)
    return Maps(*(np.tile(plane, (repeats, repeats))[:EDGE_PX, :EDGE_PX].copy() for plane in planes))


def pixels() -> np.ndarray:
    """Return an image of these beads, in which they exceed the range that the network is shown."""
    return maps().probability * np.uint16(20) + np.arange(EDGE_PX, dtype=np.uint16) % 41


def tell(stage: str) -> None:
    """Let a function of a module say when it is called."""
    place, name = stage.rsplit(".", 1)
    module = import_module(place)
    call = getattr(module, name)

    def told(*arguments, **named):
        print("begun", flush=True)
        return call(*arguments, **named)

    setattr(module, name, told)


if __name__ == "__main__":
    stage = sys.argv.pop(1)
    if stage in AFTER_MAPS:
        normalisation = Normalisation(0.0, 100.0)
        sources.predict_plane = lambda *_, **__: PredictedPlane(maps(), normalisation=normalisation)
    tell(stage)
    main()
