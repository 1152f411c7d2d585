"""The part of an image that is counted: a rectangle, outlines of QuPath or ImageJ, or a mask image.

A pixel belongs to a region by its centre, as for beads that are drawn: see `beadctl.annotations.outline`.
"""

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.canvas import HIDDEN, Load
from beadctl.annotations.document import FARTHEST_PX
from beadctl.annotations.formats import AnnotationFormat, binary, geojson, labels
from beadctl.annotations.head import Head, detect
from beadctl.errors import AnnotationError, SettingsError
from beadctl.files import sha256

FORMS = (AnnotationFormat.LABELS, AnnotationFormat.IMAGEJ, AnnotationFormat.GEOJSON)
# Masks of whole planes that are kept: the planes of most runs have one size.
KEPT_MASKS = 2
PIXEL_CENTRE = Decimal("0.5")

Shape = tuple[int, int]


@dataclass(frozen=True)
class RegionMask:
    """The pixels of a region in an image.

    Attributes
    ----------
    inside : ndarray of bool, shape (H, W)
        True in the region; read-only.
    notes : tuple of str
        What was cut or left out.
    """

    inside: NDArray[np.bool_]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Region:
    """A part of the images of a run.

    Attributes
    ----------
    text : str
        As the user gave it: ``x,y,width,height`` in px from the image's upper left corner, or a file.
    box : tuple of int or None
        First row and column of the rectangle, and one past the last ones; None for a file.
    sha256 : str
        Of the file's content; empty for a rectangle.
    """

    text: str
    box: tuple[int, int, int, int] | None = None
    sha256: str = ""

    @classmethod
    def of(cls, text: str, flag: str) -> "Region":
        """Read a region as the user gives it.

        Parameters
        ----------
        text : str
            ``x,y,width,height``, or the path of a GeoJSON file, an ImageJ ROI or ROI set, or a mask image.
        flag : str
            The flag that it is the value of, for errors.

        Raises
        ------
        SettingsError
            If it is neither a rectangle nor a file, or the file cannot be read or is of another kind.
        """
        box = _box(text)
        if box:
            return cls(text, box)
        path = Path(text)
        if not path.is_file():
            raise SettingsError(
                f"{flag} {text}: is neither x,y,width,height in px, such as 0,0,640,480, nor an existing file"
            )
        try:
            _outlines(path)
        except AnnotationError as error:
            raise SettingsError(f"{flag} {error}") from None
        return cls(text, sha256=sha256(path))

    @property
    def identity(self) -> object:
        """What decides the pixels of the region, for fingerprints: not the place of a file."""
        return self.box or self.sha256

    def absolute(self) -> "Region":
        """Return the same region with the absolute path of its file."""
        return self if self.box else replace(self, text=str(Path(self.text).absolute()))

    def mask(self, shape: Shape) -> RegionMask:
        """Return the pixels of the region in an image of this height and width, px.

        Raises
        ------
        AnnotationError
            If the region has no pixel of the image or a part outside it, or a mask has another shape.
        """
        found = _of_rectangle(self.box, self.text, shape) if self.box else _of_file(Path(self.text), shape)
        if not found.inside.any():
            causes = [_size(shape), *(note.removeprefix(f"{Path(self.text)}: ") for note in found.notes)]
            raise AnnotationError(
                f"{self.text}: region without a pixel of the image ({'; '.join(causes)}); correct it"
            )
        return found


@dataclass(frozen=True)
class CountedRegion:
    """The region in which beads are counted.

    Attributes
    ----------
    region, exclude : Region or None
        Where beads are counted, and the part of it that is left out; None for the whole image, and nothing.

    Examples
    --------
    >>> CountedRegion.of("1,0,2,2", "2,0,9,1").mask((2, 4)).inside.astype(int).tolist()
    [[0, 1, 0, 0], [0, 1, 1, 0]]
    """

    region: Region | None = None
    exclude: Region | None = None

    @classmethod
    def of(cls, region: str | None, exclude: str | None) -> "CountedRegion | None":
        """Read the values of ``--region`` and ``--region-exclude``, as `Region.of`; None if both are None."""
        if region is None and exclude is None:
            return None
        return cls(
            None if region is None else Region.of(region, "--region"),
            None if exclude is None else Region.of(exclude, "--region-exclude"),
        )

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of both parts that there are."""
        return tuple(part.text for part in (self.region, self.exclude) if part)

    def absolute(self) -> "CountedRegion":
        """Return the same region for a process that runs in another folder."""
        return CountedRegion(*(part and part.absolute() for part in (self.region, self.exclude)))

    @property
    def identity(self) -> object:
        """What decides the pixels that are counted in, for fingerprints."""
        return [part and part.identity for part in (self.region, self.exclude)]

    def mask(self, shape: Shape) -> RegionMask:
        """Return the pixels in which beads are counted; parameters and errors are those of `Region.mask`."""
        return _counted(self, shape)


@lru_cache(KEPT_MASKS)
def _counted(counted: CountedRegion, shape: Shape) -> RegionMask:
    inside, notes = np.ones(shape, bool), list[str]()
    if counted.region:
        found = counted.region.mask(shape)
        inside &= found.inside
        notes += found.notes
    if counted.exclude:
        found = counted.exclude.mask(shape)
        inside &= ~found.inside
        notes += found.notes
        if not inside.any():
            raise AnnotationError(
                f"--region-exclude {counted.exclude.text}: leaves nothing of the region; correct it"
            )
    inside.flags.writeable = False
    return RegionMask(inside, tuple(notes))


def _box(text: str) -> tuple[int, int, int, int] | None:
    """Return the pixels with their centre in x to x + width and y to y + height, ends excluded."""
    try:
        x, y, width, height = (Decimal(word.strip()) for word in text.split(","))
        is_usable = max(map(abs, (x, y, width, height))) < FARTHEST_PX and min(width, height) > 0
    except (ValueError, ArithmeticError):
        # Also nan, which cannot be compared.
        return None
    if not is_usable:
        return None
    # Decimal, so that rectangles share no pixel where one ends at the number at which the other begins.
    top, left, bottom, right = (
        int((value - PIXEL_CENTRE).to_integral_value(ROUND_CEILING))
        for value in (y, x, y + height, x + width)
    )
    return top, left, bottom, right


def _of_rectangle(box: tuple[int, int, int, int], text: str, shape: Shape) -> RegionMask:
    top, left, bottom, right = box
    inside = np.zeros(shape, bool)
    if bottom <= 0 or right <= 0 or top >= shape[0] or left >= shape[1]:
        raise AnnotationError(f"the region {text} lies outside the image ({_size(shape)}); correct it")
    inside[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True
    cut = min(top, left) < 0 or bottom > shape[0] or right > shape[1]
    return RegionMask(inside, (f"the region {text} reaches beyond it and is cut",) if cut else ())


def _of_file(path: Path, shape: Shape) -> RegionMask:
    load = _outlines(path)
    if load is None:
        return _of_mask(path, labels.read_mask(path, shape).values)
    try:
        painted = load(shape)
    except SettingsError:
        raise AnnotationError(f"{path}: holds points, which have no area; draw the region") from None
    doubtful = [remark for remark in painted.remarks if remark.doubtful and remark.words != HIDDEN]
    if any(remark.words == geojson.NO_BEADS for remark in doubtful):
        raise AnnotationError(f"{path}: holds QuPath's detections too; export the region alone")
    notes = tuple(f"{path}: {remark}" for remark in doubtful)
    return RegionMask(painted.labels > 0, notes)


def _of_mask(path: Path, values: NDArray[Any]) -> RegionMask:
    # JPEG and anti-aliasing leave greys around what was drawn in white.
    threshold = float(values.max()) / 2 if binary.is_binary(values) else 0.0
    inside, notes = np.asarray(values > threshold), list[str]()
    if ((values > 0) & ~inside).any():
        notes.append(f"{path}: grey mask: the region is what is above {threshold:g}, half its highest value")
    if inside.all():
        notes.append(
            f"{path}: mask without 0: the region is the whole image; give pixels outside the value 0"
        )
    return RegionMask(inside, tuple(notes))


def _outlines(path: Path) -> Load | None:
    """Return what paints the outlines of a file; None for a mask image."""
    head = Head.of(path)
    form = detect(head)
    if form not in FORMS:
        raise AnnotationError(
            f"{path}: is no region; give GeoJSON, an ImageJ .roi or .zip, a mask image, or x,y,width,height"
        )
    if form is AnnotationFormat.LABELS:
        return None
    by_image = form.reader().by_image(head, None)
    if set(by_image) != {""}:
        raise AnnotationError(f"{path}: names images; a region is for all of them: leave the names out")
    return by_image[""]


def _size(shape: Shape) -> str:
    return f"width {shape[1]}, height {shape[0]} px"
