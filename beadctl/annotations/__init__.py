"""Annotations of beads in the formats of other programs, each read as a label image.

::

    formats/      one file a format, and the enum of them
    outline       rasterisation of outlines
    canvas        painting of beads, with the rule for overlaps   -> Labelled
    mask_image    values of a mask in an image file
    archive, document, rle    parts of files
    head          the format of a file, detected by its content
    reading       a file of any format                            -> Labelled
    matching      image names in an annotation
    pairing       images and the files that annotate them         -> Pairing
    sample        an image with its annotation                    -> Sample

No file is unpickled. `AnnotationFormat` is imported without numpy, for the command line.
"""

from beadctl.annotations.formats import AnnotationFormat

__all__ = ["AnnotationFormat"]
