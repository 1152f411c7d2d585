"""Standard output, which holds data alone: an error where it cannot be written."""

import contextlib
import sys
from collections.abc import Iterator
from typing import TextIO

from beadctl.errors import OutputError


@contextlib.contextmanager
def standard_output() -> Iterator[TextIO]:
    """Yield standard output and flush it, or raise an `OutputError` if it is closed, full or broken."""
    if sys.stdout is None:
        raise OutputError("standard output: is closed; redirect it to a file")
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # Python would fail again to flush it at exit.
        sys.stdout = None
        raise OutputError(f"standard output: cannot be written ({error.strerror}); redirect it") from None


def print_text(text: str) -> None:
    """Print a text and a line break on standard output; an `OutputError` if that cannot be written."""
    with standard_output() as file:
        file.write(text + "\n")
