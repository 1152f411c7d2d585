"""Pixels of an array in memory."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.images.window import Window


@dataclass(frozen=True)
class InMemory:
    """An array that is read like an open plane; implements `beadctl.images.Pixels`.

    Attributes
    ----------
    pixels : ndarray, shape (height, width)
        Values of any dtype.
    """

    pixels: NDArray[Any]

    @property
    def height(self) -> int:
        """Rows, px."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns, px."""
        return int(self.pixels.shape[1])

    def read(self, window: Window) -> NDArray[Any]:
        """Return a view of a window; ValueError if it is not inside."""
        if not window.is_inside(self.height, self.width):
            raise ValueError(f"{window} is not inside a plane of {self.height} x {self.width} px")
        return np.asarray(self.pixels[window.slices])

    def read_all(self) -> NDArray[Any]:
        """Return the whole array."""
        return self.pixels
