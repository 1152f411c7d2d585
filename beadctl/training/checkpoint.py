"""The state of a training run in one file; a run resumed from it gives the bits of one without a stop.

A checkpoint holds tensors and plain values only and is read with ``weights_only=True``, which runs no code of
the file.
"""

import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from beadctl.errors import ModelError
from beadctl.files import atomic
from beadctl.model.joiner import Joiner
from beadctl.training.architecture import Architecture
from beadctl.training.choices import SelectName
from beadctl.training.plan import current_names
from beadctl.training.unet import UNet

FORMAT = "beadctl-checkpoint"
# Version 1 called the marker map "seed"; up to version 2 the best epoch was that of the best Jaccard.
VERSION = 3

State = dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """A run at the end of an epoch.

    Attributes
    ----------
    architecture : dict
        Fields of `Architecture`.
    model, average : dict
        Weights as trained, and their moving average, which is what is validated and exported.
    optimizer, scaler, weighting : dict
        State of the optimiser, of the fp16 loss scaler and of the weighting of the terms.
    rng : dict
        States of torch's random generators, as tensors.
    epoch, step : int
        Epochs and optimiser steps done.
    best_epoch, best_score : int and float
        The best epoch so far, from 1, and its selected figure; epoch 0 when there is none.
    elapsed_s : float
        Seconds spent, over all sessions of the run.
    history, gradients : list of dict
        Records as in ``history.csv``, one an epoch, and of the gradient audit as in ``gradients.csv``.
    settings : dict
        The plan as plain values; a resumed run must have the same.
    facts : dict
        Fingerprint of the data, number of processes, and for the exported model median diameter of the beads,
        px, and joiner.
    """

    architecture: State
    model: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: State
    scaler: State
    rng: State
    epoch: int
    step: int
    best_epoch: int
    best_score: float
    elapsed_s: float
    history: list[State]
    settings: State
    facts: State = field(default_factory=dict)
    weighting: State = field(default_factory=dict)
    gradients: list[State] = field(default_factory=list)

    @property
    def joiner(self) -> Joiner | None:
        """That of the weights that the run started from; KeyError, TypeError or ValueError if it is none."""
        content = self.facts.get("joiner")
        return None if content is None else Joiner.from_json(content)

    def network(self) -> UNet:
        """Build the network with the averaged weights, ready for inference."""
        network = UNet(Architecture(**self.architecture))
        network.load_state_dict(self.average)
        return network.eval()


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint, whole or not at all.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    # `asdict` would copy every tensor.
    content = {"format": FORMAT, "version": VERSION} | vars(checkpoint)
    with atomic(path) as temporary:
        torch.save(content, temporary)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Raises
    ------
    ModelError
        If the file is missing, cut short, of another program, or of a newer beadctl.
    """
    try:
        # A foreign file may also cause warnings, which mean nothing to the user.
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such checkpoint; give the folder or file of a training run") from None
    except Exception:
        # A foreign file may raise any exception.
        raise ModelError(
            f"{path}: not a beadctl checkpoint, or damaged; use best.pt or last.pt of a training run"
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelError(f"{path}: a file of another program; use best.pt or last.pt of a training run")
    if content.get("version") not in (1, 2, VERSION):
        raise ModelError(
            f"{path}: written by another beadctl (checkpoint version {content.get('version')}, "
            f"this one reads {VERSION}); update beadctl"
        )
    version = content.pop("version")
    del content["format"]
    try:
        if version < 3:
            content["best_score"] = content.pop("best_jaccard")
            earlier = {"select": SelectName.JACCARD.value, "inputs": content["architecture"].get("inputs", 1)}
            content["settings"] = content["settings"] | earlier
        state = Checkpoint(**content)
        state = state if version > 1 else _translated(state)
        whole = _is_whole(state)
    except (TypeError, ValueError, AttributeError, KeyError, RuntimeError, OverflowError):
        whole = False
    if not whole:
        raise ModelError(f"{path}: an incomplete or damaged checkpoint; use another one of the run")
    return state


def _is_whole(state: Checkpoint) -> bool:
    """Return whether the values are of their kinds and the weights those of the network; errors mean no."""
    numbers = (state.epoch, state.step, state.best_epoch, state.best_score, state.elapsed_s)
    records = [state.optimizer, state.scaler, state.weighting, state.rng, state.settings, state.facts]
    if not all(isinstance(number, int | float) for number in numbers):
        return False
    if not all(isinstance(record, dict) for record in (*records, *state.history, *state.gradients)):
        return False
    # One that cannot be read raises.
    _ = state.joiner
    architecture = Architecture(**state.architecture)
    if architecture.depth > len(state.average):
        return False
    # Without memory for the weights, which a damaged width may make huge.
    with torch.device("meta"):
        network = UNet(architecture)
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    return all(
        {name: tensor.shape for name, tensor in given.items()} == wanted
        for given in (state.model, state.average)
    )


def _translated(state: Checkpoint) -> Checkpoint:
    """Return a checkpoint of version 1 by today's names."""
    history = [
        current_names(record)
        | {"weights": {"marker" if term == "seed" else term: w for term, w in record["weights"].items()}}
        for record in state.history
    ]
    weighting = {"start" if name == "share" else name: value for name, value in state.weighting.items()}
    plan = current_names(state.settings)
    return replace(state, settings=plan, history=history, weighting=weighting)


def random_state(device: torch.device) -> State:
    """Return the states of the random generators that training draws from."""
    state: State = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore_random_state(state: State, device: torch.device) -> None:
    """Set the generators back to what `random_state` returned."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
