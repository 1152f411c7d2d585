"""``beadctl report``: a finished run as one HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.errors import ExitCode


@options.command()
def report(
    loaded: Loaded,
    messages: Messages,
    out: Annotated[Path, typer.Argument(help="Folder of results of segment or count.")],
) -> ExitCode:
    """Write report.html into a folder of results: each image with its beads, plots, settings, failures.

    Example: beadctl report results
    """
    from beadctl.report import page
    from beadctl.results.stored import opened

    with opened(out, messages) as (folder, stored):
        messages.notes(page.write(folder, messages, stored=stored).notes())
    return ExitCode.DONE
