"""`open_model`: the network that finds the beads."""

import os
from typing import TypedDict

from beadctl.api.options import settings_of
from beadctl.api.told import WARNINGS
from beadctl.cli import arguments
from beadctl.model.session import Model


class _NoOptions(TypedDict):
    pass


def open_model(
    path: str | os.PathLike[str] | None = None, *, device: str = "auto", threads: int | None = None
) -> Model:
    """Open a model file once, for many images.

    Parameters
    ----------
    path : path_like, optional
        The ``.onnx`` file; by default the model in the package.
    device : str
        ``auto`` (CUDA where it works, else the CPU), ``cpu``, ``cuda``, ``tensorrt``, ``directml``,
        ``coreml`` or ``openvino``; one of several as ``cuda:1``.
    threads : int, optional
        CPU threads; by default those granted to the job.

    Raises
    ------
    ModelError
        If the file is missing or no model of beadctl.
    DeviceError, MissingExtraError
        If the device is not available, or OpenVINO not installed.
    SettingsError
        If there is no such device.

    Warns
    -----
    BeadctlWarning
        If the model failed its own validation.

    Examples
    --------
    >>> import beadctl
    >>> model = beadctl.open_model(device="cpu")
    >>> model.facts.name, model.device
    ('beadctl default', 'cpu')
    """
    given = {"model": path, "device": device, "threads": threads}
    settings = settings_of("open_model", _NoOptions, {}, **given).settings
    return arguments.session(settings, WARNINGS)[0]


def opened(model: Model | str | os.PathLike[str] | None) -> Model:
    """Return a model that is open, or open one by its path, None for the default."""
    return model if isinstance(model, Model) else open_model(model)
