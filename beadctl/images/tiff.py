"""TIFF files of any writer: their series of pages, located but not read."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import TIFF, TiffFile, TiffPage, TiffPageSeries

from beadctl.errors import ImageError
from beadctl.images.declared_planes import check_declared
from beadctl.images.failure import damaged, failures
from beadctl.images.limits import Limits
from beadctl.images.lost_images import lost_images
from beadctl.images.ome_set import OmeSet
from beadctl.images.palette import is_display
from beadctl.images.pixel_size import spacings
from beadctl.images.plane import Absent, PlaneSource, Samples
from beadctl.images.series import Photometric, Series, SeriesFacts, chosen_series
from beadctl.images.side_images import side_images
from beadctl.images.tiff_directories import read_directories
from beadctl.images.tiff_page import JPEG_CODES, LERC_CODE, Page, PageReader, Shaped, pages_of, squeezed
from beadctl.images.whole import Pick, WholeSource
from beadctl.images.window import Window

ALPHA_CODES = {1, 2}
PHOTOMETRICS = {
    0: Photometric.WHITE_IS_ZERO, 2: Photometric.RGB, 3: Photometric.PALETTE,
    **dict.fromkeys((1, 4, 34892), Photometric.BLACK_IS_ZERO),
}  # fmt: skip


@dataclass(frozen=True)
class _PageSample:
    """One stored sample of a plane: its indices along the separate samples, slices and samples of a page."""

    page: Page
    sample: int
    depth: int
    channel: int


@dataclass(frozen=True)
class _TiffSource:
    """A plane whose rows and columns are those of a page, or its columns and rows if transposed."""

    samples: tuple[_PageSample, ...]
    transposed: bool

    @contextlib.contextmanager
    def open(self) -> Iterator[Samples]:
        """Open each page once."""
        with ExitStack() as stack:
            readers: dict[int, PageReader] = {}
            for sample in self.samples:
                if id(sample.page) not in readers:
                    readers[id(sample.page)] = stack.enter_context(sample.page.open())
            yield _TiffSamples(self, [readers[id(sample.page)] for sample in self.samples])


class _TiffSamples:
    def __init__(self, source: _TiffSource, readers: list[PageReader]) -> None:
        self._source = source
        self._readers = readers

    def read(self, window: Window) -> list[NDArray[Any]]:
        stored = window.transposed if self._source.transposed else window
        boxes: dict[tuple[int, int, int], NDArray[Any]] = {}
        pixels = []
        for reader, sample in zip(self._readers, self._source.samples, strict=True):
            # Contiguous samples are read in one box, once for all of them.
            key = id(reader), sample.sample, sample.depth
            if key not in boxes:
                boxes[key] = reader.box(sample.sample, sample.depth, stored)
            values = boxes[key][..., sample.channel]
            pixels.append(values.T if self._source.transposed else values)
        return pixels


def _load_series(path: Path, number: int, flags: dict[str, Any]) -> NDArray[Any]:
    """Decode a series as a whole, because its planes cross pages; without axes of length 1."""
    with failures(path), TiffFile(path, **flags) as tif:
        series = _series_of(tif)[number]
        return np.asarray(series.asarray()).reshape(squeezed(series)[1])


def _joined(pages: Sequence[Page], keyframe_shape: Shaped, shape: tuple[int, ...]) -> NDArray[Any]:
    """Decode all pages of a series by their readers, into an array of a shape."""
    samples, depths, length, width, _ = keyframe_shape
    boxes = list[NDArray[Any]]()
    for page in pages:
        with page.open() as reader:
            whole = Window(0, 0, length, width)
            boxes += [
                reader.box(sample, depth, whole) for sample in range(samples) for depth in range(depths)
            ]
    return np.stack(boxes).reshape(shape)


def _locate(
    pages: Sequence[Page | None],
    absences: Mapping[int, Absent],
    lead: tuple[int, ...],
    roles: str,
    load: Callable[[], NDArray[Any]],
    picks: tuple[Pick, ...],
    transposed: bool,
) -> PlaneSource | None:
    """Return the source of a plane among the pages of a series: see `Series.locate` and `_split`."""
    split = len(lead)
    stays_in_page = all(i is not None for pick in picks for i in pick[:split])
    roles_of_plane = {role for role, i in zip(roles, picks[0][split:], strict=False) if i is None}
    if not stays_in_page or roles_of_plane != {"L", "W"}:
        return WholeSource(load, picks, transposed)
    samples = []
    for pick in picks:
        number = 0
        for index, length in zip(pick, lead, strict=False):
            number = number * length + (index or 0)
        page = pages[number] if number < len(pages) else None
        if page is None:
            return absences.get(number)
        at = {role: i or 0 for role, i in zip(roles, pick[split:], strict=True)}
        samples.append(_PageSample(page, at.get("P", 0), at.get("D", 0), at.get("C", 0)))
    return _TiffSource(tuple(samples), transposed)


# Of a TIFF file, which no pixel can lie in.
HEADER_BYTES = 8


def tiff_series(
    path: Path, number: int | None, limits: Limits, *, is_copy: bool = False
) -> tuple[list[Series], list[SeriesFacts]]:
    """Describe the arrays of a TIFF file, of a pyramid only the one of full resolution.

    Parameters
    ----------
    path : Path
        The file.
    number : int, optional
        Series to read; by default all but side images, such as thumbnails and label images of slides.
    limits : Limits
        What the file may claim.
    is_copy : bool
        Whether it is a copy without the other files of its set.

    Returns
    -------
    series, facts : list
        The arrays to read, and facts of all in the file.

    Raises
    ------
    ImageError
        If the file is damaged, truncated, in an unsupported encoding or beyond the limits, or has no series
        of this number.
    """
    directories = read_directories(path, limits)
    with failures(path), TiffFile(path) as tif:
        # Counting the pages follows their chain, which reveals a truncated file.
        if len(tif.pages) == 0:
            raise damaged(path, "no page is left")
        _require_sound(path, tif)
        flags = check_declared(path, tif, directories, limits)
        for name, value in flags.items():
            setattr(tif, name, value)
        images, ome_set = _series_of(tif), OmeSet.of(path, tif, is_copy=is_copy)
        if not images:
            raise damaged(path, "no image is left")
        lost = lost_images(tif.ome_metadata or "", ome_set.lost, len(images)) if ome_set.lost else []
        spaced = spacings(tif, len(images) + len(lost))
        facts = [_facts(one, side) for one, side in zip(images, side_images(images), strict=True)]
        loaded = [
            partial(_described, tif, one, limits, partial(_load_series, path, i, flags), ome_set)
            for i, one in enumerate(images)
        ]
        # In the order of the set, so that numbers stay whatever is lost.
        for gone in lost:
            facts.insert(gone.index, gone.facts)
            loaded.insert(gone.index, partial(gone.series, ome_set))
        chosen = chosen_series(path, facts, number)
        name = "series={}" if len(chosen) > 1 or number is not None else ""
        found = [(loaded[i](), spaced[i], i) for i in chosen]
        described = [
            replace(
                series,
                pixel_size_um=spacing.pixel_size_um,
                size_fault=spacing.fault,
                z_step_um=spacing.z_step_um,
                name=name.format(i),
            )
            for series, spacing, i in found
        ]
        return described, facts


def _require_sound(path: Path, tif: TiffFile) -> None:
    """Refuse a first page whose tags cannot be meant: tifffile would go on for ever, or read its header."""
    page = tif.pages.first
    sizes = page.imagewidth, page.imagelength, page.samplesperpixel
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        width, length, samples = sizes
        raise damaged(path, f"a page of {width} x {length} px and {samples} samples")
    stored = zip(page.dataoffsets, page.databytecounts, strict=False)
    if any(count and offset < HEADER_BYTES for offset, count in stored):
        raise damaged(path, "its pixels would begin in its header")


def _series_of(tif: TiffFile) -> list[TiffPageSeries]:
    """Return the arrays of a file; a small page is a level of a pyramid only where the file says so.

    tifffile takes any page of half, a third or a quarter of the size for one.
    """
    found = list(tif.series)
    pages = [
        level
        for one in found
        if one.kind == "generic"
        for level in one.levels[1:]
        if not (level.keyframe.is_reduced or level.keyframe.is_subifd)
    ]
    # In the order of the file.
    return sorted([*found, *pages], key=lambda one: one.keyframe.treeindex) if pages else found


def _facts(series: TiffPageSeries, side: str) -> SeriesFacts:
    axes, shape = squeezed(series)
    return SeriesFacts(series.name.strip(), axes, shape, str(series.dtype), side)


def _outdated(path: Path, tif: TiffFile, series: TiffPageSeries) -> bool:
    """Whether the description of the file does not fit its pages, so that tifffile reads the pages."""
    if series.kind not in {"generic", "uniform"}:
        return False
    stated = tif.imagej_metadata or {}
    if len(tif.pages) == 1 and any(stated.get(n, 1) > 1 for n in ("images", "channels", "slices", "frames")):
        # ImageJ writes a directory of the first plane only for large stacks, which may be truncated.
        raise damaged(path, "fewer planes than its description says")
    return bool(stated) or tif.is_shaped or tif.is_ome


def _note(tif: TiffFile, series: TiffPageSeries, ome_set: OmeSet, *, has_alpha: bool) -> str:
    notes = [ome_set.note] if ome_set.note else []
    if _outdated(ome_set.path, tif, series):
        notes.append("its description does not fit its pages, which are read as they are")
    if has_alpha and series.keyframe.samplesperpixel == 4:
        notes.append("the fourth sample is marked as alpha and left out; --channel 3 reads it")
    return "; ".join(notes)


def _doubt(tif: TiffFile, series: TiffPageSeries) -> str:
    """Return why the axes are doubtful, or "": pages of unknown meaning may mix channels and planes."""
    if tif.is_ome and not tif.is_imagej and series.kind not in {"ome", "mmstack"} and len(tif.pages) > 1:
        return "has OME metadata that does not fit its pages, as if it was renamed or its set is not complete"
    return ""


def _described(
    tif: TiffFile, series: TiffPageSeries, limits: Limits, load: Callable[[], NDArray[Any]], ome_set: OmeSet
) -> Series:
    path = ome_set.path
    limits.check_planes(path, len(series))
    keyframe = series.keyframe
    if 0 in keyframe.shaped:
        raise damaged(path, "the image has no pixels")
    dtype = keyframe.dtype
    if dtype is None or dtype.kind not in "biuf":
        kind = "unknown" if dtype is None else dtype
        raise ImageError(f"{path}: pixels of type {kind} are not supported; export real numbers")
    if keyframe.compression != 1:
        # The look-up raises an error that names a missing codec.
        TIFF.DECOMPRESSORS[keyframe.compression]
    photometric = _photometric(path, tif, keyframe)
    axes, shape = squeezed(series)
    lead, roles = _split(keyframe, shape)
    extra = tuple(keyframe.extrasamples)
    has_alpha = bool(extra) and extra[-1] in ALPHA_CODES
    pages = pages_of(path, tif, series, limits)
    own = [page for page in pages if page]
    if keyframe.compression == LERC_CODE and len(own) == len(pages):
        # tifffile gives 0 for pixels without a value.
        load = partial(_joined, own, keyframe.shaped, shape)
    return Series(
        path=path,
        axes=axes,
        shape=shape,
        dtype=dtype,
        photometric=photometric,
        locate=partial(_locate, pages, _absences(series, ome_set), lead, roles, load),
        bits=max(np.ravel(keyframe.bitspersample).tolist()),
        has_alpha=has_alpha,
        palette=keyframe.colormap,
        is_certain=series.kind in {"ome", "imagej", "mmstack", "ndtiff", "lsm"},
        doubt=_doubt(tif, series),
        is_part=series.is_multifile or bool(ome_set.others),
        note=_note(tif, series, ome_set, has_alpha=has_alpha),
    )


def _photometric(path: Path, tif: TiffFile, keyframe: TiffPage) -> Photometric:
    code = int(keyframe.photometric) if 262 in keyframe.tags else 1
    if code in (0, 3) and tif.is_imagej:
        # ImageJ stores the lookup table of the display, inverting or in colours; the values are grey levels.
        return Photometric.BLACK_IS_ZERO
    if code == 3 and (keyframe.colormap is None or is_display(keyframe.colormap.T)):
        return Photometric.BLACK_IS_ZERO
    if code == 6 and keyframe.compression in JPEG_CODES:
        return Photometric.RGB
    if code not in PHOTOMETRICS:
        name = getattr(keyframe.photometric, "name", code)
        raise ImageError(f"{path}: colours stored as {name} are not supported; export it as grey or RGB")
    return PHOTOMETRICS[code]


def _split(keyframe: TiffPage, shape: tuple[int, ...]) -> tuple[tuple[int, ...], str]:
    """Return the lengths of the axes across pages, and the roles of the axes within a page.

    Roles: P separate samples, D depth, L length, W width, C contiguous samples. Both are empty if no page
    boundary lies between the axes, as some writers store them.
    """
    roles = [(r, n) for r, n in zip("PDLWC", keyframe.shaped, strict=True) if n > 1 or r in "LW"]
    split = len(shape) - len(roles)
    if split < 0 or shape[split:] != tuple(n for _, n in roles):
        return (), ""
    return shape[:split], "".join(r for r, _ in roles)


def _absences(series: TiffPageSeries, ome_set: OmeSet) -> dict[int, Absent]:
    """Return the pages of a series that no file of a set has, and that this file tells of."""
    absent = ome_set.absent if series.kind == "ome" else None
    return {number: absent for number in range(len(series)) if series[number] is None} if absent else {}
