"""Notes on files, each printed once and not once a file."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from beadctl.console.messages import Messages
from beadctl.errors import FileNote
from beadctl.words import number_of


@contextmanager
def file_notes() -> Iterator[None]:
    """Print each `FileNote` of the block as a warning when it is first given, and at the end how often."""
    messages, given = Messages(), dict[str, set[Path]]()
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_note(message: Warning | str, *where: Any, **more: Any) -> None:
            if not isinstance(message, FileNote):
                show(message, *where, **more)
                return
            if message.note not in given:
                messages.warn(str(message))
            given.setdefault(message.note, set()).add(message.path)

        warnings.showwarning = show_note
        warnings.simplefilter("always", FileNote)
        try:
            yield
        finally:
            for note, paths in given.items():
                if len(paths) > 1:
                    messages.warn(f"{number_of(len(paths) - 1, 'more file')}: {note}")
