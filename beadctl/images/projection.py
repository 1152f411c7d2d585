"""Z stacks as one plane: their maximum, their mean, or their sharpest plane."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl import scratch
from beadctl.counting.stacks import Projection
from beadctl.errors import ImageError
from beadctl.images.conversion import Conversion
from beadctl.images.plane import Absent, Pixels, Plane
from beadctl.images.window import Window
from beadctl.words import number_of


def stacks_of(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Return the Z stacks of a file, each in the order of its planes; planes without a Z axis are alone.

    Planes of other axes, such as T, and of other series are stacks of their own.

    Parameters
    ----------
    planes : sequence of Plane
        Of one file.

    Raises
    ------
    ImageError
        If the file does not name the axis of its planes, so that they may be times; or if a Z stack has
        planes in other files of a set.
    """
    if any(plane.in_part for plane in planes):
        raise ImageError(f"{planes[0].path}: has a part of a Z stack; save the stack as one file")
    if len(planes) > 1 and any("page=" in plane.position for plane in planes):
        raise ImageError(
            f"{planes[0].path}: does not name the axis of its planes; name the axes with --axes, such as ZYX"
        )
    stacks: dict[tuple[str, int, int], list[Plane]] = {}
    for plane in planes:
        stacks.setdefault((without_z(plane.position), plane.height, plane.width), []).append(plane)
    return list(stacks.values())


def without_z(position: str) -> str:
    """Return a position without its place in the Z stack.

    Examples
    --------
    >>> without_z("T=0 Z=3")
    'T=0'
    """
    return " ".join(part for part in position.split() if not part.startswith("Z="))


def projected(planes: Sequence[Plane], how: Projection) -> tuple[Plane, ...]:
    """Return one plane for each Z stack of a file.

    The maximum and the mean are taken pixel by pixel, of luminance where planes have colours; a pixel that is
    NaN in one plane is NaN. The sharpest plane is that whose Laplacian has the highest variance (Pech-Pacheco
    et al., Diatom autofocusing in brightfield microscopy, ICPR 2000); noise must be the same in all planes. A
    stack with a plane that cannot be decoded is one plane too, which cannot be opened.

    Parameters
    ----------
    planes : sequence of Plane
        Of one file.
    how : Projection
        What a stack becomes.

    Raises
    ------
    ImageError
        As for `stacks_of`.
    """
    found = []
    for stack in stacks_of(planes):
        first = stack[0]
        if len(stack) > 1 and how is Projection.SHARPEST:
            first = _sharpest(stack)
        elif len(stack) > 1:
            text = f"{how} of {number_of(len(stack), 'plane')}"
            dtype = np.dtype(np.float32) if how is Projection.MEAN else first.dtype
            source = ProjectedSource(tuple(stack), how, dtype)
            conversion = Conversion(text, inverted_from=first.conversion.inverted_from)
            first = replace(first, dtype=dtype, source=source, conversion=conversion)
        found.append(replace(first, position=without_z(first.position), z_step_um=None))
    return tuple(found)


@dataclass(frozen=True)
class _Computed:
    """The pixels of a projection; implements `beadctl.images.plane.Samples`."""

    pixels: NDArray[Any]

    def read(self, window: Window) -> list[NDArray[Any]]:
        return [self.pixels[window.slices]]


@dataclass(frozen=True)
class ProjectedSource:
    """Maximum or mean of planes of one size, computed when it is opened; as stored, where zero is white.

    Attributes
    ----------
    planes : tuple of Plane
        The planes.
    how : Projection
        Maximum or mean.
    dtype : numpy.dtype
        Of the result.
    """

    planes: tuple[Plane, ...]
    how: Projection
    dtype: np.dtype[Any]

    @contextlib.contextmanager
    def open(self) -> Iterator[_Computed]:
        """Compute the projection, one plane at a time and by bands of rows."""
        height, width = self.planes[0].height, self.planes[0].width
        result = scratch.zeros((height, width), self.dtype)
        conversion = self.planes[0].conversion
        brighter = np.maximum if conversion.inverted_from is None else np.minimum
        for number, plane in enumerate(self.planes):
            with _opened(plane) as pixels:
                for rows in scratch.bands(height, width):
                    read = pixels.read(Window(rows.start, 0, rows.stop - rows.start, width))
                    part = conversion.stored(read)
                    if number == 0:
                        result[rows] = part
                    elif self.how is Projection.MEAN:
                        result[rows] += part
                    else:
                        result[rows] = brighter(result[rows], part)
                    scratch.release(result)
        if self.how is Projection.MEAN:
            # At the end, so that the mean of one grey level is this level: saturated pixels stay so.
            for rows in scratch.bands(height, width):
                result[rows] /= len(self.planes)
                scratch.release(result)
        yield _Computed(result)


@contextlib.contextmanager
def _opened(plane: Plane) -> Iterator[Pixels]:
    """Open a plane of a stack; an error says which one it is."""
    try:
        with plane.open() as pixels:
            yield pixels
    except ImageError as error:
        fault = str(error).removeprefix(f"{plane.path}: ")
        raise ImageError(f"{plane.path}: its plane {plane.index}: {fault}") from error


def _sharpest(stack: Sequence[Plane]) -> Plane:
    """Return the sharpest plane; the first, not to be opened, where one cannot be decoded."""
    try:
        return max(stack, key=_sharpness)
    except ImageError as error:
        path = stack[0].path
        return replace(stack[0], source=Absent(path, str(error).removeprefix(f"{path}: ")))


def _sharpness(plane: Plane) -> float:
    """Return the variance of the Laplacian of a plane, by bands of rows; beside NaN there is none."""
    from scipy.ndimage import laplace

    count, total, squares = 0, 0.0, 0.0
    with _opened(plane) as pixels:
        for rows in scratch.bands(plane.height, plane.width):
            part = pixels.read(Window(rows.start, 0, rows.stop - rows.start, plane.width))
            with np.errstate(invalid="ignore"):
                edges = laplace(part.astype(np.float32))
            edges = edges[np.isfinite(edges)]
            count += edges.size
            total += float(edges.sum(dtype=np.float64))
            squares += float(np.square(edges, dtype=np.float64).sum())
    return squares / count - (total / count) ** 2 if count else 0.0
