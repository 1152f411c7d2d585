"""2-D planes of an image file; pixels are read on request."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.errors import ImageError
from beadctl.images.conversion import Conversion
from beadctl.images.intensities import Intensities, saturated_pixels
from beadctl.images.window import Window


class Samples(Protocol):
    """Stored samples of one plane while its file is open."""

    def read(self, window: Window) -> list[NDArray[Any]]:
        """Return a window of each stored sample, each of shape (height, width)."""


class PlaneSource(Protocol):
    """Location of the stored samples of one plane; can be pickled."""

    def open(self) -> AbstractContextManager[Samples]:
        """Open the file."""


@dataclass(frozen=True)
class Absent:
    """Source of a plane that is not there: its set of files lacks it, or it cannot be told from damaged ones.

    Attributes
    ----------
    path : Path
        The file that tells of it.
    fault : str
        What is missing or damaged, in words.
    """

    path: Path
    fault: str

    def open(self) -> NoReturn:
        """Raise an `ImageError`."""
        raise ImageError(f"{self.path}: {self.fault}")


class Pixels(Protocol):
    """Pixels of an open plane."""

    @property
    def height(self) -> int:
        """Rows, px."""

    @property
    def width(self) -> int:
        """Columns, px."""

    def read(self, window: Window) -> NDArray[Any]:
        """Return a window that lies inside the plane, shape (height, width), in the plane's dtype."""

    def read_all(self) -> NDArray[Any]:
        """Return the whole plane, shape (height, width)."""


@dataclass(frozen=True)
class InMemory:
    """An array that is read like an open plane; implements `Pixels`.

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
        """Return a view of a window; ValueError if it is not inside the array."""
        _check_inside(window, self)
        return np.asarray(self.pixels[window.slices])

    def read_all(self) -> NDArray[Any]:
        """Return the whole array."""
        return self.pixels


@dataclass(frozen=True)
class Plane:
    """One 2-D plane of an image file.

    Attributes
    ----------
    path : Path
        The file.
    index : int
        Number of the plane in the file, 0-based; the value of ``--plane``.
    position : str
        Position in the stack, such as ``T=0 Z=3``; empty for a single plane.
    height, width : int
        Size, px.
    dtype : numpy.dtype
        Of the pixels as read: the stored one, or float32 for luminance.
    pixel_size_um : float or None
        Edge of a pixel, um; None if unknown.
    source : PlaneSource
        Location of the stored samples.
    conversion : Conversion
        From the stored samples to pixels.
    z_step_um : float or None
        Distance to the next plane of its Z stack, um; None if unknown.
    in_part : bool
        Whether its Z stack has planes in other files of a set.
    """

    path: Path
    index: int
    position: str
    height: int
    width: int
    dtype: np.dtype[Any]
    pixel_size_um: float | None
    source: PlaneSource = field(repr=False, compare=False)
    conversion: Conversion = field(repr=False, compare=False)
    z_step_um: float | None = None
    in_part: bool = False

    @contextlib.contextmanager
    def open(self) -> Iterator[Pixels]:
        """Open the file for reads of windows.

        Of tiled, striped and uncompressed TIFF files only the parts that a window touches are decoded;
        other files are decoded once and kept until the context ends.

        Raises
        ------
        ImageError
            If the file cannot be opened or, in a read, its pixels cannot be decoded.
        """
        with self.source.open() as samples:
            yield _OpenPlane(self.height, self.width, self.conversion, samples)


@dataclass(frozen=True)
class _OpenPlane:
    height: int
    width: int
    conversion: Conversion
    samples: Samples

    def read(self, window: Window) -> NDArray[Any]:
        _check_inside(window, self)
        return self.conversion.apply(self.samples.read(window))

    def read_all(self) -> NDArray[Any]:
        (whole,) = self._gathered(lambda rows: [self.read(self._window(rows))])
        return whole

    def intensities(self, image: NDArray[Any]) -> Intensities:
        if self.conversion.weights:
            colours = self._gathered(lambda rows: self.samples.read(self._window(rows)))
            return Intensities(image, saturated_pixels(colours))
        if self.conversion.inverted_from is None:
            return Intensities(image)
        (stored,) = self._gathered(lambda rows: [self.conversion.stored(image[rows])])
        return Intensities(stored)

    def _window(self, rows: slice) -> Window:
        return Window(rows.start, 0, rows.stop - rows.start, self.width)

    def _gathered(self, read: Callable[[slice], list[NDArray[Any]]]) -> list[NDArray[Any]]:
        """Return arrays of the plane's size that `read` gives band by band."""
        bands = scratch.bands(self.height, self.width)
        first = next(bands)
        parts = read(first)
        if first.stop == self.height:
            return parts
        whole = [scratch.zeros((self.height, self.width), part.dtype) for part in parts]
        for array, part in zip(whole, parts, strict=True):
            array[first] = part
        for rows in bands:
            for array, part in zip(whole, read(rows), strict=True):
                array[rows] = part
            scratch.release(*whole)
        return whole


def intensities_of(pixels: Pixels, image: NDArray[Any]) -> Intensities:
    """Return what is measured of an open plane, of which `image` are all pixels, as read."""
    return pixels.intensities(image) if isinstance(pixels, _OpenPlane) else Intensities(image)


def _check_inside(window: Window, pixels: Pixels) -> None:
    if not window.is_inside(pixels.height, pixels.width):
        raise ValueError(f"{window} is not inside a plane of {pixels.height} x {pixels.width} px")
