"""Leica LIF files, by liffile: each image of the file is a series, read frame by frame."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.errors import ImageError
from beadctl.images.extra import quieten
from beadctl.images.failure import damaged, failures
from beadctl.images.frames import Frames, letters, named
from beadctl.images.limits import Limits
from beadctl.images.pixel_size import Spacing, spacing_of, um_per_unit
from beadctl.images.series import Photometric, Series, SeriesFacts
from beadctl.images.window import Window


@dataclass(frozen=True)
class _LifFile:
    """An image of a file: its number, and the name and length of each axis before Y and X."""

    path: Path
    image: int
    lead: tuple[tuple[str, int], ...]
    shape: tuple[int, int, int]

    @contextlib.contextmanager
    def open(self) -> Iterator["_LifReader"]:
        from liffile import LifFile

        quieten()
        with failures(self.path):
            lif = LifFile(self.path, squeeze=False)
        with lif:
            with failures(self.path):
                image = lif.images[self.image]
            yield _LifReader(self, image)


class _LifReader:
    def __init__(self, file: _LifFile, image: Any) -> None:
        indices = list(product(*(range(length) for _, length in file.lead)))
        names = [name for name, _ in file.lead]

        def frame(number: int) -> NDArray[Any]:
            with failures(file.path):
                at = dict(zip(names, indices[number], strict=True))
                return np.asarray(image.frame(**at)).reshape(file.shape)

        self._frame = lru_cache(1)(frame)

    def box(self, frame: int, window: Window) -> NDArray[Any]:
        return self._frame(frame)[window.slices]


def lif_series(path: Path, number: int | None, limits: Limits) -> tuple[list[Series], list[SeriesFacts]]:
    """Describe the images of a LIF file; parameters, results and errors are those of `tiff_series`.

    Lifetime images (FLIM), which hold no grey values, are left out like side images.
    """
    from liffile import LifFile

    quieten()
    with failures(path), LifFile(path, squeeze=False) as lif:
        images = list(lif.images)
        if not images:
            raise damaged(path, "no image is left")
        stated = sum(element.find("./Data/Image") is not None for element in lif.xml_element.iter("Element"))
        if stated > sum(not image.is_flim for image in images):
            raise ImageError(f"{path}: several of its images have the same name; rename them and save it")
        facts = [_facts(image) for image in images]
        return named(path, lambda i: _described(path, images[i], i, limits), facts, number), facts


def _facts(image: Any) -> SeriesFacts:
    if image.is_flim:
        return SeriesFacts(image.path, "", (), "", "lifetime image")
    try:
        lead, frame = _axes(image)
        shape = (*lead.values(), *frame)
        return SeriesFacts(image.path, "".join(letters(lead)) + "YXS"[: len(frame)], shape, str(image.dtype))
    except (KeyError, ValueError, TypeError, AssertionError, ArithmeticError, ImageError):
        # The reason is an error where this image is read.
        return SeriesFacts(image.path, "", (), "not readable")


def _axes(image: Any) -> tuple[dict[str, int], tuple[int, ...]]:
    """Return the lengths of the axes before Y and X that are longer than 1, and the shape of a frame."""
    sizes = dict(image.sizes)
    frame = dict(image.frames.frame_sizes)
    if tuple(frame) not in (("Y", "X"), ("Y", "X", "S")):
        raise ValueError(f"axes {' '.join(sizes)} are not planes of Y by X")
    lead = {name: length for name, length in sizes.items() if name not in frame and length != 1}
    if any(len(name) > 1 for name in lead):
        raise ValueError(f"channels in several axes, {' '.join(sizes)}")
    return lead, tuple(length for name, length in frame.items() if name != "S" or length > 1)


def _described(path: Path, image: Any, number: int, limits: Limits) -> Series:
    if image.is_flim:
        raise ImageError(f"{path}: series {number} is a lifetime image; export it as OME-TIFF")
    lead, (height, width, *rest) = _axes(image)
    samples, dtype = rest[0] if rest else 1, image.dtype
    count, block = math.prod(lead.values()), image.memory_block
    limits.check_planes(path, count)
    if count <= 0 or any(length < 0 for length in lead.values()):
        raise damaged(path, f"it claims {count:,} planes")
    file = _LifFile(path, number, tuple(lead.items()), (height, width, samples))
    frames = Frames(file, tuple(lead.values()), height, width, samples)
    frames.check(path, dtype, block.size)
    if block.offset + block.size > path.stat().st_size:
        raise damaged(path, "the file ends within the pixels")
    spacing = _spacing(image)
    return Series(
        path=path,
        axes="".join(letters(lead)) + "YX" + "S" * (samples > 1),
        shape=frames.shape,
        dtype=dtype.newbyteorder("="),
        photometric=Photometric.RGB if samples == 3 else Photometric.BLACK_IS_ZERO,
        locate=frames.locate,
        pixel_size_um=spacing.pixel_size_um,
        size_fault=spacing.fault,
        z_step_um=spacing.z_step_um,
    )


def _spacing(image: Any) -> Spacing:
    sizes = {}
    for axis in image.xml_element.iterfind("./Data/Image/ImageDescription/Dimensions/DimensionDescription"):
        name = {"1": "X", "2": "Y", "3": "Z"}.get(axis.get("DimID"))
        um = um_per_unit(axis.get("Unit", ""))
        with contextlib.suppress(ValueError, ZeroDivisionError):
            # The length is that from the first element to the last.
            step = abs(float(axis.get("Length", ""))) / (int(axis.get("NumberOfElements", "")) - 1)
            if name and um:
                sizes[name] = um * step
    return spacing_of(sizes)
