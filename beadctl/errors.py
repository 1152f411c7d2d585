"""The errors that a user may meet, each one line: what is wrong, where, and what to do.

::

    BeadctlError                 exit_code 1
      SettingsError              2   a flag, an environment variable or beadctl.toml
      ImageError                 1   an image, or a folder of them, cannot be used
      AnnotationError            1   a mask or its pairing with an image cannot be used
      ModelError                 3   a model file, checkpoint or run cannot be used
      DeviceError                3   the device that was asked for is not there
      OutputError                3   a result cannot be written, or would replace another
      MissingExtraError          3   a part of beadctl that is not installed
      TrainingError              3   training cannot start or go on

Anything else that is raised is a bug of beadctl and keeps its traceback.
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
        """Return the code of a command that went to its end, with or without failed inputs."""
        return cls.SOME_FAILED if failed else cls.DONE


class BeadctlError(Exception):
    """Anything that beadctl says no to, as one line for a person."""

    exit_code = ExitCode.SOME_FAILED


class SettingsError(BeadctlError):
    """A flag, an environment variable or a key of ``beadctl.toml`` is wrong."""

    exit_code = ExitCode.USAGE


class ImageError(BeadctlError):
    """An image, or a folder of images, cannot be used."""


class AnnotationError(BeadctlError):
    """A mask cannot be used, or does not belong to its image."""


class ModelError(BeadctlError):
    """A model file, a checkpoint or a training run cannot be used."""

    exit_code = ExitCode.NOTHING_DONE


class DeviceError(BeadctlError):
    """The device that was asked for cannot be had; beadctl never falls back in silence."""

    exit_code = ExitCode.NOTHING_DONE


class OutputError(BeadctlError):
    """A result cannot be written, or would replace something that nobody asked to replace."""

    exit_code = ExitCode.NOTHING_DONE


class MissingExtraError(BeadctlError):
    """A part of beadctl that is not installed; the message names the ``pip install``."""

    exit_code = ExitCode.NOTHING_DONE


class TrainingError(BeadctlError):
    """Training cannot start, or cannot go on."""

    exit_code = ExitCode.NOTHING_DONE


class Interrupted(BaseException):
    """A signal asked the process to end: Ctrl-C, or SIGTERM as batch schedulers send it before they kill.

    Not an error, so not an `Exception`; and not a `KeyboardInterrupt`, which typer would turn into an exit
    code of its own before the command line could tell what is kept.

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
