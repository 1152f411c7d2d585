"""What the network is shown of a plane: its grey levels, and their contrast to what lies around them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.images.local_contrast import BlockSums, LocalContrast
from beadctl.images.normalisation import Levels, Normalisation, clipped, measure_levels
from beadctl.images.plane import Pixels
from beadctl.images.window import Window

# Rows of a band in which the local contrast of a plane is summed; a multiple of its grid.
BAND_ROWS = 512


class InputName(StrEnum):
    """Kinds of input, as model files name them."""

    LOCAL = "middle of 0.1/99.9 %, clipped to 3; contrast within 8 and 32 px, clipped to 5"
    MEDIAN = "median, larger tail to 0.1/99.9 %, clipped to 3"

    @property
    def sigmas_px(self) -> tuple[float, ...]:
        """Standard deviations of the windows of its local contrasts, px."""
        return (8.0, 32.0) if self is InputName.LOCAL else ()

    @property
    def channels(self) -> int:
        """Channels that the network takes."""
        return 1 + len(self.sigmas_px)

    def normalisation(self, levels: Levels) -> Normalisation:
        """Return the normalisation of a plane of these levels."""
        return levels.around_middle if self is InputName.LOCAL else levels.around_median


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """How the pixels of one plane become the channels of the network's input.

    Attributes
    ----------
    normalisation : Normalisation
        Of the first channel; offset and scale also of the others.
    contrasts : tuple of LocalContrast
        Of the further channels.
    """

    normalisation: Normalisation
    contrasts: tuple[LocalContrast, ...]

    @classmethod
    def of(cls, pixels: Pixels, name: InputName, levels: Levels | None = None) -> "NetworkInput":
        """Measure a plane.

        Parameters
        ----------
        pixels : Pixels
            An open plane.
        name : InputName
            The kind of input.
        levels : Levels, optional
            By default those of this plane; a tile is given those of the image that it was cut from.

        Raises
        ------
        ImageError
            If the pixels cannot be decoded.
        """
        normalisation = name.normalisation(levels or measure_levels(pixels))
        if not name.sigmas_px:
            return cls(normalisation, ())
        bands = []
        for top in range(0, pixels.height, BAND_ROWS):
            band = Window(top, 0, min(BAND_ROWS, pixels.height - top), pixels.width)
            bands.append(BlockSums.of(normalisation.scaled(pixels.read(band))))
        sums = BlockSums.joined(bands)
        return cls(normalisation, tuple(sums.around(sigma_px) for sigma_px in name.sigmas_px))

    def apply(self, pixels: NDArray[Any], top: int = 0, left: int = 0) -> NDArray[np.float32]:
        """Return the channels of a window of the plane, float32 (C, h, w).

        Parameters
        ----------
        pixels : ndarray, shape (h, w)
            Pixels of the window, in the plane's own units.
        top, left : int
            Its origin in the plane, px.
        """
        values = self.normalisation.scaled(pixels)
        local = [contrast.apply(values, top, left) for contrast in self.contrasts]
        return np.stack([clipped(values), *local])
