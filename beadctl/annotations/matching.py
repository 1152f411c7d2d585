"""Matching of the image names in an annotation with image files."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

SUFFIXES = (
    "", "_masks", "_mask", "_labels", "_label", "_cp_masks", "_seg", "_cp_outlines", "_outlines", "_rois",
    "_RoiSet", "_annotations", "_centres", "_centers", "_Results",
)  # fmt: skip
"""What the name of an annotation may have after the stem of its image."""

# Parts of an image's name that its annotation lacks, such as nnU-Net's first channel, and the reverse.
IMAGE_ENDS = ("_0000", "_img", "_image")
IMAGE_STARTS = ("image_", "img_")
MASK_STARTS = ("mask_", "masks_", "label_", "labels_")


def stem(name: PurePosixPath) -> str:
    """Return a file name without its suffix, of which ``.ome.tif`` is one."""
    return name.stem.removesuffix(".ome")


def path_stem(name: PurePosixPath) -> str:
    """Return a path without the suffix of the file."""
    return str(name.with_name(stem(name)))


def annotation_names(image: PurePosixPath, *, marked: bool = False) -> list[str]:
    """Return what the annotation of an image may be called, without suffix, the preferred names first.

    The first `SUFFIXES` are those of the image's own name; `marked` leaves out names that an image may have.
    """
    name = stem(image)
    ends = [name.removesuffix(end) for end in IMAGE_ENDS]
    starts = [base.removeprefix(start) for base in (name, *ends) for start in IMAGE_STARTS]
    names = [
        before + base + after
        for base in dict.fromkeys((name, *ends, *starts))
        for before, after in (*(("", suffix) for suffix in SUFFIXES), *((start, "") for start in MASK_STARTS))
        if base and (before or after or not marked)
    ]
    return [str(image.with_name(name)) for name in names]


def matched(names: Iterable[str], images: Iterable[PurePosixPath]) -> dict[str, PurePosixPath]:
    """Match names in an annotation with images; return the image of each name that matches.

    The path must be equal, else the file name, else the file name without its suffix. Each counts only where
    it is unique among the names and among the images: an ambiguous name has no match.

    Parameters
    ----------
    names : iterable of str
        As written in the annotation, possibly with folders of another computer.
    images : iterable of PurePosixPath
        Paths of the images, relative to their folder.
    """
    written = {name: PurePosixPath(name.replace("\\", "/")) for name in names}
    existing = list(images)
    keys: tuple[Callable[[PurePosixPath], str], ...] = (str, lambda path: path.name, stem)
    found: dict[str, PurePosixPath] = {}
    for key in keys:
        known = {key(image): image for image in existing}
        counts = Counter(map(key, written.values())), Counter(map(key, existing))
        for name, path in written.items():
            if name not in found and all(count[key(path)] == 1 for count in counts):
                found[name] = known[key(path)]
    # An image whose path equals one name may share its file name with another name.
    uses = Counter(found.values())
    return {name: image for name, image in found.items() if uses[image] == 1}
