"""The format of an annotation, told by its content."""

import codecs
from pathlib import Path

from beadctl.annotations import AnnotationFormat, archive
from beadctl.errors import AnnotationError

HEAD_BYTES = 2**16
TEXTS = (".csv", ".tsv", ".txt", ".json", ".geojson")
IMAGES = (
    b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM",
)  # fmt: skip


def detect(path: Path) -> AnnotationFormat:
    """Tell the format of an annotation by its first bytes.

    Parameters
    ----------
    path : Path
        A file.

    Returns
    -------
    AnnotationFormat
        `LABELS` for every image: whether it is a binary mask, its values tell.

    Raises
    ------
    AnnotationError
        If it cannot be read, would have to be unpickled, or is nothing that is known.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise AnnotationError(
            f"{path}: cannot be read ({error.strerror or error}); check the path and its permissions"
        ) from None
    if head.startswith(IMAGES):
        return AnnotationFormat.LABELS
    if head.startswith(b"Iout"):
        return AnnotationFormat.IMAGEJ
    if head.startswith(b"PK\x03\x04"):
        return _in_archive(path)
    refuse_pickles(path, head)
    try:
        # Of a longer file the last character may be cut.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        if path.suffix.lower() in TEXTS:
            raise AnnotationError(f"{path}: is no UTF-8 text; save it as text in UTF-8") from None
        raise _unknown(path) from None
    return _in_text(path, text.lstrip())


def refuse_pickles(path: Path, head: bytes) -> None:
    """Refuse what NumPy or pickle wrote.

    Raises
    ------
    AnnotationError
        If the file is such a one, with what to do instead.
    """
    if head.startswith(b"\x93NUMPY") or (head[:1] == b"\x80" and head[1:2] in b"\2\3\4\5"):
        raise AnnotationError(
            f"{path}: NumPy and pickle files may run code when they are read, so they are not opened; save"
            " the masks as TIFF or PNG (Cellpose: --save_tif, or File > Save masks in its window)"
        )


def _in_archive(path: Path) -> AnnotationFormat:
    names = [name.lower() for name in archive.names(path)]
    if any(name.endswith(".roi") for name in names):
        return AnnotationFormat.IMAGEJ
    if any(name.endswith(".npy") for name in names):
        refuse_pickles(path, b"\x93NUMPY")
    if any(name.endswith(".json") for name in names):
        return AnnotationFormat.COCO
    raise AnnotationError(
        f"{path}: holds neither ImageJ regions (.roi) nor COCO JSON; unpack it, and give what it holds"
    )


def _in_text(path: Path, text: str) -> AnnotationFormat:
    if text.startswith(("{", "[")):
        # A COCO file may hold these words as a name; a GeoJSON file has no list of annotations.
        features = '"Feature' in text and '"annotations"' not in text
        return AnnotationFormat.GEOJSON if features else AnnotationFormat.COCO
    is_table = path.suffix.lower() in (".csv", ".tsv")
    if not text.strip():
        empty_outlines = path.stem.endswith("_outlines")
        return (
            AnnotationFormat.CENTRES if is_table
            else AnnotationFormat.CELLPOSE if empty_outlines
            else AnnotationFormat.YOLO
        )  # fmt: skip
    line = text.splitlines()[0]
    if is_table or not _is_number(line.replace(",", " ").replace("\t", " ").split()[0]):
        if any(delimiter in line for delimiter in ",;\t"):
            return AnnotationFormat.CENTRES
        raise _unknown(path)
    return AnnotationFormat.CELLPOSE if "," in line else AnnotationFormat.YOLO


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _unknown(path: Path) -> AnnotationError:
    return AnnotationError(
        f"{path}: is no annotation that beadctl knows; give label images, masks, COCO, GeoJSON, ImageJ"
        " regions, Cellpose outlines, YOLO, or a CSV of bead centres"
    )
