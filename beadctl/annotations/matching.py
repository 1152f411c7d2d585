"""Which image a name in an annotation means."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath


def stem(name: PurePosixPath) -> str:
    """Return a file name without its suffix; ``.ome.tif`` is one."""
    return name.stem.removesuffix(".ome")


def place(name: PurePosixPath) -> str:
    """Return a path without its suffix."""
    return str(name.with_name(stem(name)))


def matched(names: Iterable[str], images: Iterable[PurePosixPath]) -> dict[str, PurePosixPath]:
    """Match names in an annotation with images.

    The whole path must be the same, or else the file name, or else the file name without its suffix, each
    only where no other name and no other image has the same: nothing is guessed.

    Parameters
    ----------
    names : iterable of str
        As they stand in the annotation, with the folders of wherever it was made.
    images : iterable of PurePosixPath
        Below their folder.

    Returns
    -------
    dict
        Name to image, for those that match.
    """
    written = {name: PurePosixPath(name.replace("\\", "/")) for name in names}
    there = list(images)
    keys: tuple[Callable[[PurePosixPath], str], ...] = (str, lambda path: path.name, stem)
    found: dict[str, PurePosixPath] = {}
    for key in keys:
        known = {key(image): image for image in there}
        unique = Counter(map(key, written.values())), Counter(map(key, there))
        for name, path in written.items():
            if name not in found and all(count[key(path)] == 1 for count in unique):
                found[name] = known[key(path)]
    # An image whose path one name has may share its file name with another name.
    taken = Counter(found.values())
    return {name: image for name, image in found.items() if taken[image] == 1}
