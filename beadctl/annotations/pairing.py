"""Images and the files that annotate them, paired by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from beadctl.annotations import AnnotationFormat
from beadctl.annotations.canvas import Load, some
from beadctl.annotations.centres import needed
from beadctl.annotations.detection import detect
from beadctl.annotations.matching import matched, place, stem
from beadctl.annotations.reading import SHARED, by_image, read
from beadctl.annotations.sample import Sample
from beadctl.errors import AnnotationError
from beadctl.images import IMAGE_SUFFIXES, Found, find

SUFFIXES = (
    "", "_masks", "_mask", "_labels", "_label", "_cp_masks", "_seg", "_cp_outlines", "_outlines", "_rois",
    "_RoiSet", "_annotations", "_centres", "_centers", "_Results",
)  # fmt: skip
"""What the name of an annotation may have after the stem of its image."""

# Looked for in this order: where an image has several annotations, the exact ones come first.
OTHERS = (".zip", ".roi", ".geojson", ".json", ".txt", ".csv", ".tsv", ".npy")
TABLES = (".csv", ".tsv")
LOOKED_FOR = {
    AnnotationFormat.AUTO: (*IMAGE_SUFFIXES, *OTHERS),
    AnnotationFormat.LABELS: IMAGE_SUFFIXES,
    AnnotationFormat.BINARY: IMAGE_SUFFIXES,
    AnnotationFormat.COCO: (".json", ".zip"),
    AnnotationFormat.IMAGEJ: (".zip", ".roi"),
    AnnotationFormat.GEOJSON: (".geojson", ".json"),
    AnnotationFormat.CELLPOSE: (*IMAGE_SUFFIXES, ".txt"),
    AnnotationFormat.STARDIST: (*IMAGE_SUFFIXES, ".zip"),
    AnnotationFormat.YOLO: (".txt",),
    AnnotationFormat.CENTRES: (".csv", ".tsv", ".txt"),
}
# Lists of classes that lie beside YOLO files.
NO_ANNOTATIONS = ("classes.txt", "labels.txt", "notes.json")


@dataclass(frozen=True)
class Pairing:
    """Images with their annotations, and what is left over on either side.

    Attributes
    ----------
    samples : tuple of Sample
        In the order of the images.
    images_alone : tuple of Path
        Images that nothing annotates.
    masks_alone : tuple of Path
        Annotations without their image: files, or names in a file.
    unread : tuple of Path
        Further annotations of images that are paired with a better one.
    """

    samples: tuple[Sample, ...]
    images_alone: tuple[Path, ...]
    masks_alone: tuple[Path, ...]
    unread: tuple[Path, ...] = ()

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
        kept = tuple(p for p in self.samples if {p.name, p.image.name} & wanted)
        known = {name for p in kept for name in (p.name, p.image.name)}
        missing = sorted(wanted - known)
        if missing:
            raise AnnotationError(
                f"{names}: names {missing[0]}, which is not an image with a mask; correct the list"
            )
        return Pairing(kept, (), ())

    def tell(self, warn: Callable[[str], None]) -> None:
        """Say what is left over on either side, all of it: nothing is dropped in silence."""
        for alone, what in (
            (self.images_alone, "images without a mask"),
            (self.masks_alone, "masks without an image"),
            (self.unread, "further annotations of the same images, not read"),
        ):
            if alone:
                warn(f"{len(alone)} {what}: {', '.join(path.name for path in alone)}")


def pair(
    images: Path,
    truth: Path,
    *,
    form: AnnotationFormat = AnnotationFormat.AUTO,
    diameter_px: float | None = None,
) -> Pairing:
    """Pair images with their annotations by name.

    Annotations are a folder, in which ``a.png``, ``a_masks.tif``, ``a_rois.zip`` and the like belong to
    ``a.tif`` (see `SUFFIXES`), or a file that names its images, such as COCO JSON; such a file may also lie
    in the folder. Images and annotations may share a folder. The sub-folders need not be the same as long as
    the stems are unique; where they are not, image and annotation must lie at the same place below their
    folders.

    Parameters
    ----------
    images : Path
        A folder, or one image.
    truth : Path
        A folder, or a file.
    form : AnnotationFormat
        The format; `AUTO` tells it by the content of each file.
    diameter_px : float, optional
        Of the beads, where they are marked by their centres.

    Raises
    ------
    ImageError
        If a folder is missing or holds no image.
    AnnotationError
        If nothing matches, or two files name the same image.
    SettingsError
        If beads are marked by their centres and no diameter is given.
    """
    together = images.resolve() == truth.resolve()
    if together and truth.is_file():
        raise AnnotationError(f"{truth}: is image and annotation in one; give the annotation of this image")
    found = find([images], exclude=[truth])
    seek = _Seek(form, diameter_px)
    if truth.is_file():
        return _pair_with_file(found, images, truth, seek)
    if together:
        found = _without_masks(found)
    here = {item.path for item in found}
    candidates = [
        item
        for item in find([truth], exclude=[images], suffixes=LOOKED_FOR[form])
        if item.path not in here and item.path.name not in NO_ANNOTATIONS
    ]
    own = _by_name(found, candidates, seek)
    taken = {item.truth for item in own.values()}
    others = [item.path for item in candidates if item.path not in taken]
    named, alone, errors = _by_content(found, others, seek)
    pairs = named | own
    if not pairs:
        raise (
            errors[0]
            if errors
            else AnnotationError(
                f"{truth}: no mask has the name of an image in {images}; "
                f"{found[0].path.name} needs {found[0].name.stem}.tif or {found[0].name.stem}_masks.tif"
            )
        )
    mine = {stem(item.name) + suffix for item in pairs for suffix in SUFFIXES}
    taken |= {item.truth for item in named.values()}
    left = [item for item in candidates if item.path not in taken]
    return Pairing(
        tuple(pairs[item] for item in found if item in pairs),
        tuple(item.path for item in found if item not in pairs),
        (*(item.path for item in left if stem(item.name) not in mine), *map(Path, alone)),
        tuple(item.path for item in left if stem(item.name) in mine),
    )


@dataclass(frozen=True)
class _Seek:
    """What was asked for."""

    form: AnnotationFormat
    diameter_px: float | None

    def one(self, image: Found, path: Path) -> Sample:
        """Pair an image with a file of its own."""
        if self.form is AnnotationFormat.CENTRES or (
            self.form is AnnotationFormat.AUTO and path.suffix.lower() in TABLES
        ):
            # One error before any work, not one an image.
            needed(self.diameter_px, path)
        load = partial(read, path, image=image.name, form=self.form, diameter_px=self.diameter_px)
        return _sample(image, path, load)

    def shared(self, path: Path) -> dict[str, Load]:
        """Return how to read each image that a file names; empty if it names none."""
        form = detect(path) if self.form is AnnotationFormat.AUTO else self.form
        if form not in SHARED:
            return {}
        found = by_image(path, form, diameter_px=self.diameter_px)
        return {} if "" in found else found


def _without_masks(found: Sequence[Found]) -> list[Found]:
    """Leave out the images that are masks of others, by their suffix."""
    places = {place(item.name) for item in found}
    return [
        item
        for item in found
        if not any(
            suffix and place(item.name).endswith(suffix) and place(item.name).removesuffix(suffix) in places
            for suffix in SUFFIXES
        )
    ]


def _pair_with_file(found: Sequence[Found], images: Path, truth: Path, seek: _Seek) -> Pairing:
    parts = seek.shared(truth)
    if parts:
        pairs, alone = _named(found, truth, parts)
        if not pairs:
            raise AnnotationError(
                f"{truth}: none of the {len(parts)} images that it names is in {images}; it names"
                f" {some(list(parts), 3)}"
            )
        rest = tuple(item.path for item in found if item not in pairs)
        return Pairing(tuple(pairs[item] for item in found if item in pairs), rest, tuple(map(Path, alone)))
    name = truth.stem.removesuffix(".ome")
    own = [item for item in found if name in {stem(item.name) + suffix for suffix in SUFFIXES}]
    if len(found) == 1:
        own = list(found)
    if len(own) != 1:
        raise AnnotationError(
            f"{truth}: annotates one image, and {images} holds {len(found)}; give that image, or the folder"
            " of their annotations"
        )
    rest = tuple(item.path for item in found if item is not own[0])
    return Pairing((seek.one(own[0], truth),), rest, ())


def _named(
    found: Sequence[Found], truth: Path, parts: dict[str, Load]
) -> tuple[dict[Found, Sample], list[str]]:
    """Pair images with the parts of a file that name them; also return the names without an image."""
    by_path = {item.name: item for item in found}
    names = matched(parts, by_path)
    pairs = {by_path[image]: _sample(by_path[image], truth, parts[name]) for name, image in names.items()}
    return pairs, [name for name in parts if name not in names]


def _by_name(found: Sequence[Found], candidates: Sequence[Found], seek: _Seek) -> dict[Found, Sample]:
    """Pair images with files of their own."""
    by_place: dict[str, list[Path]] = {}
    by_stem: dict[str, list[Path]] = {}
    for item in candidates:
        by_place.setdefault(place(item.name), []).append(item.path)
        by_stem.setdefault(stem(item.name), []).append(item.path)
    pairs = {}
    for item in found:
        at_place = [path for suffix in SUFFIXES for path in by_place.get(place(item.name) + suffix, ())]
        anywhere = [path for suffix in SUFFIXES for path in by_stem.get(stem(item.name) + suffix, ())]
        if at_place:
            pairs[item] = seek.one(item, min(at_place, key=_rank))
        elif anywhere:
            best = min(anywhere, key=_rank)
            equal = [path for path in anywhere if (_rank(path), path.stem) == (_rank(best), best.stem)]
            if len(equal) == 1:
                pairs[item] = seek.one(item, best)
    return pairs


def _by_content(
    found: Sequence[Found], paths: Sequence[Path], seek: _Seek
) -> tuple[dict[Found, Sample], list[str], list[AnnotationError]]:
    """Pair images with files that name them; also return names without an image, and what cannot be read."""
    pairs: dict[Found, Sample] = {}
    alone: list[str] = []
    errors: list[AnnotationError] = []
    for path in paths:
        if path.suffix.lower() not in OTHERS:
            continue
        try:
            parts = seek.shared(path)
        except AnnotationError as error:
            errors.append(error)
            continue
        more, names = _named(found, path, parts)
        twice = next((item for item in found if item in more and item in pairs), None)
        if twice:
            raise AnnotationError(
                f"{path}: annotates {twice.path.name}, and so does {pairs[twice].truth}; give one of them"
            )
        pairs |= more
        alone += names if more else []
    return pairs, alone, errors


def _rank(path: Path) -> int:
    suffix = path.suffix.lower()
    return OTHERS.index(suffix) + 1 if suffix in OTHERS else 0


def _sample(image: Found, truth: Path, load: Load) -> Sample:
    return Sample(str(image.name), image.path, truth, load, source=str(image.name))
