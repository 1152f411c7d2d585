"""``beadctl verify``: whether the files of a run are still those that it read and wrote."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl import console
from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.errors import ExitCode
from beadctl.words import number_of


@options.command(output="format")
def verify(
    loaded: Loaded,
    messages: Messages,
    out: Annotated[Path, typer.Argument(help="Folder of results of segment or count.")],
) -> ExitCode:
    """Compare images, model, outputs and tables with what the run recorded; exit 1 if any changed.

    Prints one row for each file that changed or is missing.

    Example: beadctl verify results
    """
    from beadctl.results import verify as verification

    images = verification.images(out)
    with messages.progress(len(images), "verifying") as advance:
        found = verification.verify(out, images, advance)
    console.print_rows(loaded.settings.output.format, verification.COLUMNS, found.rows())
    for note in found.notes:
        messages.warn(f"{out}: {note}")
    messages.info(f"{out}: {number_of(found.checked, 'file')} checked, {len(found.changes)} not as they were")
    return ExitCode.of(failed=bool(found.changes))
