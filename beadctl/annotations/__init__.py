"""Where the beads of an image are, as people have it: one file a format, each giving a label image.

::

    label_image   label images (TIFF, PNG; of Cellpose and StarDist too)     -> labels as they are
    binary_mask   masks of two values, or of grey rims                       -> connected parts
    coco          COCO JSON: polygons, run lengths (`rle`), boxes            -> painted outlines
    imagej        ImageJ and Fiji regions, .roi and .zip (`archive`)         -> painted outlines
    geojson       GeoJSON, as QuPath writes it                               -> painted outlines
    cellpose      Cellpose's outlines in a text file                         -> painted outlines
    yolo          YOLO boxes and segments                                    -> painted outlines
    centres       tables of bead centres                                     -> painted discs

    outline       which pixels lie in an outline
    canvas        painting: which bead a pixel belongs to where two overlap  -> Labelled
    detection     the format of a file, told by its content
    reading       a file of any format                                       -> Labelled
    pairing       images and the files that annotate them                    -> Pairing

Nothing is ever unpickled. The list of formats costs no import, so that the command line may show it.
"""

from enum import StrEnum

__all__ = ["AnnotationFormat"]


class AnnotationFormat(StrEnum):
    """A format by its name on the command line."""

    AUTO = "auto"
    LABELS = "labels"
    BINARY = "binary"
    COCO = "coco"
    IMAGEJ = "imagej"
    GEOJSON = "geojson"
    CELLPOSE = "cellpose"
    STARDIST = "stardist"
    YOLO = "yolo"
    CENTRES = "centres"
