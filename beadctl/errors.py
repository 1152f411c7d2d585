"""Errors for users; the message is one line: what is wrong, in which file or setting, and what to do.

::

    BeadctlError                                                               exit_code 3
      SettingsError                                                            2
      ImageError, AnnotationError                                              1
      ModelError, DeviceError, ClusterError, MissingExtraError, TrainingError  3
      OutputError                                                              3
        IncompleteError                                                        1

Any other exception is a bug of beadctl and keeps its traceback; that of an image in a run is a row's reason.
"""

import signal
from enum import IntEnum
from importlib.util import find_spec
from pathlib import Path

from beadctl.printable import printable


class ExitCode(IntEnum):
    """Every exit code of the command line."""

    DONE = 0
    SOME_FAILED = 1
    USAGE = 2
    NOTHING_DONE = 3
    INTERRUPTED = 130
    TERMINATED = 143

    @classmethod
    def of(cls, *, failed: bool) -> "ExitCode":
        """Return the code of a finished command, by whether some of its inputs failed."""
        return cls.SOME_FAILED if failed else cls.DONE


class BeadctlError(Exception):
    """An error with a message for the user and an exit code."""

    exit_code = ExitCode.NOTHING_DONE

    def __str__(self) -> str:
        """Return the message on one line, whatever it quotes from a file."""
        return printable(super().__str__())


class SettingsError(BeadctlError):
    """A flag, an environment variable or a key of ``beadctl.toml`` is wrong."""

    exit_code = ExitCode.USAGE


class ImageError(BeadctlError):
    """An image, or a folder of images, cannot be used."""

    exit_code = ExitCode.SOME_FAILED


class AnnotationError(BeadctlError):
    """An annotation cannot be used, or does not belong to its image."""

    exit_code = ExitCode.SOME_FAILED


class ModelError(BeadctlError):
    """A model file, a checkpoint or a training run cannot be used."""


class DeviceError(BeadctlError):
    """The requested device is not available."""


class ClusterError(BeadctlError):
    """The workers of a cluster cannot be reached, or cannot do the work."""


class OutputError(BeadctlError):
    """A result cannot be written, or already exists and overwriting was not requested."""


class IncompleteError(OutputError):
    """Results can no longer be written: the disk is full, or their folder is gone; what is done is kept."""

    exit_code = ExitCode.SOME_FAILED


# Packages that only an extra installs, and its name.
EXTRAS = {
    **dict.fromkeys(("torch", "onnx", "onnxscript", "matplotlib"), "train"),
    **dict.fromkeys(("fsspec", "aiohttp"), "remote"),
    **dict.fromkeys(("dask", "distributed", "dask_jobqueue", "cryptography"), "cluster"),
    "jinja2": "report",
    "tensorboard": "tensorboard",
}


class MissingExtraError(BeadctlError):
    """An optional dependency is not installed; the message names the ``pip install``."""

    @classmethod
    def of(cls, error: ModuleNotFoundError) -> "MissingExtraError | None":
        """Return the error for a module that was not found, if an extra installs it."""
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            return None
        return cls(f'{package} is not installed; pip install "beadctl[{EXTRAS[package]}]"')


def require_extra(extra: str, *packages: str) -> None:
    """Refuse what needs an extra of which a package is not installed; none is imported.

    Parameters
    ----------
    extra : str
        Its name.
    packages : str
        Those of its packages that are needed.

    Raises
    ------
    MissingExtraError
        It names the first that is missing, and the ``pip install``.

    Examples
    --------
    >>> require_extra("no-extra", "no_package.at_all")
    Traceback (most recent call last):
    beadctl.errors.MissingExtraError: no_package.at_all is not installed; pip install "beadctl[no-extra]"
    """
    for package in packages:
        if find_spec(package.partition(".")[0]) is None:
            raise MissingExtraError(f'{package} is not installed; pip install "beadctl[{extra}]"')


class TrainingError(BeadctlError):
    """Training cannot start or continue."""


class BeadctlWarning(UserWarning):
    """What to know of a result: a count to look at, a file that failed, a doubtful model.

    Only the functions of `beadctl` give it; the command line prints the same words.
    """


class FileNote(BeadctlWarning):
    """What a reader of a file leaves out or assumes.

    The command line prints a note once, with the number of further files that it is about.

    Attributes
    ----------
    path : Path
        The file.
    note : str
        What is left out or assumed, and what to do; the same text for every file that it is about.
    """

    def __init__(self, path: Path, note: str) -> None:
        super().__init__(f"{path}: {note}")
        self.path, self.note = path, note


class Interrupted(BaseException):
    """A signal asked the process to end: Ctrl-C, or SIGTERM and SIGUSR1 as batch schedulers send them.

    A `BaseException`, so that handlers of errors let it pass. `KeyboardInterrupt` does not serve: typer turns
    it into an exit code before the command line can report what is kept.

    Attributes
    ----------
    number : int
        The signal's.
    done : str
        How far the work was, for the message; empty where that is unknown.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number, self.done = number, ""

    def __str__(self) -> str:
        word = "interrupted" if self.number == signal.SIGINT else "terminated"
        done = f" ({self.done})" if self.done else ""
        return f"{word}{done}; finished work is kept, run the same command again to go on"

    @property
    def exit_code(self) -> ExitCode:
        """130 for SIGINT; 143 for SIGTERM and for SIGUSR1, whose number differs among platforms."""
        return ExitCode.INTERRUPTED if self.number == signal.SIGINT else ExitCode.TERMINATED
