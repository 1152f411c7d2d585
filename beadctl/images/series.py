"""The arrays that the metadata of a file describe, and their 2-D planes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.errors import ImageError
from beadctl.images.conversion import LUMINANCE, Conversion
from beadctl.images.plane import Absent, Plane, PlaneSource
from beadctl.images.whole import Pick

SLIVER_PX = 8
"""Planes narrower than this in a stack four times as deep are more likely a misread axis order."""

DEEPEST_STACK = 128
"""Most slices of a stack whose axes may be Y, X, Z: a page of an array without names of its axes that is as
narrow, and at most half as wide as long and as there are pages, may be X by Z."""

MOST_CHANNELS = 16
"""Above this, channels are more likely the planes of an array that was saved without names of its axes."""

STACK_AXES = {"I": "page", "Q": "page"}


class Photometric(StrEnum):
    """Meaning of the stored values."""

    BLACK_IS_ZERO = "grey"
    WHITE_IS_ZERO = "grey, white is zero"
    RGB = "RGB"
    PALETTE = "palette"


@dataclass(frozen=True)
class SeriesFacts:
    """One image of a file, from its metadata.

    Attributes
    ----------
    title : str
        Its name in the file; empty if it has none.
    axes, shape : str and tuple of int
        As of `Series`.
    dtype : str
        As stored.
    side : str
        Kind of side image, in words, such as ``label image``; empty for a field of view.
    """

    title: str
    axes: str
    shape: tuple[int, ...]
    dtype: str
    side: str = ""

    def __str__(self) -> str:
        """Return the facts in words."""
        size = " x ".join(map(str, self.shape))
        return f"{self.title and repr(self.title) + ', '}{self.axes}, {size}, {self.dtype}"


def chosen_series(path: Path, facts: Sequence[SeriesFacts], number: int | None) -> list[int]:
    """Return the series to read, 0-based: the one of a number, else all but side images.

    Raises
    ------
    ImageError
        If there is no series of this number, which recommends ``--series``.
    """
    if number is None:
        return [i for i, one in enumerate(facts) if not one.side]
    if not 0 <= number < len(facts):
        if len(facts) == 1:
            raise ImageError(f"{path}: has one series; leave --series out")
        raise ImageError(f"{path}: has {len(facts)} series; choose one with --series 0..{len(facts) - 1}")
    return [number]


@dataclass(frozen=True)
class Series:
    """One array of a file; its pixels are not read yet.

    Attributes
    ----------
    path : Path
        The file.
    axes : str
        A letter per axis: Y, X, S (samples of a pixel), C (channels); any other is a stack of planes.
    shape : tuple of int
        Lengths of the axes.
    dtype : numpy.dtype
        As stored.
    photometric : Photometric
        Meaning of the values.
    locate : callable
        ``locate(picks, transposed)`` returns the source of a plane, or None if it is not in the file.
    bits : int
        Bits used of each unsigned value.
    has_alpha : bool
        Whether the last sample is alpha.
    palette : ndarray or None, shape (3, entries)
        Red, green and blue of each entry.
    pixel_size_um : float or None
        Edge of a pixel, um; None if unknown.
    size_fault : str
        Why the pixel size of the file is no size; empty if it is one, or if there is none.
    z_step_um : float or None
        Distance between the planes of a Z stack, um; None if unknown.
    name : str
        Number among several series, such as ``series=1``; else empty.
    is_certain : bool
        Whether the file names the axes; otherwise they are derived from the order of its pages.
    doubt : str
        Why the user must name the axes; empty if that is not needed.
    is_part : bool
        Whether the series spans several files, so that planes may be in other files.
    note : str
        What is left out or assumed; empty if nothing.
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
    size_fault: str = ""
    z_step_um: float | None = None
    name: str = ""
    is_certain: bool = True
    doubt: str = ""
    is_part: bool = False
    note: str = ""

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each axis by its letter."""
        return dict(zip(self.axes, self.shape, strict=True))

    def error(self, message: str) -> ImageError:
        """Return an error that names the file and the series, followed by `message`."""
        return ImageError(f"{self.path}: {f'{self.name} ' if self.name else ''}{message}")


def _check_axes(series: Series, *, named_by_user: bool) -> None:
    """Refuse invalid axes and, unless the user named them, doubtful or probably misread ones."""
    shape = " x ".join(map(str, series.shape))
    stated = f"axes {series.axes!r} for an array of {shape}"
    example = {2: "YX", 3: "ZYX", 4: "TZYX"}.get(len(series.shape), "TZCYX")
    advice = f"name the {len(series.shape)} axes with --axes, such as {example}"
    if len(series.axes) != len(series.shape):
        raise series.error(f"{stated}: one letter an axis is needed; {advice}")
    if not (series.axes.isascii() and series.axes.isalpha()) or len(set(series.axes)) < len(series.axes):
        raise series.error(f"{stated}: each axis needs a letter of its own; {advice}")
    if not {"Y", "X"} <= set(series.axes):
        raise series.error(f"{stated}: Y and X are missing; {advice}")
    if min(series.shape, default=0) < 1:
        raise series.error(f"{stated}: it holds no pixels; export it again")
    if series.doubt and not named_by_user:
        raise series.error(f"{series.doubt}; {advice}")
    sizes = series.sizes
    pages = max((n for a, n in sizes.items() if a not in "YX"), default=1)
    narrow, wide = sorted((sizes["Y"], sizes["X"]))
    is_sliver = narrow < SLIVER_PX < 4 * SLIVER_PX <= pages
    # An array with axes Y, X, Z that was saved without their names is read as Y pages of X by Z.
    may_be_yxz = not STACK_AXES.keys().isdisjoint(sizes) and 2 * narrow <= min(wide, pages)
    if not (named_by_user or series.is_certain) and (is_sliver or (may_be_yxz and narrow <= DEEPEST_STACK)):
        fault = f"names no axes; read as {pages} planes of {sizes['Y']} x {sizes['X']} px it may be misread"
        ways = f"--axes {series.axes.translate(_UNNAMED)}, or --axes YXZ if the planes are the last axis"
        raise series.error(f"{fault}; name the axes: {ways}")


_UNNAMED = str.maketrans(dict.fromkeys(STACK_AXES, "Z"))

_Choice = tuple[tuple[dict[str, int], ...], Conversion]
"""Samples of a plane: the index along the axes C and S of each, and their conversion."""


def _choose_samples(series: Series, channel: int | None, *, named_by_user: bool) -> _Choice:
    """Choose a channel of the C axis, else of the samples; without `channel`, RGB becomes luminance."""
    channels, samples = series.sizes.get("C", 1), series.sizes.get("S", 1)
    may_be_rgb = series.photometric is Photometric.RGB or (named_by_user and "S" in series.axes)
    # A fourth sample that is not alpha makes four channels, unless the user names the samples S.
    is_rgb = may_be_rgb and (samples == 3 or (samples == 4 and (series.has_alpha or named_by_user)))
    is_grey = samples == 1 or (samples == 2 and series.has_alpha)
    if channels > 1:
        if not (is_rgb or is_grey):
            fault = f"has {channels} channels of {samples} samples each"
            raise series.error(f"{fault}; name its axes with --axes")
        number = _checked(series, channel, channels)
        description, index = f"channel {number} of {channels}", {"C": number}
        if is_rgb:
            return _luminance(f"{description}, luminance of RGB", index)
        return (index | {"S": 0},), _grey(series, description)
    count = 1 if is_grey else samples if is_rgb else samples - series.has_alpha
    if is_rgb and channel is None:
        return _luminance("luminance of RGB", {"C": 0})
    if count == 1 and not channel:
        return ({"C": 0, "S": 0},), _grey(series, "as stored")
    number = _checked(series, channel, count)
    return ({"C": 0, "S": number},), _grey(series, f"channel {number} of {count}")


def _channel_here(series: Series, channel: int | None) -> int | None:
    """Return the channel to use of one file of a set: the only one in the file, if there is just one."""
    count = series.sizes.get("C", 1)
    if not series.is_part or count == 1 or channel not in (None, *range(count)):
        return channel
    one = {"Y": (None,), "X": (None,), "S": (0,)}

    def is_here(number: int) -> bool:
        indices = {**one, "C": (number,)}
        ranges = [indices.get(a, range(n)) for a, n in zip(series.axes, series.shape, strict=True)]
        found = (series.locate((pick,), False) for pick in product(*ranges))
        return any(source is not None and not isinstance(source, Absent) for source in found)

    here = [number for number in range(count) if is_here(number)]
    if channel is None:
        # Where none is here, no plane is read.
        return here[0] if len(here) == 1 else None if here else 0
    if here and channel not in here:
        fault = f"channel {channel} of {count} is in another file of its set, this one holds {here}"
        raise series.error(f"{fault}; give the other file, or choose --channel {here[0]}")
    return channel


def _checked(series: Series, channel: int | None, count: int) -> int:
    if channel is None or not 0 <= channel < count:
        if count == 1:
            raise series.error("has one channel; leave --channel out")
        advice = f"choose one with --channel 0..{count - 1}"
        if count > MOST_CHANNELS:
            advice += ", or name the axes with --axes, such as YXZ, if they are planes"
        elif count == 4 and series.photometric is Photometric.RGB:
            advice += f", or --axes {series.axes} for RGB without its fourth sample"
        raise series.error(f"has {count} channels; {advice}")
    return channel


def _luminance(description: str, index: dict[str, int]) -> _Choice:
    return tuple(index | {"S": s} for s in range(3)), Conversion(description, weights=LUMINANCE)


def _grey(series: Series, description: str) -> Conversion:
    match series.photometric:
        case Photometric.PALETTE if series.palette is not None:
            table = np.asarray(LUMINANCE) @ series.palette.astype(np.float64)
            return Conversion("luminance of the palette", table=tuple(table))
        case Photometric.WHITE_IS_ZERO:
            largest = 2**series.bits - 1 if series.dtype.kind == "u" else -1
            prefix = "" if description == "as stored" else f"{description}, "
            return Conversion(f"{prefix}inverted, as its zero is white", inverted_from=largest)
    return Conversion(description)


def planes_of(
    series: Series, first: int, channel: int | None, *, named_by_user: bool
) -> tuple[list[Plane | None], str]:
    """Return the planes of a series in stored order, None for one not in the file, and their conversion.

    Parameters
    ----------
    series : Series
        The array.
    first : int
        Index of the first plane.
    channel : int or None
        As in `ReadOptions`.
    named_by_user : bool
        Whether the axes come from ``--axes``: doubtful ones are accepted, and 3 or 4 samples are RGB.

    Raises
    ------
    ImageError
        If the axes are invalid or doubtful, which recommends ``--axes``; or if a channel must be chosen or
        does not exist, which recommends ``--channel``.
    """
    _check_axes(series, named_by_user=named_by_user)
    channel = _channel_here(series, channel)
    samples, conversion = _choose_samples(series, channel, named_by_user=named_by_user)
    stack = [i for i, a in enumerate(series.axes) if a not in "YXSC"]
    sizes = series.sizes
    transposed = series.axes.index("X") < series.axes.index("Y")
    planes: list[Plane | None] = []
    # Place of each plane without Z.
    stacks: list[tuple[int, ...]] = []
    for indices in product(*(range(series.shape[i]) for i in stack)):
        stacks.append(tuple(n for i, n in zip(stack, indices, strict=True) if series.axes[i] != "Z"))
        at = {series.axes[i]: index for i, index in zip(stack, indices, strict=True)}
        picks = tuple(
            tuple(None if a in "YX" else (at | sample)[a] for a in series.axes) for sample in samples
        )
        source = series.locate(picks, transposed)
        if source is None:
            planes.append(None)
            continue
        position = [f"{STACK_AXES.get(a, a)}={i}" for a, i in at.items() if sizes[a] > 1]
        planes.append(
            Plane(
                path=series.path,
                index=first + len(planes),
                position=" ".join([series.name, *position] if series.name else position),
                height=sizes["Y"],
                width=sizes["X"],
                dtype=conversion.dtype(series.dtype),
                pixel_size_um=series.pixel_size_um,
                source=source,
                conversion=conversion,
                z_step_um=series.z_step_um,
            )
        )
    if series.is_part:
        in_part = {place for place, plane in zip(stacks, planes, strict=True) if plane is None}
        planes = [
            plane and replace(plane, in_part=place in in_part)
            for place, plane in zip(stacks, planes, strict=True)
        ]
    return planes, conversion.description
