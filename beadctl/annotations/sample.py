"""An image with its annotation, as `eval`, `audit` and `tile` take it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.canvas import Labelled, Load
from beadctl.images import Normalisation


@dataclass(frozen=True, slots=True)
class Sample:
    """An annotated image, of which nothing is read yet.

    Attributes
    ----------
    name : str
        Of the image, as tables name it.
    image, truth : Path
        The files of image and annotation.
    load : Load
        Reads the annotation as a label image, given the image's height and width.
    source : str
        What the image was cut from, of a tile; else its own name.
    split : str
        Side of the split, of a tile; empty otherwise.
    normalisation : Normalisation or None
        That of the whole source image, of a tile; None to measure it on the image.
    """

    name: str
    image: Path
    truth: Path
    load: Load
    source: str = ""
    split: str = ""
    normalisation: Normalisation | None = None

    def read_truth(self, shape: tuple[int, int]) -> Labelled:
        """Return the label image and remarks on it.

        Parameters
        ----------
        shape : tuple of int
            Height and width of the image, px.

        Raises
        ------
        AnnotationError
            If it cannot be read, or does not belong to an image of this shape.
        """
        return self.load(shape)

    def labels(self, shape: tuple[int, int]) -> NDArray[np.uint32]:
        """Return the label image alone; see `read_truth`."""
        return self.load(shape).labels
