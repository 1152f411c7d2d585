"""The ``beadctl`` command: its subcommands, and the one place where an error becomes a line."""

import signal
import sys
from types import FrameType
from typing import Annotated

import typer
from typer._completion_classes import completion_init

from beadctl import __version__, console
from beadctl.commands import (
    compare_losses,
    count,
    evaluate,
    export,
    info,
    segment,
    simulate,
    tile,
    train,
)
from beadctl.errors import BeadctlError, MissingExtraError

app = typer.Typer(
    name="beadctl",
    help="Segment and count microbeads in microscope images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings: flags > BEADCTL_SECTION__FIELD > beadctl.toml > defaults; see beadctl info --settings.",
)
# Typer registers its shells only with --install-completion, which edits a user's start-up files; the scripts
# in completions/ need the shells alone.
completion_init()

app.command("tile")(tile.tile)
app.command("train")(train.train)
app.command("eval")(evaluate.evaluate)
app.command("compare-losses")(compare_losses.compare_losses)
app.command("export")(export.export)
app.command("segment")(segment.segment)
app.command("count")(count.count)
app.command("simulate")(simulate.simulate)
app.command("info")(info.info)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"beadctl {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Segment and count microbeads in microscope images."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM), as batch schedulers do before they kill."""


def main() -> None:
    """Run the command line; each error of ours is one red line and its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """Run the command line on `arguments` and return the exit code of `beadctl.errors`."""
    extras = {"torch": "train", "onnx": "train", "onnxscript": "train", "matplotlib": "train"}
    try:
        code = app(args=arguments, standalone_mode=False)
    except BeadctlError as error:
        console.fail(str(error))
        return error.exit_code
    except typer.TyperException as error:
        return _usage(error)
    except typer.Abort:
        return 130
    except Terminated:
        console.fail("terminated; finished work is kept, run the same command again to go on")
        return 143
    except KeyboardInterrupt:
        console.fail("interrupted; finished work is kept, run the same command again to go on")
        return 130
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


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated
