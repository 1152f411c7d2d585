"""Images of any kind as lazy 2-D planes: found, opened, read by windows and normalised."""

from beadctl.images.find import IMAGE_SUFFIXES, RESULTS_MARK, Found, find
from beadctl.images.image import Image, only_plane, open_image
from beadctl.images.memory import InMemory
from beadctl.images.normalisation import Normalisation, measure_normalisation, normalisation_of
from beadctl.images.plane import Pixels, Plane
from beadctl.images.read_options import ReadOptions
from beadctl.images.window import Window

__all__ = [
    "IMAGE_SUFFIXES",
    "RESULTS_MARK",
    "Found",
    "Image",
    "InMemory",
    "Normalisation",
    "Pixels",
    "Plane",
    "ReadOptions",
    "Window",
    "find",
    "measure_normalisation",
    "normalisation_of",
    "only_plane",
    "open_image",
]
