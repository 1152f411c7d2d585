"""beadctl segments and counts microbeads in microscope images.

`open_model`, `segment`, `count`, `train` and `export` do what the commands do, with arrays and tables in
place of files. The public names load their packages on first use: ``import beadctl`` alone is fast.

Examples
--------
>>> import beadctl
>>> import numpy as np
>>> scene = beadctl.render(np.random.default_rng(5), 128)
>>> model = beadctl.open_model()
>>> result = beadctl.segment(scene.image, model=model, pixel_size=0.65)
>>> result.count == len(result.beads["diameter_um"]) == int(result.labels.max())
True
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0"
__all__ = [
    "DEFAULT_MODEL",
    "AnnotationError",
    "BeadctlError",
    "BeadctlWarning",
    "DeviceError",
    "FileNote",
    "ImageError",
    "InMemory",
    "MissingExtraError",
    "Model",
    "ModelError",
    "OutputError",
    "ReadOptions",
    "Result",
    "SegmentOptions",
    "SettingsError",
    "TrainingError",
    "count",
    "export",
    "find",
    "open_image",
    "open_model",
    "render",
    "score",
    "segment",
    "segment_plane",
    "train",
]

if TYPE_CHECKING:
    from beadctl.api.count import count
    from beadctl.api.model import open_model
    from beadctl.api.result import Result
    from beadctl.api.segment import segment
    from beadctl.api.train import export, train
    from beadctl.errors import (
        AnnotationError,
        BeadctlError,
        BeadctlWarning,
        DeviceError,
        FileNote,
        ImageError,
        MissingExtraError,
        ModelError,
        OutputError,
        SettingsError,
        TrainingError,
    )
    from beadctl.evaluation.scoring import score
    from beadctl.images import InMemory, ReadOptions, open_image
    from beadctl.images.find import find
    from beadctl.model.session import DEFAULT_MODEL, Model
    from beadctl.segmentation.options import SegmentOptions
    from beadctl.segmentation.plane import segment_plane
    from beadctl.simulate import render
else:
    _MODULES = {
        "api.count": ("count",),
        "api.model": ("open_model",),
        "api.result": ("Result",),
        "api.segment": ("segment",),
        "api.train": ("export", "train"),
        "errors": (
            "AnnotationError",
            "BeadctlError",
            "BeadctlWarning",
            "DeviceError",
            "FileNote",
            "ImageError",
            "MissingExtraError",
            "ModelError",
            "OutputError",
            "SettingsError",
            "TrainingError",
        ),
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

    def __dir__():
        """Name what is public, loaded or not."""
        return sorted({*globals(), *__all__})
