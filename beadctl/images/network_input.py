"""What the network is shown of a plane: its grey levels, and their contrast to what lies around them."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.images.local_contrast import BlockSums, LocalContrast
from beadctl.images.normalisation import LIMITS, Levels, Normalisation, clipped, measure_levels
from beadctl.images.plane import InMemory, Pixels
from beadctl.images.window import Window

# Rows of a band in which the local contrast of a plane is summed; a multiple of its grid.
BAND_ROWS = 512
# Rows that are computed at once: few enough for the processor's cache.
STRIP_ROWS = 64


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

    @property
    def surround(self) -> float:
        """Share of the pixels from which a lowest or highest grey level is no part of the field."""
        return LIMITS.surround if self is InputName.LOCAL else math.inf

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
        if name.sigmas_px and pixels.height * pixels.width <= LIMITS.max_exact:
            # Decoded once, for the levels and for the sums.
            pixels = InMemory(pixels.read_all())
        levels = levels or measure_levels(pixels, surround=name.surround)
        normalisation = name.normalisation(levels)
        if not name.sigmas_px:
            return cls(normalisation, ())
        bands = (
            pixels.read(Window(top, 0, min(BAND_ROWS, pixels.height - top), pixels.width))
            for top in range(0, pixels.height, BAND_ROWS)
        )
        strips = (BlockSums.of(normalisation.scaled(band[rows])) for band in bands for rows in _strips(band))
        sums = BlockSums.joined(strips, pixels.height, pixels.width)
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
        channels = np.empty((1 + len(self.contrasts), *pixels.shape), np.float32)
        for rows in _strips(pixels):
            values = self.normalisation.scaled(pixels[rows])
            channels[0, rows] = clipped(values)
            for contrast, channel in zip(self.contrasts, channels[1:], strict=True):
                channel[rows] = contrast.apply(values, top + rows.start, left)
        return channels


def _strips(pixels: NDArray[Any]) -> list[slice]:
    """Return the rows of the strips that are computed at once."""
    return [slice(row, row + STRIP_ROWS) for row in range(0, len(pixels), STRIP_ROWS)]
