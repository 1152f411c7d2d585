"""What a file says about its arrays, and which 2-D planes that makes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.errors import ImageError
from beadctl.images.conversion import LUMINANCE, Conversion, palette_luminance
from beadctl.images.plane import Plane, PlaneSource
from beadctl.images.whole import Pick

SLIVER_PX = 8
STACK_AXES = {"I": "page", "Q": "page"}


class Photometric(StrEnum):
    """What the stored numbers mean."""

    BLACK_IS_ZERO = "grey"
    WHITE_IS_ZERO = "grey, white is zero"
    RGB = "RGB"
    PALETTE = "palette"


@dataclass(frozen=True)
class Series:
    """One array of a file, not read yet.

    Attributes
    ----------
    path : Path
        The file.
    axes : str
        A letter per axis: Y, X, S samples of a pixel, C channels, anything else a stack.
    shape : tuple of int
        Lengths of the axes.
    dtype : numpy.dtype
        As stored.
    photometric : Photometric
        What the numbers mean.
    locate : callable
        ``locate(picks, transposed)`` gives the source of a plane, or None when the file does
        not hold it.
    bits : int
        Bits used of each unsigned number.
    has_alpha : bool
        Whether the last sample is an alpha value.
    palette : ndarray or None, shape (3, entries)
        Colours.
    pixel_size_um : float or None
        Edge of a pixel, um.
    name : str
        Which series of several, such as ``series=1``.
    is_certain : bool
        Whether the axes are named by the file rather than derived from its order of pages.
    doubt : str
        Why the axes must be named by the user; empty when they need not.
    is_part : bool
        Whether the series spreads over several files, so that planes may be elsewhere.
    """

    path: Path
    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    photometric: Photometric
    locate: Callable[[tuple[Pick, ...], bool], PlaneSource | None]
    bits: int = 0
    has_alpha: bool = False
    palette: NDArray[Any] | None = None
    pixel_size_um: float | None = None
    name: str = ""
    is_certain: bool = True
    doubt: str = ""
    is_part: bool = False

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each axis by its letter."""
        return dict(zip(self.axes, self.shape, strict=True))

    def error(self, what: str) -> ImageError:
        """Return the error for this series."""
        return ImageError(f"{self.path}: {f'{self.name} ' if self.name else ''}{what}")


def check_axes(series: Series, *, named_by_user: bool) -> None:
    """Refuse axes that cannot be, or that are more likely misread than meant.

    Raises
    ------
    ImageError
        Naming ``--axes``.
    """
    shape = " x ".join(map(str, series.shape))
    stated = f"axes {series.axes!r} for an array of {shape}"
    advice = f"name the {len(series.shape)} axes with --axes, such as {_example(len(series.shape))}"
    if len(series.axes) != len(series.shape):
        raise series.error(f"{stated}: one letter an axis is needed; {advice}")
    if not (series.axes.isascii() and series.axes.isalpha()) or len(set(series.axes)) < len(series.axes):
        raise series.error(f"{stated}: each axis needs a letter of its own; {advice}")
    if not {"Y", "X"} <= set(series.axes):
        raise series.error(f"{stated}: Y and X are missing; {advice}")
    if series.doubt and not named_by_user:
        raise series.error(f"{series.doubt}; {advice}")
    sizes = series.sizes
    longest = max((n for a, n in sizes.items() if a not in "YX"), default=1)
    if (
        not (named_by_user or series.is_certain)
        and min(sizes["Y"], sizes["X"]) < SLIVER_PX < 4 * SLIVER_PX <= longest
    ):
        # An array of Y, X, Z that was saved without naming its axes ends up as Y pages of X by Z.
        raise series.error(f"holds {longest} planes of only {sizes['Y']} x {sizes['X']} px; {advice}")


def _example(count: int) -> str:
    return {2: "YX", 3: "ZYX", 4: "TZYX", 5: "TZCYX"}.get(count, "TZCYX")


@dataclass(frozen=True)
class _Choice:
    """Which samples make a plane: their indices along C and S, and what becomes of them."""

    picks: tuple[dict[str, int], ...]
    conversion: Conversion


def choose_samples(series: Series, channel: int | None, *, named_by_user: bool) -> _Choice:
    """Decide which samples make one plane, and how.

    A C axis is chosen from with `channel`. Of colour samples (S) the luminance is taken, or the
    one that `channel` names when there is no C axis. Alpha is dropped. Samples that are neither
    colour nor alpha are channels.

    Raises
    ------
    ImageError
        Naming ``--channel``, if a choice is needed, or there is no such channel.
    """
    channels, samples = series.sizes.get("C", 1), series.sizes.get("S", 1)
    is_rgb = samples in (3, 4) and (
        series.photometric is Photometric.RGB or (named_by_user and "S" in series.axes)
    )
    is_grey = samples == 1 or (samples == 2 and series.has_alpha)
    if channels > 1:
        if not (is_rgb or is_grey):
            raise series.error(
                f"has {channels} channels of {samples} samples each; name its axes with --axes"
            )
        number = _checked(series, channel, channels)
        words, chosen = f"channel {number} of {channels}", {"C": number}
        if is_rgb:
            return _luminance(f"{words}, luminance of RGB", chosen)
        return _Choice((chosen | {"S": 0},), _grey(series, words))
    count = 3 if is_rgb else 1 if is_grey else samples - series.has_alpha
    if is_rgb and channel is None:
        return _luminance("luminance of RGB", {"C": 0})
    if count == 1 and not channel:
        return _Choice(({"C": 0, "S": 0},), _grey(series, "as stored"))
    number = _checked(series, channel, count)
    return _Choice(({"C": 0, "S": number},), _grey(series, f"channel {number} of {count}"))


def _checked(series: Series, channel: int | None, count: int) -> int:
    if channel is None or not 0 <= channel < count:
        how_many = f"has {count} channels" if count > 1 else "has one channel"
        choice = f"choose one with --channel 0..{count - 1}" if count > 1 else "leave --channel out"
        raise series.error(f"{how_many}; {choice}")
    return channel


def _luminance(words: str, chosen: dict[str, int]) -> _Choice:
    return _Choice(tuple(chosen | {"S": s} for s in range(3)), Conversion(words, weights=LUMINANCE))


def _grey(series: Series, words: str) -> Conversion:
    match series.photometric:
        case Photometric.PALETTE if series.palette is not None:
            return Conversion("luminance of the palette", table=palette_luminance(series.palette))
        case Photometric.WHITE_IS_ZERO:
            white_is = 2**series.bits - 1 if series.dtype.kind == "u" else -1
            inverted = "inverted, as its zero is white"
            return Conversion(inverted if words == "as stored" else f"{words}, {inverted}", white_is=white_is)
    return Conversion(words)


def planes_of(series: Series, choice: _Choice, first: int) -> Iterator[Plane | None]:
    """Yield the planes of a series in stored order; None for those that the file does not hold.

    Parameters
    ----------
    series : Series
        With axes that `check_axes` accepts.
    choice : _Choice
        From `choose_samples`.
    first : int
        Index of the first plane.
    """
    stack = [i for i, a in enumerate(series.axes) if a not in "YXSC"]
    sizes = series.sizes
    transposed = series.axes.index("X") < series.axes.index("Y")
    for number, indices in enumerate(product(*(range(series.shape[i]) for i in stack))):
        at = {series.axes[i]: index for i, index in zip(stack, indices, strict=True)}
        picks = tuple(
            tuple(None if a in "YX" else (at | chosen)[a] for a in series.axes) for chosen in choice.picks
        )
        source = series.locate(picks, transposed)
        words = [f"{STACK_AXES.get(a, a)}={i}" for a, i in at.items() if sizes[a] > 1]
        yield (
            None
            if source is None
            else Plane(
                path=series.path,
                index=first + number,
                position=" ".join([series.name, *words] if series.name else words),
                height=sizes["Y"],
                width=sizes["X"],
                dtype=choice.conversion.dtype(series.dtype),
                pixel_size_um=series.pixel_size_um,
                source=source,
                conversion=choice.conversion,
            )
        )
