"""Annotations of beads in the formats of other programs, each read as a label image.

`pairing` pairs images with files, `reading` reads a file by its module in `formats`, and `canvas` paints the
beads. No file is unpickled. `AnnotationFormat` is imported without numpy, for the command line.
"""

from beadctl.annotations.formats import AnnotationFormat

__all__ = ["AnnotationFormat"]
