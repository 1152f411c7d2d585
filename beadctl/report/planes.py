"""What the page shows of each plane: a thumbnail, a picture and the beads."""

import base64
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.label_image import read_label_image
from beadctl.errors import AnnotationError, BeadctlError, FileNote, ImageError
from beadctl.images import Image, Plane, content_sha256, open_image
from beadctl.report import drawing, picture
from beadctl.report.finished import Finished
from beadctl.report.kept import Drawn, Kept, source_of
from beadctl.report.shares import Shares
from beadctl.results import ledger
from beadctl.results.formats import Output, format_of
from beadctl.results.ledger import Entry, Row
from beadctl.url import Url

CHANGED = "its results changed since; run again"
IN_STORE = "the image is an object in a store, which is not read again"


def shown(
    finished: Finished, shares: Shares, advance: Callable[[], None], kept: Kept
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield what the page shows of planes: their key, and plain values for JSON.

    These are ``width`` and ``height``, px, ``um``, the pixel size; ``thumbnail`` and ``picture``, WebP in
    Base64, absent where the image is not as the run read it; ``note``, why; and ``beads``, zlib in Base64,
    see `beadctl.report.drawing.packed`.

    Parameters
    ----------
    finished : Finished
        The run.
    shares : Shares
        Planes with a count, and their bytes. Those of one image are read together.
    advance : callable
        Called after each plane.
    kept : Kept
        Planes of the last page, which are used again where they fit this one; it gets those of this one.
    """
    kept.turn()
    ordered = sorted(shares.planes.items(), key=lambda item: (item[1].image, item[1].plane))
    for image, group in groupby(ordered, key=lambda item: item[1].image):
        for key, content in _of_image(finished, finished.names.get(image), list(group), shares, kept):
            yield key, content
            advance()


def _of_image(
    finished: Finished,
    name: PurePosixPath | None,
    planes: Sequence[tuple[int, Row]],
    shares: Shares,
    kept: Kept,
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    entry = ledger.read(finished.folder, name) if name else None
    numbers = {row.plane: place for place, row in enumerate(entry.result.rows)} if entry else {}
    if entry is None or name is None or any(row.plane not in numbers for _, row in planes):
        for key, _ in planes:
            yield key, {"note": CHANGED}
        return
    sources = {key: source_of(entry, row, outlined=key in shares.outlined) for key, row in planes}
    again = [drawn for key, row in planes if (drawn := kept.find(row, sources[key], shares, key))]
    if len(again) == len(planes):
        for (key, row), drawn in zip(planes, again, strict=True):
            kept.add(row, drawn)
            yield key, drawn.content
        return
    image = _opened(finished, entry)
    labels = _LabelImages(finished, name, entry, image)
    beads = _by_plane(ledger.beads(finished.folder, name), [row.plane for _, row in planes])
    for (key, row), of_plane in zip(planes, beads, strict=True):
        content: dict[str, Any] = {"width": row.width_px, "height": row.height_px, "um": row.pixel_size_um}
        outlined = labels.read(numbers[row.plane], row) if key in shares.outlined else None
        packed, count = drawing.packed(of_plane, outlined)
        if count != row.count:
            content["note"] = CHANGED
        else:
            content["beads"] = _base64(packed)
            pictures = _pictures(image, row, shares.picture(key, len(packed)))
            content |= {what: text if what == "note" else _base64(text) for what, text in pictures.items()}
            if "note" not in pictures:
                kept.add(row, Drawn(sources[key], len(packed), sum(map(len, pictures.values())), content))
        yield key, content


def _by_plane(
    beads: Iterable[Mapping[str, Any]], numbers: Iterable[int]
) -> Iterator[Iterable[Mapping[str, Any]]]:
    """Yield the beads of each of these planes, ascending, of beads that are ordered by plane."""
    groups = groupby(beads, key=lambda bead: bead["plane"])
    group = next(groups, None)
    for number in numbers:
        while group and group[0] < number:
            group = next(groups, None)
        yield group[1] if group and group[0] == number else ()


def _opened(finished: Finished, entry: Entry) -> Image | str:
    """Return the image file of an entry, or why it is not as the run read it."""
    if Url.parse(entry.source):
        return IN_STORE
    path = Path(entry.source)
    try:
        if not entry.source or content_sha256(path) != entry.key.rpartition(":")[2]:
            return "the image file changed since the run"
        with warnings.catch_warnings():
            # The run has said them.
            warnings.simplefilter("ignore", FileNote)
            return open_image(path, finished.read)
    except (BeadctlError, OSError):
        return "the image file is no longer where the run read it"


def _pictures(image: Image | str, row: Row, most_bytes: int) -> dict[str, Any]:
    """Return the pictures of a plane, or a note why there are none."""
    if isinstance(image, str):
        return {"note": image}
    try:
        drawn = picture.drawn(_plane(image, row.plane))
    except (ImageError, OSError):
        return {"note": "the image file can no longer be read"}
    small = picture.thumbnail(drawn)
    return {"thumbnail": small, "picture": picture.fitted(drawn, max(1, most_bytes - len(small)))}


def _plane(image: Image, number: int) -> Plane:
    for plane in image.planes:
        if plane.index == number:
            return plane
    raise ImageError(f"{image.path}: has no plane {number}")


class _LabelImages:
    """The label images of an image's planes: those that the run wrote or read, if nobody changed them."""

    def __init__(self, finished: Finished, name: PurePosixPath, entry: Entry, image: Image | str) -> None:
        # A run without a model has read label images.
        self._given = image if isinstance(image, Image) and "model" not in finished.record else None
        (path,) = format_of(Output.MASKS).paths(name, len(entry.result.rows))
        stamp = (entry.written or {}).get(str(path))
        own = finished.path_of(path) if stamp else None
        self._path = own if stamp and own and stamp.fits(own) else None

    def read(self, place: int, row: Row) -> NDArray[np.uint32] | None:
        """Return that of a plane, by its place in the file; None without one, and for a very large plane."""
        import tifffile

        if max(row.height_px or 0, row.width_px or 0) > picture.LARGEST_PX:
            return None
        if self._given:
            try:
                return read_label_image(_plane(self._given, row.plane)).labels
            except (ImageError, AnnotationError, OSError):
                return None
        if not self._path:
            return None
        with tifffile.TiffFile(self._path) as file:
            labels: NDArray[np.uint32] = file.pages[place].asarray()
        return labels


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
