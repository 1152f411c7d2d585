"""``beadctl completions``: the script that makes a shell complete beadctl's commands, options and choices."""

from typing import Annotated

import typer

from beadctl import console
from beadctl.cli.completion import SCRIPTS, Shell


def completions(shell: Annotated[Shell, typer.Argument(help="The shell", show_default=False)]) -> None:
    """Print the script that completes beadctl with Tab.

    Load it in your shell's start file, for example .bashrc: eval "$(beadctl completions bash)"

    Example: beadctl completions bash
    """
    console.print_text(SCRIPTS[shell])
