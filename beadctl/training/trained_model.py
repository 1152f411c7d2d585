"""The network of a checkpoint as a model that segments, without a model file."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from beadctl import cpus
from beadctl.files import sha256
from beadctl.model.session import Model
from beadctl.training import checkpoint
from beadctl.training.device import resolve
from beadctl.training.export import facts_of


class TrainedModel(Model):
    """A checkpoint, run by PyTorch; it finds the beads that the model file exported from it finds.

    Parameters
    ----------
    path : Path
        The checkpoint.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    threads : int, optional
        For the record; PyTorch's own number stays.

    Raises
    ------
    ModelError, DeviceError
        If the checkpoint cannot be read, or the device is not available.
    """

    def __init__(self, path: Path, device: str = "auto", threads: int | None = None) -> None:
        state = checkpoint.load(path)
        self._target = resolve(device)
        self._network = state.network().to(self._target)
        self._outputs = ["probability", "marker"]
        self.path, self.asked_device, self.device = path, device, str(self._target)
        self.threads = cpus.threads(threads)
        self.facts = facts_of(state, self._network)
        self.sha256 = sha256(path)

    @torch.inference_mode()
    def run(self, tile: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the network, as `Model.run` does."""
        maps = self._network(torch.from_numpy(tile).to(self._target)).sigmoid().float().cpu().numpy()
        return [maps[:, :1], maps[:, 1:2]]
