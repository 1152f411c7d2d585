"""Formats of microscope makers that the extra `formats` reads, and the package that reads each."""

import warnings
from importlib.util import find_spec

PACKAGES = {".czi": "czifile", ".lif": "liffile", ".nd2": "nd2"}
"""Package that reads the files of a suffix."""

REMEDY = 'pip install "beadctl[formats]"'


def is_installed(suffix: str) -> bool:
    """Return whether the package for a suffix of `PACKAGES` is installed; it is not imported."""
    return find_spec(PACKAGES[suffix]) is not None


def kind(suffix: str) -> str:
    """Return the name of a format, such as ``CZI``."""
    return suffix.removeprefix(".").upper()


def quieten() -> None:
    """Ignore the Python warnings of these packages: what is wrong with a file is an error or a note."""
    warnings.filterwarnings("ignore", module=r"(czifile|liffile|nd2)\b")
