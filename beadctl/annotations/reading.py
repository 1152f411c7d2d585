"""An annotation of any format as a label image."""

from pathlib import Path, PurePosixPath

from beadctl.annotations import AnnotationFormat, cellpose, centres, coco, geojson, imagej, label_image, yolo
from beadctl.annotations.canvas import Labelled, Load
from beadctl.annotations.detection import detect
from beadctl.annotations.matching import matched
from beadctl.errors import AnnotationError

# Formats in which one file may annotate many images, by their names.
SHARED = (AnnotationFormat.COCO, AnnotationFormat.GEOJSON, AnnotationFormat.CENTRES)
# Programs that write beads in more than one way.
MEANS = {
    AnnotationFormat.CELLPOSE: (AnnotationFormat.LABELS,),
    AnnotationFormat.STARDIST: (AnnotationFormat.IMAGEJ,),
}


def read(
    path: Path,
    shape: tuple[int, int],
    *,
    image: PurePosixPath | None = None,
    form: AnnotationFormat = AnnotationFormat.AUTO,
    diameter_px: float | None = None,
) -> Labelled:
    """Read an annotation as a label image.

    Parameters
    ----------
    path : Path
        A file.
    shape : tuple of int
        Height and width of its image, px.
    image : PurePosixPath, optional
        Name of the image, to choose by in a file that annotates several.
    form : AnnotationFormat
        The format; `AUTO` tells it by the content.
    diameter_px : float, optional
        Of the beads, where the annotation marks centres.

    Returns
    -------
    Labelled
        uint32 labels of that shape, and remarks.

    Raises
    ------
    AnnotationError
        If it cannot be read, is of another format or of another image, or a part of it is missing.
    SettingsError
        If it marks centres and no diameter is given.
    MissingExtraError
        If it needs a package that is not installed.
    """
    found = detect(path)
    match found if found in MEANS.get(form, ()) or form is AnnotationFormat.AUTO else form:
        case AnnotationFormat.IMAGEJ:
            return imagej.read(path, shape, diameter_px=diameter_px)
        case AnnotationFormat.YOLO:
            return yolo.read(path, shape)
        case AnnotationFormat.CELLPOSE:
            return cellpose.read(path, shape)
        case AnnotationFormat.COCO | AnnotationFormat.GEOJSON | AnnotationFormat.CENTRES as shared:
            return _chosen(path, by_image(path, shared, diameter_px=diameter_px), image)(shape)
        case _:
            # Whoever names a kind of label image knows better than two values tell.
            forced = {AnnotationFormat.AUTO: None, AnnotationFormat.BINARY: True}
            return label_image.read(path, shape, binary=forced.get(form, False))


def by_image(path: Path, form: AnnotationFormat, *, diameter_px: float | None = None) -> dict[str, Load]:
    """Return how to read the annotation of each image that a file names; ``""`` where it names none.

    Parameters
    ----------
    path : Path
        A file.
    form : AnnotationFormat
        One of `SHARED`.
    diameter_px : float, optional
        As for `read`.

    Raises
    ------
    AnnotationError, SettingsError
        As for `read`.
    """
    match form:
        case AnnotationFormat.COCO:
            return coco.by_image(path)
        case AnnotationFormat.GEOJSON:
            return geojson.by_image(path, diameter_px=diameter_px)
        case AnnotationFormat.CENTRES:
            return centres.by_image(path, diameter_px=diameter_px)
        case _:
            raise ValueError(form)


def _chosen(path: Path, found: dict[str, Load], image: PurePosixPath | None) -> Load:
    if len(found) == 1:
        return next(iter(found.values()))
    names = matched(found, [image]) if image is not None else {}
    if not names:
        raise AnnotationError(
            f"{path}: annotates {len(found)} images, none of them by the name of {image or 'this one'};"
            " give the annotation of this image"
        )
    return found[next(iter(names))]
