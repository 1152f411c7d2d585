"""Masks as people have them, binary or labelled: paired with images by name, read as label images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from beadctl.errors import AnnotationError, ImageError
from beadctl.images import Found, find, open_image

SUFFIXES = ("", "_masks", "_mask", "_labels", "_label", "_cp_masks", "_seg")
EIGHT = np.ones((3, 3), bool)
# Grey levels of an 8-bit mask: from WHITE on a bead's inside, below RIPPLE nothing but compression.
WHITE, RIPPLE = 224, 32


@dataclass(frozen=True)
class Pair:
    """An image and its mask."""

    image: Found
    mask: Path


@dataclass(frozen=True)
class Pairing:
    """Images with their masks, and what is left over on either side."""

    pairs: tuple[Pair, ...]
    images_alone: tuple[Path, ...]
    masks_alone: tuple[Path, ...]

    def only(self, names: Path | None) -> "Pairing":
        """Keep the pairs whose image `names` lists, one file name or path a line; None keeps all.

        Raises
        ------
        AnnotationError
            If the list cannot be read, or names an image that has no pair.
        """
        if names is None:
            return self
        try:
            wanted = {line.strip() for line in names.read_text(encoding="utf-8").splitlines() if line.strip()}
        except (OSError, UnicodeDecodeError) as error:
            raise AnnotationError(f"{names}: cannot be read ({error}); check --only") from None
        kept = tuple(p for p in self.pairs if {str(p.image.name), p.image.path.name} & wanted)
        known = {name for p in kept for name in (str(p.image.name), p.image.path.name)}
        missing = sorted(wanted - known)
        if missing:
            raise AnnotationError(
                f"{names}: names {missing[0]}, which is not an image with a mask; correct the list"
            )
        return Pairing(kept, (), ())

    def tell(self, warn: Callable[[str], None]) -> None:
        """Say what is left over on either side: nothing is dropped in silence."""
        for alone, what in (
            (self.images_alone, "images without a mask"),
            (self.masks_alone, "masks without an image"),
        ):
            if alone:
                warn(f"{len(alone)} {what}: {lone_names(alone)}")


def pair(images: Path, masks: Path) -> Pairing:
    """Pair two folders by stem: ``a.tif`` with ``a.png``, ``a_masks.tif``, ``a_mask.tif`` and the like.

    The sub-folders need not be the same as long as the stems are unique; where they are not, image and
    mask must lie at the same place below their folders.

    Raises
    ------
    ImageError
        If a folder is missing or holds no image.
    AnnotationError
        If nothing matches.
    """
    found = find([images], exclude=[masks])
    candidates = find([masks])
    by_place = {str(item.name.with_suffix("")).removesuffix(".ome"): item.path for item in candidates}
    by_stem: dict[str, list[Path]] = {}
    for item in candidates:
        by_stem.setdefault(item.name.stem.removesuffix(".ome"), []).append(item.path)
    pairs, alone = [], []
    for item in found:
        place = str(item.name.with_suffix("")).removesuffix(".ome")
        stem = item.name.stem.removesuffix(".ome")
        at_place = [by_place[place + suffix] for suffix in SUFFIXES if place + suffix in by_place]
        anywhere = [by_stem[stem + suffix] for suffix in SUFFIXES if stem + suffix in by_stem]
        if at_place:
            pairs.append(Pair(item, at_place[0]))
        elif anywhere and len(anywhere[0]) == 1:
            pairs.append(Pair(item, anywhere[0][0]))
        else:
            alone.append(item.path)
    if not pairs:
        raise AnnotationError(
            f"{masks}: no mask has the name of an image in {images}; "
            f"{found[0].path.name} needs {found[0].name.stem}.tif or {found[0].name.stem}_masks.tif"
        )
    taken = {item.mask for item in pairs}
    return Pairing(tuple(pairs), tuple(alone), tuple(i.path for i in candidates if i.path not in taken))


def read_labels(path: Path, shape: tuple[int, int] | None = None) -> NDArray[np.uint32]:
    """Read a mask as a label image.

    A label image keeps its labels. A binary mask (two values, or 8-bit grey whose bright side is 255, as
    anti-aliasing and JPEG leave it) is cut at half its highest value, and each 8-connected component becomes
    one instance: beads that the mask merges stay merged.

    Parameters
    ----------
    path : Path
        A single-plane image file.
    shape : tuple of int, optional
        Height and width that it must have.

    Returns
    -------
    ndarray of uint32, shape (H, W)
        0 for background.

    Raises
    ------
    AnnotationError
        If the file cannot be read, has several planes, another shape, or values that are no labels.
    """
    try:
        image = open_image(path)
        if len(image.planes) != 1:
            raise AnnotationError(f"{path}: has {len(image.planes)} planes; a mask has one")
        with image.planes[0].open() as pixels:
            values = pixels.read_all()
    except ImageError as error:
        raise AnnotationError(str(error)) from None
    if shape is not None and values.shape != shape:
        size, wanted = "x".join(map(str, values.shape)), "x".join(map(str, shape))
        raise AnnotationError(f"{path}: is {size} px, its image {wanted}; give the mask of this image")
    if not np.isfinite(values).all() or values.min() < 0:
        raise AnnotationError(f"{path}: holds negative or broken numbers; a label image counts 1, 2, 3 ...")
    if _is_binary(values):
        labels, _ = ndimage.label(values > float(values.max()) / 2, structure=EIGHT)
        return np.asarray(labels, np.uint32)
    if values.max() > np.iinfo(np.uint32).max or not np.array_equal(values, np.rint(values)):
        raise AnnotationError(f"{path}: holds broken numbers; a label image counts 1, 2, 3 ...")
    return values.astype(np.uint32)


def _is_binary(values: NDArray[Any]) -> bool:
    if values.dtype == bool:
        return True
    highest = float(values.max())
    if not ((values > 0) & (values < highest)).any():
        return True
    if not WHITE <= highest <= 255:
        return False
    # Of a label image with some 255 beads each value has a small share; a grey mask is white but for the
    # rims of its beads and, around them, the faint ripples of JPEG.
    return bool(np.count_nonzero(values >= WHITE) > 0.5 * np.count_nonzero(values >= RIPPLE))


def lone_names(paths: Sequence[Path], limit: int = 5) -> str:
    """Return some file names as words: the first few, and how many more there are."""
    shown = ", ".join(path.name for path in paths[:limit])
    return shown + (f" and {len(paths) - limit} more" if len(paths) > limit else "")
