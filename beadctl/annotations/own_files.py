"""Images paired with annotation files of their own: by their names, or by what a pattern finds in them."""

import re
from collections import Counter
from collections.abc import Callable, Container, Sequence
from pathlib import Path, PurePosixPath

from beadctl.annotations.formats.auto import OTHER_SUFFIXES
from beadctl.annotations.matching import SUFFIXES, annotation_names, path_stem, stem
from beadctl.errors import AnnotationError, SettingsError
from beadctl.images import Found
from beadctl.words import first_names, number_of


def by_name(found: Sequence[Found], candidates: Sequence[Found]) -> dict[Found, Path]:
    """Pair images with files of their own by the image's name, and those that are left by a part of it.

    Parameters
    ----------
    found, candidates : sequence of Found
        Images, and files that may annotate them.
    """
    # Of images of one name in several folders, each needs the path of its annotation.
    paths = {path_stem(item.name) for item in found}
    namesakes = Counter(PurePosixPath(path).name for path in paths)
    unique = {name for name, number in namesakes.items() if number == 1}
    pairs = _matches(found, candidates, unique, lambda image: annotation_names(image)[: len(SUFFIXES)])
    used = set(pairs.values())
    rest = [item for item in found if item not in pairs]
    more = _matches(rest, [item for item in candidates if item.path not in used], unique, annotation_names)
    claims = Counter(more.values())
    return pairs | {item: path for item, path in more.items() if claims[path] == 1}


def _matches(
    found: Sequence[Found],
    candidates: Sequence[Found],
    unique: Container[str],
    names: Callable[[PurePosixPath], list[str]],
) -> dict[Found, Path]:
    """Pair images with files of these names at the same path, else anywhere if image and file are unique."""
    by_path: dict[str, list[Path]] = {}
    by_stem: dict[str, list[Path]] = {}
    for item in candidates:
        by_path.setdefault(path_stem(item.name), []).append(item.path)
        by_stem.setdefault(stem(item.name), []).append(item.path)
    pairs = {}
    for item in found:
        same_path = [path for name in names(item.name) for path in by_path.get(name, ())]
        anywhere = [path for name in names(PurePosixPath(item.name.name)) for path in by_stem.get(name, ())]
        if same_path:
            pairs[item] = min(same_path, key=_rank)
        elif anywhere and stem(item.name) in unique:
            best = min(anywhere, key=_rank)
            equal = [path for path in anywhere if (_rank(path), path.stem) == (_rank(best), best.stem)]
            if len(equal) == 1:
                pairs[item] = best
    return pairs


def by_pattern(found: Sequence[Found], candidates: Sequence[Found], pattern: str) -> dict[Found, Path]:
    """Pair images with files of which the pattern's group is equal; it must be unique in each folder.

    Parameters
    ----------
    found, candidates : sequence of Found
        Images, and files that may annotate them.
    pattern : str
        Regular expression with one group, searched in the paths below the folders.

    Raises
    ------
    SettingsError
        If it is no regular expression, or has not one group.
    AnnotationError
        If two files of a kind have one group, or no image and file have one in common.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise SettingsError(f"--pair '{pattern}': not a regular expression ({error}); correct it") from None
    if expression.groups != 1:
        raise SettingsError(
            f"--pair '{pattern}': has {number_of(expression.groups, 'group')}; put the name that image and "
            r"annotation have in common in one pair of parentheses, such as '(\d+)\.'"
        )

    def by_key(items: Sequence[Found]) -> dict[str, Found]:
        keys: dict[str, Found] = {}
        # The preferred kind of file comes first.
        for item in sorted(items, key=lambda item: _rank(item.path)):
            match = expression.search(str(item.name))
            if match and match[1]:
                first = keys.setdefault(match[1], item)
                if first is not item and _rank(first.path) == _rank(item.path):
                    raise AnnotationError(
                        f"{item.path}: --pair '{pattern}' finds {match[1]!r}, as in {first.name}; choose a"
                        " group that tells them apart"
                    )
        return keys

    images, masks = by_key(found), by_key(candidates)
    pairs = {item: masks[key].path for key, item in images.items() if key in masks}
    if not pairs:
        raise AnnotationError(
            f"--pair '{pattern}': no image and annotation have a name in common; images give"
            f" {first_names(list(images)) or 'none'}, annotations {first_names(list(masks)) or 'none'}"
        )
    return pairs


def _rank(path: Path) -> int:
    """Return the preference of a file among the annotations of an image: images, then `OTHER_SUFFIXES`."""
    suffix = path.suffix.lower()
    return OTHER_SUFFIXES.index(suffix) + 1 if suffix in OTHER_SUFFIXES else 0
