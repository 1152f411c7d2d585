"""An annotation file of any format as a label image."""

from pathlib import Path, PurePosixPath

from beadctl.annotations.canvas import Labelled
from beadctl.annotations.formats import AnnotationFormat
from beadctl.annotations.head import Head, detect
from beadctl.annotations.matching import matched
from beadctl.errors import AnnotationError
from beadctl.words import number_of


def read(
    path: Path,
    shape: tuple[int, int],
    *,
    image: PurePosixPath | None = None,
    form: AnnotationFormat = AnnotationFormat.AUTO,
    diameter_px: float | None = None,
) -> Labelled:
    """Read an annotation as a label image, uint32 (H, W), with remarks.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        Height and width of its image, px.
    image : PurePosixPath, optional
        Name of the image, to choose by in a file that annotates several.
    form, diameter_px
        As for `beadctl.annotations.pairing.pair`.

    Raises
    ------
    AnnotationError
        If it cannot be read, is of another format or of another image, or a part of it is missing.
    SettingsError
        If it marks centres and no diameter is given.
    MissingExtraError
        If it needs a package that is not installed.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "yolo.txt"
    >>> _ = path.write_text("0 0.5 0.5 0.25 0.25")
    >>> read(path, (8, 8)).labels[2:6, 2:6].tolist()
    [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    head = Head.of(path)
    if form is not AnnotationFormat.AUTO:
        # Refuses pickles and unknown content, whatever format was named.
        detect(head)
    found = form.reader().by_image(head, diameter_px)
    if len(found) == 1:
        return next(iter(found.values()))(shape)
    names = matched(found, [image]) if image is not None else {}
    if not names:
        raise AnnotationError(
            f"{path}: annotates {number_of(len(found), 'image')}, none of them by the name of "
            f"{image or 'this one'}; give the annotation of this image"
        )
    return found[next(iter(names))](shape)
