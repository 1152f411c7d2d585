"""The ``beadctl`` command: its subcommands, and the one place where an error becomes a line."""

import errno
import io
import os
import sys
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from beadctl import __version__, console
from beadctl.console import stopping
from beadctl.errors import BeadctlError, ExitCode, Interrupted, MissingExtraError, SettingsError
from beadctl.launch import Launch

PROGRAM = "beadctl"
# Name, module and function below beadctl.cli.commands, and summary for `beadctl --help`. Only the command
# that runs is imported: the settings that make its options take longer than all the rest of `--help`.
COMMANDS = {
    "count": ("count", "count", "Print how many beads each image holds."),
    "segment": ("segment", "segment", "Write masks, overlays and tables of images."),
    "show": ("show", "show", "Print the outlined beads of an image or a run."),
    "report": ("report", "report", "Write a finished run as one HTML page."),
    "verify": ("verify", "verify", "Compare the files of a run with what it recorded."),
    "merge": ("merge", "merge", "Make one run of the shards of segment, count or audit."),
    "info": ("info", "info", "Describe the installation, settings, an image or a model."),
    "audit": ("audit", "audit", "Check that masks fit their images and lie on the beads."),
    "tune": ("tune", "tune", "Make a model from a few annotated images."),
    "tile": ("tile", "tile", "Cut images and masks into training tiles, split by image."),
    "train": ("train", "train", "Train a U-Net on tiles."),
    "export": ("export", "export", "Write a training run as one verified ONNX file."),
    "eval": ("evaluate", "evaluate", "Score a model file on tiles or on image/mask pairs."),
    "compare-losses": ("compare_losses", "compare_losses", "Train with each loss and compare."),
    "simulate": ("simulate", "simulate", "Write simulated bead images with exact label images."),
    "completions": ("completions", "completions", "Print the script for Tab completion in a shell."),
}
# What makes a path unusable that was given, wherever it is met first.
PATH_FAULTS = {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP}


class Command(typer.core.TyperCommand):
    """A subcommand whose help shows ``--help`` as a flag, which takes no value."""

    def get_help_option(self, ctx: Any) -> typer.core.TyperOption | None:
        """Return the option ``--help``."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.metavar, option.help = "", "Show this message and exit"
        return option


def application(wanted: Collection[str] = tuple(COMMANDS)) -> typer.Typer:
    """Build the command line.

    Parameters
    ----------
    wanted : collection of str
        Subcommands to import; the others have name and summary only. Without any, help is plain text, as
        rich takes time to import.
    """
    app = typer.Typer(
        name=PROGRAM,
        help="Segment and count microbeads in microscope images.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if wanted else None,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Settings: flags > BEADCTL_SECTION__FIELD > beadctl.toml > defaults (see info --settings).",
    )
    app.callback()(root)
    for name, (module, function, summary) in COMMANDS.items():
        if name in wanted:
            command = getattr(import_module(f"beadctl.cli.commands.{module}"), function)
        else:
            command = _not_imported
        app.command(name, cls=Command, short_help=summary)(command)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Segment and count microbeads in microscope images."""


def _not_imported() -> None:
    """Stand for a subcommand that this call does not run."""


def _wanted(arguments: list[str]) -> Collection[str]:
    """Return the subcommand that a call, or a line to complete, names; none if it names none."""
    if f"_{PROGRAM.upper()}_COMPLETE" in os.environ:
        # Typer registers its shells while it builds an application with add_completion. Ours is built
        # without, since that also adds --install-completion, which edits start-up files of the user.
        shells = typer.Typer(add_completion=True)
        shells.command()(_not_imported)
        typer.main.get_command(shells)
        line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")
        arguments = line.split()
    return [argument for argument in arguments if argument in COMMANDS][:1]


def main() -> None:
    """Run the command line on the arguments of the process and exit with its code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the encoding of a terminal or pipe lacks must not end a table.
        sys.stdout.reconfigure(errors="backslashreplace")
    with stopping.listening() as request:
        try:
            code = run()
        except Exception:
            # A library may turn the exception of a signal into one of its own.
            if request.signal is None:
                raise
            code = _stopped(Interrupted(request.signal), sys.argv[1:])
    if request.made():
        # Threads may still compute what nobody needs.
        stopping.leave(code)
    sys.exit(code)


def run(arguments: list[str] | None = None) -> ExitCode:
    """Run the command line; each expected error becomes one red line and an exit code.

    Parameters
    ----------
    arguments : list of str, optional
        Those of the command line, without the program's name; by default those of the process.
    """
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if "" in words:
            # Path("") would be the current folder.
            raise SettingsError("an argument is empty; is a variable of the shell unset?")
        _require_working_folder()
        app = application(_wanted(words))
        with console.file_notes():
            return ExitCode(app(args=words, prog_name=PROGRAM, standalone_mode=False) or ExitCode.DONE)
    except BeadctlError as error:
        with stopping.finishing():
            _tell(str(error), words)
        return error.exit_code
    except typer.TyperException as error:
        return _usage(error, words)
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except Interrupted as stop:
        return _stopped(stop, words)
    except BrokenPipeError:
        # The reader of the table has ended, as with `| head`. Python would fail to flush stdout at exit.
        sys.stdout = None
        return ExitCode.SOME_FAILED
    except OSError as error:
        if error.filename is not None and error.errno in PATH_FAULTS:
            console.fail(f"{error.filename}: {error.strerror}; check the path and its permissions")
            return ExitCode.NOTHING_DONE
        # Typer prints help and version itself; an error of a file has the file's name.
        if error.filename is not None or error.errno != errno.ENOSPC:
            raise
        sys.stdout = None
        console.fail(f"standard output: cannot be written ({error.strerror}); redirect it")
        return ExitCode.NOTHING_DONE
    except ModuleNotFoundError as error:
        missing = MissingExtraError.of(error)
        if missing is None:
            raise
        console.fail(str(missing))
        return missing.exit_code


def _require_working_folder() -> None:
    try:
        Path.cwd()
    except OSError as error:
        raise SettingsError(f"the working folder is gone ({error.strerror}); change to another") from None


def _usage(error: typer.TyperException, words: list[str]) -> ExitCode:
    """Print what is wrong with a command line in one line; a call without arguments prints the help."""
    if not _tells(words):
        return ExitCode.USAGE
    context = getattr(error, "ctx", None)
    message = error.format_message().replace("Value error, ", "")
    if "\n" in message:
        typer.echo(message, err=True)
        return ExitCode.USAGE
    if context and (option := getattr(error, "option_name", None)):
        from beadctl.cli.names import renamed

        flags = [flag for parameter in context.command.params for flag in parameter.opts]
        if new := renamed(option.replace("--no-", "--"), flags):
            message = f"No such option: {option}; it is now {new}"
        elif option in ("-o", "--out-dir") and any(one.name == "out" for one in context.command.params):
            message = f"No such option: {option}; the folder stands alone, as in {context.command_path} OUT"
    console.fail(f"{message.rstrip('.')}; see {context.command_path if context else PROGRAM} --help")
    return ExitCode.USAGE


def _stopped(stop: Interrupted, words: list[str]) -> ExitCode:
    stopping.last_words(lambda: _tell(str(stop), words))
    return stop.exit_code


def _tell(message: str, words: list[str]) -> None:
    if _tells(words):
        console.fail(message)


def _tells(words: list[str]) -> bool:
    """Return whether to say why this process ends; of several that train together, the first to fail does."""
    try:
        if "train" not in words[:1] or Launch.of().size == 1:
            return True
    except SettingsError:
        return True
    from beadctl.training.world import is_first_to_fail

    return is_first_to_fail()
