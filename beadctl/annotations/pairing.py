"""Images and the files that annotate them, paired by name."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from beadctl.annotations.canvas import Load
from beadctl.annotations.formats import AnnotationFormat, centres
from beadctl.annotations.formats.auto import OTHER_SUFFIXES
from beadctl.annotations.head import TABLE_SUFFIXES, Head
from beadctl.annotations.matching import annotation_names, matched, path_stem, stem
from beadctl.annotations.own_files import by_name, by_pattern
from beadctl.annotations.reading import read
from beadctl.annotations.sample import Sample
from beadctl.errors import AnnotationError, SettingsError
from beadctl.images import Found, find, real_path, survey
from beadctl.text import name_text
from beadctl.words import first_names, number_of

# Files that lie beside YOLO and COCO files and annotate nothing.
NOT_ANNOTATIONS = ("classes.txt", "labels.txt", "notes.json")


@dataclass(frozen=True)
class PairingRule:
    """How annotations are read and paired with images; the attributes are parameters of `pair`."""

    form: AnnotationFormat = AnnotationFormat.AUTO
    diameter_px: float | None = None
    pattern: str | None = None


@dataclass(frozen=True)
class Pairing:
    """Images with their annotations, and the files without a partner.

    Attributes
    ----------
    samples : tuple of Sample
        In the order of the images.
    images_alone : tuple of Path
        Images without an annotation.
    masks_alone : tuple of Path
        Annotations without an image: files, or names in a file.
    unread : tuple of Path
        Further annotations of images that are paired with a preferred one.
    other_formats : tuple of str
        Lines on pictures in the folder of images that are in formats that are not read.
    """

    samples: tuple[Sample, ...]
    images_alone: tuple[Path, ...]
    masks_alone: tuple[Path, ...]
    unread: tuple[Path, ...] = ()
    other_formats: tuple[str, ...] = ()

    def only(self, names: Path | None) -> "Pairing":
        """Keep the samples whose image, by file name or path, is a line of the file `names`; None keeps all.

        Raises
        ------
        AnnotationError
            If the list cannot be read, names no image, or names one that has no annotation.
        """
        if names is None:
            return self
        try:
            lines = names.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise AnnotationError(f"{names}: cannot be read ({error}); check --only") from None
        wanted = {line.strip() for line in lines if line.strip()}
        if not wanted:
            raise AnnotationError(f"{names}: names no image; write one a line, or leave --only out")
        kept = tuple(sample for sample in self.samples if {sample.name, sample.image.name} & wanted)
        missing = sorted(wanted - {name for sample in kept for name in (sample.name, sample.image.name)})
        if missing:
            raise AnnotationError(
                f"{names}: names {missing[0]}, which is not an image with a mask; correct the list"
            )
        return Pairing(kept, (), ())

    def report(self, warn: Callable[[str], None]) -> None:
        """Call `warn` with a line each on what is not paired or not read.

        An image is named by its path where another one has its name.
        """
        names = Counter(path.name for path in (*self.images_alone, *(one.image for one in self.samples)))
        for alone, what in (
            (self.images_alone, ("image without a mask", "images without a mask")),
            (self.masks_alone, ("mask without an image", "masks without an image")),
            (
                self.unread,
                (
                    "further annotation of the same images, not read",
                    "further annotations of the same images, not read",
                ),
            ),
        ):
            if alone:
                shown = [str(path) if names[path.name] > 1 else path.name for path in alone]
                warn(f"{number_of(len(alone), *what)}: {', '.join(shown)}")
        for line in self.other_formats:
            warn(line)


def pair(
    images: Path,
    truth: Path,
    *,
    form: AnnotationFormat = AnnotationFormat.AUTO,
    diameter_px: float | None = None,
    pattern: str | None = None,
) -> Pairing:
    """Pair images with their annotations by name.

    Annotations are a folder, in which ``a.png``, ``a_masks.tif``, ``a_rois.zip`` and the like belong to
    ``a.tif``, ``a.png`` to ``a_0000.tif`` and ``mask_a.png`` to ``image_a.tif`` (see `annotation_names`), or
    a file that names its images, such as COCO JSON; such a file may also lie in the folder. Images and
    annotations may share a folder. Their sub-folders may differ as long as the stems are unique; otherwise
    image and annotation must have the same path below their folders.

    Parameters
    ----------
    images, truth : Path
        A folder or one image; a folder or one file of annotations.
    form : AnnotationFormat
        The format; `AUTO` detects it by the content of each file.
    diameter_px : float, optional
        Diameter of the beads, px, where they are marked by their centres.
    pattern : str, optional
        Regular expression, searched in the paths of images and annotations below their folders instead of
        these rules; its only group is the name that image and annotation have in common.

    Raises
    ------
    ImageError
        If a folder is missing or holds no image.
    AnnotationError
        If nothing matches, or two files name the same image.
    SettingsError
        If beads are marked by their centres and no diameter is given, or the pattern does not fit.
    """
    together = real_path(images) == real_path(truth)
    if together and truth.is_file():
        raise AnnotationError(f"{truth}: is image and annotation in one; give the annotation of this image")
    there = survey([images], exclude=[truth])
    found, other_formats = list(there.images), tuple(there.unread())
    rule = _FormatRule(form, diameter_px)
    if truth.is_file():
        if pattern is not None:
            raise SettingsError(f"--pair is for a folder of annotations, and {truth} is a file; leave it out")
        return replace(_pair_with_file(found, images, truth, rule), other_formats=other_formats)
    if together:
        found = _without_masks(found)
    image_paths = {item.path for item in found}
    candidates = [
        item
        for item in find([truth], exclude=[images], suffixes=form.reader().SUFFIXES)
        if item.path not in image_paths and item.path.name not in NOT_ANNOTATIONS
    ]
    chosen = by_name(found, candidates) if pattern is None else by_pattern(found, candidates, pattern)
    own = {item: rule.sample(item, path) for item, path in chosen.items()}
    used = {sample.truth for sample in own.values()}
    others = [item.path for item in candidates if item.path not in used]
    named, alone, errors = _by_content(found, others, rule)
    pairs = named | own
    if not pairs:
        path = path_stem(found[0].name)
        raise (
            errors[0]
            if errors
            else AnnotationError(
                f"{truth}: no mask has the name of an image in {images}; "
                f"{found[0].name} needs {path}.tif or {path}_masks.tif;"
                " if the names have another part in common, name it with --pair"
            )
        )
    used |= {sample.truth for sample in named.values()}
    names = {name for item in pairs for name in annotation_names(PurePosixPath(item.name.name))}
    left = [item for item in candidates if item.path not in used]
    return Pairing(
        tuple(pairs[item] for item in found if item in pairs),
        tuple(item.path for item in found if item not in pairs),
        (*(item.path for item in left if stem(item.name) not in names), *map(Path, alone)),
        tuple(item.path for item in left if stem(item.name) in names),
        other_formats,
    )


@dataclass(frozen=True)
class _FormatRule:
    """The format and the diameter that were asked for."""

    form: AnnotationFormat
    diameter_px: float | None

    def sample(self, image: Found, path: Path) -> Sample:
        """Pair an image with a file of its own."""
        is_table = self.form is AnnotationFormat.AUTO and path.suffix.lower() in TABLE_SUFFIXES
        if is_table or self.form is AnnotationFormat.CENTRES:
            # Checked here for one error before any work, instead of one for each image.
            centres.required(self.diameter_px, path)
        load = partial(read, path, image=image.name, form=self.form, diameter_px=self.diameter_px)
        return _sample(image, path, load)

    def by_image(self, path: Path) -> dict[str, Load]:
        """Return how to read each image that a file names; empty if it names none."""
        found = self.form.reader().by_image(Head.of(path), self.diameter_px)
        return {} if "" in found else found


def _without_masks(found: Sequence[Found]) -> list[Found]:
    """Leave out the images that are masks of others, by their suffix."""
    masks = {name for item in found for name in annotation_names(item.name, marked=True)}
    return [item for item in found if path_stem(item.name) not in masks]


def _pair_with_file(found: Sequence[Found], images: Path, truth: Path, rule: _FormatRule) -> Pairing:
    parts = rule.by_image(truth)
    if parts:
        pairs, alone = _named(found, truth, parts)
        if not pairs:
            raise AnnotationError(
                f"{truth}: none of the images that it names is in {images}; it names"
                f" {first_names(list(parts))}"
            )
        rest = tuple(item.path for item in found if item not in pairs)
        return Pairing(tuple(pairs[item] for item in found if item in pairs), rest, tuple(map(Path, alone)))
    name = truth.stem.removesuffix(".ome")
    own = [
        item for item in found if len(found) == 1 or name in annotation_names(PurePosixPath(item.name.name))
    ]
    if len(own) != 1:
        raise AnnotationError(
            f"{truth}: annotates one image, and {images} holds {len(found)}; give that image, or the folder"
            " of their annotations"
        )
    rest = tuple(item.path for item in found if item is not own[0])
    return Pairing((rule.sample(own[0], truth),), rest, ())


def _named(
    found: Sequence[Found], truth: Path, parts: dict[str, Load]
) -> tuple[dict[Found, Sample], list[str]]:
    """Pair images with the parts of a file that name them; also return the names without an image."""
    by_path = {item.name: item for item in found}
    names = matched(parts, by_path)
    pairs = {by_path[image]: _sample(by_path[image], truth, parts[name]) for name, image in names.items()}
    return pairs, [name for name in parts if name not in names]


def _by_content(
    found: Sequence[Found], paths: Sequence[Path], rule: _FormatRule
) -> tuple[dict[Found, Sample], list[str], list[AnnotationError]]:
    """Pair images with files that name them; also return names without an image, and errors of files."""
    pairs: dict[Found, Sample] = {}
    alone: list[str] = []
    errors: list[AnnotationError] = []
    for path in paths:
        if path.suffix.lower() not in OTHER_SUFFIXES:
            continue
        try:
            parts = rule.by_image(path)
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


def _sample(image: Found, truth: Path, load: Load) -> Sample:
    name = name_text(image.name)
    return Sample(name, image.path, truth, load, source=name)
