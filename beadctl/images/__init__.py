"""Image files as lazy 2-D planes: find, open, read by windows, normalise.

>>> import tempfile
>>> from pathlib import Path
>>> import numpy as np
>>> from PIL import Image as Picture
>>> with tempfile.TemporaryDirectory() as folder:
...     path = Path(folder) / "a.png"
...     Picture.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(path)
...     plane = only_plane(path)
...     with plane.open() as pixels:
...         window = pixels.read(Window(top=1, left=1, height=2, width=2))
>>> plane.height, plane.width, window.tolist()
(3, 4, [[5, 6], [9, 10]])
"""

from beadctl.images.companions import PARTS, RESULTS_MARK, Results
from beadctl.images.find import find, search, search_labels, survey
from beadctl.images.found import Found
from beadctl.images.image import Image, content_key, content_sha256, only_plane, open_array, open_image
from beadctl.images.intensities import Intensities, saturated_pixels, top_level
from beadctl.images.limits import Limits
from beadctl.images.mirrored import Mirrored
from beadctl.images.network_input import InputName, NetworkInput
from beadctl.images.normalisation import Levels, Normalisation, levels_of, measure_levels
from beadctl.images.orientation import STORED, Orientation, in_rows, oriented
from beadctl.images.plane import InMemory, Pixels, Plane, intensities_of
from beadctl.images.projection import stacks_of, without_z
from beadctl.images.read_options import ReadOptions
from beadctl.images.remote import LocalFile
from beadctl.images.search_result import IMAGE_SUFFIXES, Search
from beadctl.images.selection import Selection
from beadctl.images.walk import real_path
from beadctl.images.window import Window

__all__ = [
    "IMAGE_SUFFIXES",
    "PARTS",
    "RESULTS_MARK",
    "STORED",
    "Found",
    "Image",
    "InMemory",
    "InputName",
    "Intensities",
    "Levels",
    "Limits",
    "LocalFile",
    "Mirrored",
    "NetworkInput",
    "Normalisation",
    "Orientation",
    "Pixels",
    "Plane",
    "ReadOptions",
    "Results",
    "Search",
    "Selection",
    "Window",
    "content_key",
    "content_sha256",
    "find",
    "in_rows",
    "intensities_of",
    "levels_of",
    "measure_levels",
    "only_plane",
    "open_array",
    "open_image",
    "oriented",
    "real_path",
    "saturated_pixels",
    "search",
    "search_labels",
    "stacks_of",
    "survey",
    "top_level",
    "without_z",
]
