"""`train`: a network from tiles. `export`: its model file."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from beadctl.api.options import TrainOptions, path_of, settings_of
from beadctl.api.told import WARNINGS, extras_named
from beadctl.errors import SettingsError

if TYPE_CHECKING:
    from beadctl.training.records import EpochRecord, RunResult


def train(
    tiles: str | os.PathLike[str] | None,
    out: str | os.PathLike[str],
    *,
    resume: bool = False,
    progress: "Callable[[EpochRecord], object] | None" = None,
    **options: Unpack[TrainOptions],
) -> "RunResult":
    """Train a network into a folder, as ``beadctl train`` does; needs the extra ``train``.

    `export` makes a model file of it.

    Parameters
    ----------
    tiles : path_like or None
        Folder that ``beadctl tile`` wrote; None to train on simulated scenes, as many an epoch as the option
        ``simulate`` says.
    out : path_like
        Folder of the run.
    resume : bool
        Go on with the run in `out`, with the same options.
    progress : callable, optional
        Called after each epoch with its record: ``epoch``, ``train_loss``, ``val_f1`` and others.
    **options
        Options of ``beadctl train`` by their names, such as ``start="default"`` (``--from``), ``epochs=20``,
        ``max_minutes=30``, ``loss="dice"``, ``device="cuda"``.

    Returns
    -------
    RunResult
        Path of the best checkpoint, the record of its epoch, and how the run ended.

    Raises
    ------
    OutputError
        If `out` holds a run and `resume` is off.
    TrainingError, AnnotationError
        If the tiles cannot be used, or the loss is no longer finite.
    ModelError, DeviceError, MissingExtraError, SettingsError
        If weights or a run, the device, the extra or an option do not exist.

    Warns
    -----
    BeadctlWarning
        If masks are bad, or the model is not good enough for counts.

    Examples
    --------
    >>> import tempfile
    >>> import warnings
    >>> from pathlib import Path
    >>> import beadctl
    >>> tiny = {"size": 32, "width": 2, "depth": 2, "steps_per_epoch": 1, "workers": 0, "precision": "fp32"}
    >>> with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", beadctl.BeadctlWarning)
    ...     run = beadctl.train(None, Path(folder) / "run", simulate=2, epochs=1, device="cpu", **tiny)
    >>> run.stopped, run.best.name
    ('finished', 'best.pt')
    """
    named: dict[str, Any] = {"tiles": tiles, "out_dir": path_of("train", out)}
    loaded = settings_of("train", TrainOptions, options, **named)
    if tiles is None and not loaded.settings.train.simulate:
        raise SettingsError("train(): has nothing to train on; give tiles, or simulate=200 and no tiles")
    with extras_named():
        from beadctl.cli import training_arguments as arguments
        from beadctl.training.preparation import prepared
        from beadctl.training.run import learn_quietly

        run = prepared(arguments.asked(loaded, resume=resume), WARNINGS)
        return learn_quietly(run, WARNINGS, progress or (lambda _: None))


def export(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    name: str = "bead",
    licence: str = "unspecified",
    overwrite: bool = False,
) -> Path:
    """Write the best epoch of a run as a model file, as ``beadctl export`` does, and return its path.

    Parameters
    ----------
    run : path_like
        Folder of the run, or a checkpoint.
    out : path_like
        The ``.onnx`` file, for `open_model`.
    name, licence : str
        Of the model, written into the file.
    overwrite : bool
        Replace `out`.

    Raises
    ------
    ModelError
        If the run cannot be read, or onnxruntime and PyTorch differ.
    OutputError
        If `out` already exists, does not end in ``.onnx``, or cannot be written.
    MissingExtraError
        If the extra ``train`` is not installed.

    Warns
    -----
    BeadctlWarning
        If the model is not good enough for counts.

    Examples
    --------
    >>> import beadctl
    >>> beadctl.export("no/such/run", "mine.onnx")
    Traceback (most recent call last):
    beadctl.errors.ModelError: no/such/run: no such checkpoint; give the folder or file of a training run
    """
    checkpoint, path = path_of("export", run), path_of("export", out)
    with extras_named():
        from beadctl.training.export import ExportOptions
        from beadctl.training.export import export as export_

        report = export_(checkpoint, path, ExportOptions(name=name, licence=licence), overwrite=overwrite)
    if report.doubt:
        WARNINGS.warn(f"{path}: {report.doubt}")
    return path
