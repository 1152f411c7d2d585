"""The ``beadctl`` command: its subcommands, and the one place where an error becomes a line."""

import os
import signal
import sys
from collections.abc import Collection
from importlib import import_module
from types import FrameType
from typing import Annotated

import typer

from beadctl import __version__, console
from beadctl.errors import BeadctlError, Interrupted, MissingExtraError

# Name, module and function below beadctl.cli.commands, and what `beadctl --help` says of it. Only the command
# that is run is imported: the settings that make its options cost more than all the rest of a `--help`.
COMMANDS = {
    "tile": ("tile", "tile", "Cut images and masks into training tiles, split by source image."),
    "train": ("train", "train", "Train a U-Net on tiles."),
    "eval": ("evaluate", "evaluate", "Score a model file on tiles or on image/mask pairs."),
    "compare-losses": ("compare_losses", "compare_losses", "Train with each loss and compare."),
    "export": ("export", "export", "Write a training run as one verified ONNX file."),
    "segment": ("segment", "segment", "Write masks, overlays and tables of images."),
    "count": ("count", "count", "Print how many beads each image holds."),
    "audit": ("audit", "audit", "Check that masks belong to their images and lie on the beads."),
    "simulate": ("simulate", "simulate", "Write simulated bead images with exact label images."),
    "info": ("info", "info", "Describe the installation, the settings, an image or a model."),
}


def application(wanted: Collection[str] = tuple(COMMANDS)) -> typer.Typer:
    """Build the command line.

    Parameters
    ----------
    wanted : collection of str
        Subcommands to import; the others are known by name and summary alone.
    """
    app = typer.Typer(
        name="beadctl",
        help="Segment and count microbeads in microscope images.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Settings: flags > BEADCTL_SECTION__FIELD > beadctl.toml > defaults (see info --settings).",
    )
    app.callback()(root)
    for name, (module, function, summary) in COMMANDS.items():
        if name in wanted:
            command = getattr(import_module(f"beadctl.cli.commands.{module}"), function)
        else:
            command = _known_by_name
        app.command(name, short_help=summary)(command)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"beadctl {__version__}")
        raise typer.Exit


def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Segment and count microbeads in microscope images."""


def _known_by_name() -> None:
    """Stand in the list of subcommands for one that this call does not run."""


def _wanted(arguments: list[str]) -> Collection[str]:
    """Return the subcommands that a call may need: the one it names, or all to complete a line."""
    if "_BEADCTL_COMPLETE" in os.environ:
        # Typer registers its shells only with --install-completion, which edits a user's start-up files;
        # the scripts in completions/ need the shells alone.
        from typer._completion_classes import completion_init

        completion_init()
        return tuple(COMMANDS)
    return [argument for argument in arguments if argument in COMMANDS][:1]


def main() -> None:
    """Run the command line; each error of ours is one red line and its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # A shell that starts a job in the background has it ignore Ctrl-C: leave it so.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """Run the command line on `arguments` and return the exit code of `beadctl.errors`."""
    extras = {"torch": "train", "onnx": "train", "onnxscript": "train", "matplotlib": "train"}
    try:
        words = sys.argv[1:] if arguments is None else arguments
        code = application(_wanted(words))(args=words, standalone_mode=False)
    except BeadctlError as error:
        console.fail(str(error))
        return error.exit_code
    except typer.TyperException as error:
        return _usage(error)
    except typer.Abort:
        return 130
    except Interrupted as stop:
        word = "terminated" if stop.number == signal.SIGTERM else "interrupted"
        console.fail(f"{word}; finished work is kept, run the same command again to go on")
        return stop.exit_code
    except BrokenPipeError:
        # The reader of our table has gone, as with `| head`: no more output, and no complaint at exit.
        sys.stdout = None
        return 1
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in extras:
            raise
        missing = MissingExtraError(f'{package} is not installed; pip install "beadctl[{extras[package]}]"')
        console.fail(str(missing))
        return missing.exit_code
    return int(code or 0)


def _usage(error: typer.TyperException) -> int:
    """Say what is wrong with a command line in one line; no arguments at all bring the help."""
    context = getattr(error, "ctx", None)
    message = error.format_message()
    if "\n" in message:
        typer.echo(message, err=True)
        return 2
    command = context.command_path if context else "beadctl"
    console.fail(f"{message.rstrip('.')}; see {command} --help")
    return 2


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(number)
