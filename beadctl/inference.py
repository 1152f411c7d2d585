"""A model file at work: an onnxruntime session, and the facts that the file carries."""

import contextlib
import importlib.metadata
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.devices import cuda_index, usable_cpus
from beadctl.errors import DeviceError, ModelError
from beadctl.files import sha256
from beadctl.images import Normalisation, Pixels, measure_normalisation
from beadctl.modelfile import METADATA_KEY, ModelFacts
from beadctl.shrinking import Shrunk, enlarged
from beadctl.tiling import blocks, read_reflected

DEFAULT_MODEL = Path(__file__).parent / "models" / "bead.onnx"
CPU_BUILD, GPU_BUILD = "onnxruntime", "onnxruntime-gpu"
GPU_ADVICE = (
    f"install the GPU build with: pip uninstall -y {CPU_BUILD} {GPU_BUILD} && "
    f'pip install "{GPU_BUILD}[cuda,cudnn]"'
)


@dataclass(frozen=True)
class Maps:
    """The network's answer for one plane, 0..255 for 0..1.

    Eight bits are plenty for a probability, and two bytes a pixel keep a gigapixel plane in memory.

    Attributes
    ----------
    probability : ndarray of uint8, shape (H, W)
        Foreground.
    seed : ndarray of uint8, shape (H, W), or None
        Height of the seed map: 1 in a bead's centre, 0 at its edge; None if the model has none.
    """

    probability: NDArray[np.uint8]
    seed: NDArray[np.uint8] | None


class Model:
    """A model file, opened on a device.

    Parameters
    ----------
    path : Path
        The ``.onnx`` file.
    device : str
        ``auto`` (CUDA where it works, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``.
    threads : int, optional
        CPU threads; by default what the job may use.

    Attributes
    ----------
    facts : ModelFacts
        What the file says of itself.
    device : str
        The device in use: ``cpu`` or ``cuda:N``.
    sha256 : str
        The file's content, for the record.

    Raises
    ------
    ModelError
        If the file is missing, not an ONNX model, or not one of ours.
    DeviceError
        If CUDA was asked for and cannot be had: onnxruntime itself would only warn.
    """

    def __init__(self, path: Path, device: str = "auto", threads: int | None = None) -> None:
        if not path.is_file():
            raise ModelError(f"{path}: no such model; give one with --model FILE.onnx")
        self.path = path
        self.threads = threads or usable_cpus()
        self.session, self.device = _open(path, device, self.threads)
        self.facts = ModelFacts.from_json(
            self.session.get_modelmeta().custom_metadata_map.get(METADATA_KEY), str(path)
        )
        outputs = [output.name for output in self.session.get_outputs()]
        if "probability" not in outputs or [given.name for given in self.session.get_inputs()] != ["image"]:
            raise ModelError(
                f"{path}: its inputs and outputs are not those of a beadctl model; export it again"
            )
        self._outputs = [name for name in ("probability", "seed") if name in outputs]
        self.sha256 = sha256(path)
        if self.device != "cpu":
            self._prove()

    def run(self, tile: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the network once.

        Parameters
        ----------
        tile : ndarray of float32, shape (N, 1, H, W)
            Normalised pixels; H and W multiples of the stride.

        Returns
        -------
        list of ndarray of float32, shape (N, 1, H, W)
            Probability and, where the model has one, seed.
        """
        return list(self.session.run(self._outputs, {"image": tile}))

    def maps(
        self,
        pixels: Pixels,
        *,
        tile_size: int = 1024,
        normalisation: Normalisation | None = None,
        shrink: int = 1,
    ) -> Maps:
        """Run the network over a plane, block by block; the result does not depend on `tile_size`.

        Parameters
        ----------
        pixels : Pixels
            An opened plane; read a block at a time where its file allows that.
        tile_size : int
            Edge of a block without its halo, px; 0 for the whole plane at once.
        normalisation : Normalisation, optional
            By default measured on this plane; a tile is given that of the image it was cut from.
        shrink : int
            Run on the plane shrunk by this factor; the maps have the plane's own size all the same.

        Returns
        -------
        Maps
            The maps over the whole plane.
        """
        shape = (pixels.height, pixels.width)
        if shrink > 1:
            small = self.maps(Shrunk(pixels, shrink), tile_size=tile_size, normalisation=normalisation)
            seed_map = None if small.seed is None else enlarged(small.seed, shrink, shape)
            return Maps(enlarged(small.probability, shrink, shape), seed_map)
        normalisation = normalisation or measure_normalisation(pixels)
        probability = np.empty(shape, np.uint8)
        seed = np.empty(shape, np.uint8) if "seed" in self._outputs else None
        for block in blocks(*shape, tile_size=tile_size, halo=self.facts.halo, stride=self.facts.stride):
            tile = normalisation.apply(read_reflected(pixels, block))
            answers = self.run(tile[None, None])
            for target, answer in zip((probability, seed), answers, strict=False):
                if target is not None:
                    target[block.core.slices] = _quantise(answer[0, 0][block.crop])
        return Maps(probability, seed)

    def _prove(self) -> None:
        """Run one tile: a provider that is listed may still fail on its first kernel."""
        edge = self.facts.stride * 4
        try:
            self.run(np.zeros((1, 1, edge, edge), np.float32))
        except Exception as error:
            message = str(error).splitlines()[0]
            raise DeviceError(f"{self.device}: cannot run the model ({message}); use --device cpu") from None


def providers() -> list[str]:
    """Return the execution providers of the installed onnxruntime."""
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def installed_builds() -> dict[str, str]:
    """Return the installed builds of onnxruntime and their versions; more than one is a broken install."""
    found = {}
    for name in (CPU_BUILD, GPU_BUILD):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _quantise(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.rint(values * np.float32(255)).astype(np.uint8)
    return levels


def _open(path: Path, device: str, threads: int) -> tuple[Any, str]:
    """Open a session on exactly the device that was asked for, and say which one it is."""
    import onnxruntime

    index = cuda_index(device)
    wanted = "CUDAExecutionProvider"
    listed = wanted in onnxruntime.get_available_providers()
    if index is not None and not listed:
        raise DeviceError(
            f"--device {device}: this onnxruntime has no CUDA; {GPU_ADVICE}, or use --device cpu"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Half the peak memory at the same speed: tile shapes vary, so a planned pattern seldom fits.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    if listed and device != "cpu":
        if hasattr(onnxruntime, "preload_dlls"):
            with _stdout_to_stderr():
                onnxruntime.preload_dlls()
        cuda = (wanted, {"device_id": str(index or 0), "cudnn_conv_algo_search": "HEURISTIC"})
        try:
            # onnxruntime tells of its fallback on standard output, where our tables go.
            with _stdout_to_stderr():
                session = onnxruntime.InferenceSession(path, options, providers=[cuda])
        except Exception as error:
            if index is not None:
                message = str(error).splitlines()[0]
                raise DeviceError(f"--device {device}: {message}; use --device cpu") from None
        else:
            if session.get_providers()[0] == wanted:
                return session, f"cuda:{index or 0}"
            if index is not None:
                raise DeviceError(
                    f"--device {device}: onnxruntime could not start CUDA (driver or libraries missing?); "
                    "see beadctl info, or use --device cpu"
                )
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime raises a class of its own for each status; all mean that the file is no good.
        message = str(error).splitlines()[0].removeprefix("[ONNXRuntimeError] : ")
        raise ModelError(f"{path}: not a model that onnxruntime can run ({message[:160]})") from None
    return session, "cpu"


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Send what C++ code writes to file descriptor 1 to 2 instead: results own standard output."""
    sys.stdout.flush()
    try:
        saved = os.dup(1)
    except OSError:
        yield
        return
    try:
        os.dup2(2, 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)
