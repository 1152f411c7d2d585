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
    from beadctl.files import sha256
    from beadctl.results import verify as verification
    from beadctl.results.stored import opened
    from beadctl.url import shown

    with opened(out, messages, writes=False) as (folder, stored):
        images = verification.images(folder)
        with messages.progress(len(images), "verifying") as advance:
            hashed = stored.sha256 if stored else sha256
            found = verification.verify(folder, images, advance, hashed)
    console.print_rows(loaded.settings.output.format, verification.COLUMNS, found.rows())
    for note in found.notes:
        messages.warn(f"{shown(out)}: {note}")
    checked = f"{number_of(found.checked, 'file')} checked"
    messages.info(f"{shown(out)}: {checked}, {len(found.changes)} not as they were")
    return ExitCode.of(failed=bool(found.changes))
