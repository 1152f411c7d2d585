"""What a run starts from: weights and joiner of a model file or of another run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from beadctl.errors import ModelError, SettingsError
from beadctl.files import sha256
from beadctl.model.joiner import Joiner
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.training import checkpoint, import_onnx
from beadctl.training.architecture import Architecture
from beadctl.training.choices import ArchName
from beadctl.training.plan import Origin, TrainingPlan
from beadctl.training.run_folder import BEST, RunFolder

DEFAULT = "default"

# Peak learning rates where none is given: trained weights need small corrections only.
RANDOM_START_LR, FINE_TUNING_LR = 1e-3, 3e-4


@dataclass(frozen=True, eq=False)
class Start:
    """Weights to start from.

    Attributes
    ----------
    architecture : Architecture
        Their network.
    state_dict : mapping of str to Tensor, or None
        The weights, on the CPU; None for a resumed run, which has its own.
    source, sha256 : str
        ``default``, or the name of the file or folder, without its path; and the file's SHA-256.
    folded : bool
        Whether batch normalisation was folded, so that it needs statistics (`import_onnx.reopen`).
    joiner : Joiner or None
        That of the file or run. It fits maps like those that it was fitted to, and those of a network trained
        further are.
    """

    architecture: Architecture
    state_dict: Mapping[str, Tensor] | None
    source: str
    sha256: str
    folded: bool = False
    joiner: Joiner | None = None

    @property
    def origin(self) -> Origin:
        """Source and SHA-256, for the plan of the run."""
        return Origin(self.source, self.sha256)

    @property
    def network(self) -> dict[str, Any]:
        """Its network by the names of `TrainingPlan`, without dropout."""
        own = self.architecture
        names = ("width", "depth", "max_channels", "dilation")
        return {"arch": ArchName(own.kind), **{name: getattr(own, name) for name in names}}

    def planned(self, plan: TrainingPlan) -> TrainingPlan:
        """Return a plan with this start, its network and what that is shown; dropout is the plan's own."""
        return replace(plan, start=self.origin, inputs=self.architecture.inputs, **self.network)


def begin(
    source: str | None,
    *,
    lr: float | None,
    network: Mapping[str, tuple[Any, str]],
    run: Path | None = None,
) -> tuple[Start | None, dict[str, Any]]:
    """Return the weights that a run starts from, None for random ones, with their network and ``lr``.

    Parameters
    ----------
    source : str or None
        As `weights` takes it; None for random weights.
    lr : float or None
        Peak learning rate; None for the default of the start.
    network : mapping of str to (value, origin)
        Settings of the network that were asked for, by name in `TrainingPlan`, and where each came from
        (``flag``, or a file or variable for the message).
    run : Path, optional
        Folder of a run to resume; it has its own weights.

    Raises
    ------
    SettingsError
        If another network was asked for than that of the start.
    ModelError
        If the start cannot be read.
    """
    if source is None:
        return None, {"lr": lr or RANDOM_START_LR}
    start = again(source, run) if run else weights(source)
    for name, (asked, origin) in network.items():
        if asked != start.network[name]:
            flag = f"--{name.replace('_', '-')} {asked} (train.{name})"
            stated = flag if origin == "flag" else f"train.{name} = {asked} (from {origin})"
            raise SettingsError(
                f"{stated}: the network of {source} has {start.network[name]}; "
                "leave it out, or start from other weights"
            )
    return start, {"lr": lr or FINE_TUNING_LR, **start.network}


def weights(start: str) -> Start:
    """Read weights to start from; of a checkpoint the averaged ones, which were validated.

    Parameters
    ----------
    start : str
        ``default`` for the model in the package, the folder of a run (for its best checkpoint), a
        checkpoint, or an ``.onnx`` file that beadctl exported.

    Raises
    ------
    ModelError
        If there is no such file, or it is none of those, or incomplete.
    ModuleNotFoundError
        If the onnx package is missing for an ``.onnx`` file.
    """
    path = _file(start)
    if path.suffix.lower() == ".onnx":
        model = Model(path, "cpu")
        architecture, state = import_onnx.read(model)
        joiner = model.facts.joiner
        return Start(architecture, state, _name(start), _digest(path), folded=True, joiner=joiner)
    held = checkpoint.load(path)
    try:
        architecture = held.network().architecture
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError):
        raise ModelError(
            f"{path}: its weights do not fit the network that it describes; use another checkpoint"
        ) from None
    return Start(architecture, held.average, _name(start), _digest(path), joiner=held.joiner)


def again(start: str, run: Path) -> Start:
    """Return the start of a resumed run, without weights and joiner: those are in the run's checkpoint.

    The file that the run started from may be missing, if its name is the recorded one. Where it exists, its
    SHA-256 is taken, and `TrainingPlan.require_same` refuses another one.

    Parameters
    ----------
    start, run : str and Path
        As `weights` takes it, and the folder of the run.

    Raises
    ------
    ModelError
        If there is no run to resume, or neither the file nor a record of it.
    """
    last = RunFolder(run, resume=True).last
    held = checkpoint.load(last)
    try:
        architecture = Architecture(**held.architecture)
    except (TypeError, ValueError):
        raise ModelError(f"{last}: an incomplete checkpoint; start a new run") from None
    recorded = held.settings.get("start") or {}
    try:
        digest = _digest(_file(start))
    except ModelError:
        if recorded.get("source") != _name(start):
            raise
        digest = str(recorded["sha256"])
    return Start(architecture, None, _name(start), digest)


def _file(start: str) -> Path:
    path = DEFAULT_MODEL if start == DEFAULT else Path(start)
    if path.is_dir():
        if not (path / BEST).is_file():
            raise ModelError(f"{path}: no {BEST} to start from; give the folder of a training run")
        return path / BEST
    if not path.is_file():
        raise ModelError(
            f"{path}: no such file to start from; "
            f"give {DEFAULT}, the folder of a run, a checkpoint (.pt) or a model (.onnx)"
        )
    return path


def _name(start: str) -> str:
    # Not the whole path: the name goes into model files, which are given away.
    return DEFAULT if start == DEFAULT else Path(start).resolve().name


def _digest(path: Path) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check --from") from None
