"""Errors for users; the message is one line: what is wrong, in which file or setting, and what to do.

::

    BeadctlError                 exit_code 1
      SettingsError              2   a flag, an environment variable or beadctl.toml
      ImageError                 1   an image, or a folder of images
      AnnotationError            1   an annotation, or its pairing with an image
      ModelError                 3   a model file, checkpoint or training run
      DeviceError                3   the requested device
      OutputError                3   a result that cannot be written or already exists
      MissingExtraError          3   an optional dependency that is not installed
      TrainingError              3   training cannot start or continue

Any other exception is a bug of beadctl and keeps its traceback.
"""

from enum import IntEnum


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

    exit_code = ExitCode.SOME_FAILED


class SettingsError(BeadctlError):
    """A flag, an environment variable or a key of ``beadctl.toml`` is wrong."""

    exit_code = ExitCode.USAGE


class ImageError(BeadctlError):
    """An image, or a folder of images, cannot be used."""


class AnnotationError(BeadctlError):
    """An annotation cannot be used, or does not belong to its image."""


class ModelError(BeadctlError):
    """A model file, a checkpoint or a training run cannot be used."""

    exit_code = ExitCode.NOTHING_DONE


class DeviceError(BeadctlError):
    """The requested device is not available."""

    exit_code = ExitCode.NOTHING_DONE


class OutputError(BeadctlError):
    """A result cannot be written, or already exists and overwriting was not requested."""

    exit_code = ExitCode.NOTHING_DONE


class MissingExtraError(BeadctlError):
    """An optional dependency is not installed; the message names the ``pip install``."""

    exit_code = ExitCode.NOTHING_DONE


class TrainingError(BeadctlError):
    """Training cannot start or continue."""

    exit_code = ExitCode.NOTHING_DONE


class Interrupted(BaseException):
    """A signal asked the process to end: SIGINT (Ctrl-C), or SIGTERM as batch schedulers send it.

    A `BaseException`, so that handlers of errors let it pass. `KeyboardInterrupt` does not serve: typer turns
    it into an exit code before the command line can report what is kept.

    Parameters
    ----------
    number : int
        The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_code(self) -> ExitCode:
        """130 for SIGINT, 143 for SIGTERM."""
        return ExitCode(128 + self.number)
