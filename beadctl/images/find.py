"""Search of files, folders and lists of files for images."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from beadctl.errors import ImageError
from beadctl.images.companions import is_in_mask_folder, is_label_image, origins, stem
from beadctl.images.found import Found
from beadctl.images.lists import expanded
from beadctl.images.search_result import Search
from beadctl.images.selection import Selection
from beadctl.images.walk import Walk


def find(
    inputs: Sequence[Path], exclude: Sequence[Path] = (), *, suffixes: Sequence[str] | None = None
) -> list[Found]:
    """Return the images in files and folders, each file once, in the order of `inputs`.

    Folders are searched recursively in natural order (``a2`` before ``a10``). Hidden entries are skipped, and
    so are masks and overlays that beadctl wrote, and for annotations folders of results, unless an input is
    one of them.

    Parameters
    ----------
    inputs : sequence of Path
        Files, of any suffix, and folders.
    exclude : sequence of Path
        Files and folders to skip, unless an input is one of them or lies below one.
    suffixes : sequence of str, optional
        To search for in folders, lower case; by default those of images.

    Raises
    ------
    ImageError
        If a path is missing or unreadable, or a folder contains no image.
    """
    return list(survey(inputs, exclude, suffixes=suffixes).images)


def survey(
    inputs: Sequence[Path], exclude: Sequence[Path] = (), *, suffixes: Sequence[str] | None = None
) -> Search:
    """Return what `find` returns, and the other files in the folders; parameters and errors are the same."""
    walk = Walk(exclude, suffixes)
    images = walk.found((path, PurePosixPath(path.name)) for path in inputs)
    return Search(tuple(images), others=walk.others, made=tuple(walk.made))


def search(inputs: Sequence[Path], exclude: Sequence[Path], selection: Selection) -> Search:
    """Return the images in files, folders and lists of files, without masks and overlays beside them.

    Parameters and errors are those of `find`, with more kinds of input: addresses of objects in stores
    (`beadctl.store`); ``@FILE``, a file with one path or address a line (or ended by NUL, as
    ``find -print0`` writes them), and ``-``, such lines on standard input. What is an input itself is never
    left out as a mask or overlay.
    """
    walk, chosen, companions = _searched(inputs, exclude, selection)
    kept = _without(chosen, companions)
    if not kept:
        raise ImageError(f"no image is left by --include and --exclude, of {len(chosen)} found; change them")
    companions_of = tuple(item.path for item in companions)
    return Search(kept, companions_of, walk.others, tuple(walk.made), again=tuple(walk.again))


def search_labels(inputs: Sequence[Path], exclude: Sequence[Path], selection: Selection) -> Search:
    """Return the label images in files, folders and lists of files.

    Where some have names that say they are label images of others in the same search, such as
    ``a_cp_masks.tif`` beside ``a.tif``, only these are, and files that are an input themselves. Else all are.
    Parameters and errors are those of `search`.
    """
    walk, chosen, companions = _searched(inputs, exclude, selection)
    masks = [item for item in companions if is_label_image(item.name)]
    rest = [item for item in _without(chosen, masks) if masks and item.path not in walk.given]
    what = "images, and what is made of them, beside their label images"
    paths = tuple(item.path for item in rest)
    return Search(_without(chosen, rest), paths, walk.others, tuple(walk.made), what, tuple(walk.again))


def _without(found: Sequence[Found], left_out: Sequence[Found]) -> tuple[Found, ...]:
    names = {item.path for item in left_out}
    return tuple(item for item in found if item.path not in names)


def _searched(
    inputs: Sequence[Path], exclude: Sequence[Path], selection: Selection
) -> tuple[Walk, list[Found], list[Found]]:
    """Return a search, the files that the selection leaves, and those of them that are made of others."""
    walk = Walk(exclude, recursive=selection.recursive)
    images = walk.found(expanded(inputs), selection.has)
    stems = {stem(item.name) for item in images if not is_in_mask_folder(item.name)}
    chosen = [item for item in images if selection.has(item.name)]
    if not chosen:
        raise ImageError(f"no image is left by --include and --exclude, of {len(images)} found; change them")
    companions = [
        item for item in chosen if item.path not in walk.given and not stems.isdisjoint(origins(item.name))
    ]
    return walk, chosen, companions
