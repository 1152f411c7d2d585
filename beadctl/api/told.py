"""What the functions tell: warnings of Python, and nothing printed."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from beadctl.console import Messages
from beadctl.errors import BeadctlWarning, MissingExtraError


def _warn(text: str) -> None:
    """Warn at the line of the caller's that called a function of beadctl."""
    frame, level = sys._getframe(), 1
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith("beadctl."):
        frame, level = frame.f_back, level + 1
    warnings.warn(BeadctlWarning(text), stacklevel=level)


WARNINGS = Messages(-1, _warn)


@contextmanager
def extras_named() -> Iterator[None]:
    """Raise a `MissingExtraError` where the block needs a package that only an extra installs."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = MissingExtraError.of(error)
        if missing is None:
            raise
        raise missing from None
