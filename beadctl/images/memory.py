"""A plane that is in memory already, for what reads from open planes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.images.window import Window


@dataclass(frozen=True)
class InMemory:
    """Pixels that nobody needs to open: see `beadctl.images.plane.Pixels`.

    Attributes
    ----------
    pixels : ndarray, shape (H, W)
        In any dtype.
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
        """Return a window that lies fully inside."""
        if not window.is_inside(self.height, self.width):
            raise ValueError(f"{window} is not inside a plane of {self.height} x {self.width} px")
        return np.asarray(self.pixels[window.slices])

    def read_all(self) -> NDArray[Any]:
        """Return the whole plane."""
        return self.pixels
