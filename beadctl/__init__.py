"""beadctl segments and counts microbeads in microscope images.

The public names load their packages on first use: ``import beadctl`` alone is fast.

Examples
--------
>>> import beadctl
>>> import numpy as np
>>> scene = beadctl.render(np.random.default_rng(5), 128)
>>> model = beadctl.Model(beadctl.DEFAULT_MODEL, "cpu")
>>> options = beadctl.SegmentOptions.of(model.facts)
>>> beads = beadctl.segment_plane(beadctl.InMemory(scene.image), model, options)
>>> len(beads.table) == int(beads.labels.max())
True
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0"
__all__ = [
    "DEFAULT_MODEL",
    "BeadctlError",
    "InMemory",
    "Model",
    "ReadOptions",
    "SegmentOptions",
    "find",
    "open_image",
    "render",
    "score",
    "segment_plane",
]

if TYPE_CHECKING:
    from beadctl.errors import BeadctlError
    from beadctl.evaluation.scoring import score
    from beadctl.images import InMemory, ReadOptions, open_image
    from beadctl.images.find import find
    from beadctl.model.session import DEFAULT_MODEL, Model
    from beadctl.segmentation.options import SegmentOptions
    from beadctl.segmentation.plane import segment_plane
    from beadctl.simulate import render
else:
    _MODULES = {
        "errors": ("BeadctlError",),
        "evaluation.scoring": ("score",),
        "images": ("InMemory", "ReadOptions", "find", "open_image"),
        "model.session": ("DEFAULT_MODEL", "Model"),
        "segmentation.options": ("SegmentOptions",),
        "segmentation.plane": ("segment_plane",),
        "simulate": ("render",),
    }

    def __getattr__(name):
        """Load a public name on first use (PEP 562)."""
        for module, names in _MODULES.items():
            if name in names:
                return getattr(import_module(f"beadctl.{module}"), name)
        raise AttributeError(f"module 'beadctl' has no attribute {name!r}")
