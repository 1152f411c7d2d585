"""Arrays in memory, described as image files are."""

import string
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from beadctl.errors import ImageError
from beadctl.images.plane import PlaneSource
from beadctl.images.series import Photometric, Series
from beadctl.images.whole import Pick, WholeSource


def array_series(array: ArrayLike, name: str) -> Series:
    """Describe an array.

    Two axes are Y and X. More are named by ``dims`` if these are single letters, as xarray may have them;
    else the user has to name them.

    Parameters
    ----------
    array : array_like
        Real numbers. Anything but a NumPy array, such as one of dask, is computed here, once. The masked
        elements of a masked array are NaN.
    name : str
        Stands for the path of a file.

    Raises
    ------
    ImageError
        If it holds no pixels or no real numbers.
    """
    pixels = np.asarray(_unmasked(array))
    shape = " x ".join(map(str, pixels.shape))
    if pixels.dtype.kind not in "biuf":
        raise ImageError(f"{name}: holds {pixels.dtype} and no real numbers; give the pixels of an image")
    if pixels.ndim < 2 or not pixels.size:
        raise ImageError(f"{name}: has the shape ({shape}) and no plane; give the pixels of an image")
    axes = _named_axes(array, pixels)
    # Letters that nobody reads stand for axes without a name.
    unnamed = "YX" if pixels.ndim == 2 else string.ascii_uppercase[: pixels.ndim - 2] + "YX"

    def locate(picks: tuple[Pick, ...], transposed: bool) -> PlaneSource:
        return WholeSource(lambda: pixels, picks, transposed)

    return Series(
        Path(name),
        axes or unnamed,
        pixels.shape,
        pixels.dtype,
        Photometric.BLACK_IS_ZERO,
        locate,
        is_certain=bool(axes) or pixels.ndim == 2,
        doubt="" if axes or pixels.ndim == 2 else f"an array of {shape} does not name its axes (YXS for RGB)",
    )


def _unmasked(array: ArrayLike) -> ArrayLike:
    """Return a masked array with NaN where it is masked; any other as it is."""
    if not (isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array)):
        return array
    if array.dtype.kind not in "biuf":
        return array.data
    return np.asarray(np.ma.filled(array.astype(np.result_type(array.dtype, np.float32)), np.nan))


def _named_axes(array: ArrayLike, pixels: NDArray[Any]) -> str:
    """Return the axes that an array names itself by letters; empty if it does not."""
    names = [str(name).upper() for name in getattr(array, "dims", ())]
    axes = "".join(names)
    return axes if len(axes) == len(names) == pixels.ndim else ""
