"""Run a model file with onnxruntime, over whole planes block by block."""

import contextlib
import importlib.metadata
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from beadctl import cpus, scratch
from beadctl.console import Messages, stopping
from beadctl.errors import DeviceError, ModelError
from beadctl.files import sha256
from beadctl.images import NetworkInput, Orientation, Pixels, Window, in_rows
from beadctl.images.resample import enlarged
from beadctl.model.blocks import Block, blocks, read_ahead, read_reflected
from beadctl.model.metadata import METADATA_KEY, ModelFacts
from beadctl.model.runtime import BUILDS, GPU_ADVICE, first_line, open_session
from beadctl.words import number_of

DEFAULT_MODEL = Path(__file__).parent / "bead.onnx"
# Largest size of an ONNX file, which is one protobuf message.
MOST_BYTES = 2**31
# How a ZIP archive begins, and so a checkpoint of PyTorch.
ZIP = b"PK\x03\x04"
# Where a tensor of an ONNX file names another file that holds its values: TensorProto.external_data.
EXTERNAL_DATA = re.compile(rb"j(?:[\x00-\x7f]|[\x80-\xff][\x00-\x7f])\n\x08location\x12")
# Bytes that the CPU needs for a pixel of a tile, by the width of the network; others hold more maps at once.
# Measured with onnxruntime 1.32, whose largest use varies with the size of a tile.
UNET_BYTES, OTHER_BYTES = 18, 24
# Files of version 0.2 copy each skip of the U-Net beside the level below it, which adds half.
COPIED = re.compile(rb"\x22\x06Concat")
# Width of a network of which the file states none, or one that no computer runs.
WIDTH, MOST_WIDTH = 16, 4096
# Maps may leave 0..1 by this much in the arithmetic of a device.
ROUNDING = 1e-3


@dataclass(frozen=True)
class Maps:
    """The network's outputs for one plane, 0..255 for 0..1: two bytes a pixel keep a gigapixel in memory.

    Attributes
    ----------
    probability : ndarray of uint8, shape (H, W)
        Foreground.
    marker : ndarray of uint8, shape (H, W), or None
        Marker map: 255 in a bead's centre, 0 at its edge; None if the model has none.
    """

    probability: NDArray[np.uint8]
    marker: NDArray[np.uint8] | None = None

    @property
    def planes(self) -> list[NDArray[np.uint8]]:
        """The maps that the model has, in the order of its outputs."""
        return [plane for plane in (self.probability, self.marker) if plane is not None]

    def enlarged(self, factor: int, height: int, width: int) -> "Maps":
        """Return the maps of a shrunk plane at the size of the plane itself, interpolated bilinearly.

        Parameters
        ----------
        factor, height, width : int
            Factor by which the plane was shrunk, of which 1 changes nothing, and size of the plane, px.
        """
        if factor == 1:
            return self
        return Maps(*(enlarged(plane, factor, (height, width)) for plane in self.planes))

    def turned_back(self, orientation: Orientation) -> "Maps":
        """Return the maps of a plane that was shown in an orientation, as the plane is stored."""
        return Maps(*(in_rows(orientation.back(plane)) for plane in self.planes))


class Model:
    """A model file, opened on a device.

    Parameters
    ----------
    path : Path
        The ``.onnx`` file.
    device : str
        ``auto`` (CUDA where it works, else the CPU), ``cpu``, ``cuda``, ``tensorrt``, ``directml``,
        ``coreml`` or ``openvino``; one of several as ``cuda:1`` or ``openvino:GPU``.
    threads : int, optional
        CPU threads; by default what the job may use.

    Attributes
    ----------
    facts, sha256 : ModelFacts and str
        The metadata of the file, and the SHA-256 of its content, 64 hexadecimal digits.
    device, asked_device : str
        The device in use, such as ``cpu`` or ``cuda:0``, and the argument `device`.
    bytes_a_pixel : int
        Memory that the network needs for a pixel of a tile, for `beadctl.memory.MemoryPlan`.

    Raises
    ------
    ModelError
        If the file is missing, not an ONNX model, or not one of beadctl.
    DeviceError
        If a device was asked for and is not available; onnxruntime itself would only warn.
    MissingExtraError
        If OpenVINO was asked for and is not installed.
    """

    def __init__(self, path: Path, device: str = "auto", threads: int | None = None) -> None:
        if path.is_dir():
            raise ModelError(f"{path}: a folder, not a model; beadctl export makes one of a training run")
        if not path.is_file():
            raise ModelError(f"{path}: no such model; give one with --model FILE.onnx")
        if (size := path.stat().st_size) > MOST_BYTES:
            raise ModelError(f"{path}: no model, as it has {size:,} bytes; give one with --model FILE.onnx")
        self.path = path
        self.asked_device = device
        self.threads = cpus.threads(threads)
        content = path.read_bytes()
        if content.startswith(ZIP):
            raise ModelError(f"{path}: a ZIP archive, as a checkpoint is; beadctl export makes a model of it")
        if EXTERNAL_DATA.search(content):
            # The hash of the file, by which results are known, would not cover them.
            raise ModelError(f"{path}: keeps its weights in another file; save it as one file")
        self.session, self.device = open_session(path, device, self.threads)
        try:
            metadata = self.session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
            outputs = [output.name for output in self.session.get_outputs()]
            inputs = [given.name for given in self.session.get_inputs()]
        except UnicodeDecodeError:
            raise ModelError(f"{path}: has metadata or names that are no UTF-8; export it again") from None
        self.facts = ModelFacts.from_json(metadata, str(path))
        if "probability" not in outputs or inputs != ["image"]:
            raise ModelError(
                f"{path}: its inputs and outputs are not those of a beadctl model; export it again"
            )
        # Files of schema 1 call the marker map "seed".
        self._outputs = [name for name in ("probability", "marker", "seed") if name in outputs]
        self.sha256 = sha256(path)
        self.bytes_a_pixel = _bytes_a_pixel(self.facts, copied=bool(COPIED.search(content)))
        self._run_once()

    @property
    def cpu_threads(self) -> int:
        """Threads of the CPU that run it; 1 on another device, which runs one tile at a time."""
        return self.threads if self.device == "cpu" else 1

    def run(self, tile: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the network; return probability and, where the model has one, marker, float32 (N, 1, H, W).

        Parameters
        ----------
        tile : ndarray of float32, shape (N, C, H, W)
            Channels as `NetworkInput` makes them; H and W multiples of the stride.

        Raises
        ------
        ModelError
            If it cannot be run, or gives anything but maps of this size.
        """
        try:
            maps = list(self.session.run(self._outputs, {"image": tile}))
        except Exception as error:
            # onnxruntime has an exception class for each status.
            raise ModelError(f"{self.path}: cannot be run ({first_line(error)}); export it again") from None
        shape = (tile.shape[0], 1, *tile.shape[2:])
        if any(not isinstance(found, np.ndarray) or found.shape != shape for found in maps):
            raise ModelError(f"{self.path}: does not give one map of the size of its input; export it again")
        return maps

    def maps(
        self,
        pixels: Pixels,
        window: Window | None = None,
        *,
        shown: NetworkInput | None = None,
        tile_size: int = 1024,
        known: Mapping[Window, Maps] = MappingProxyType({}),
    ) -> Maps:
        """Run the network over a plane, or a window of it, block by block.

        Each block is read with a halo from the plane around it, so the result depends neither on `tile_size`
        nor on `window`.

        Parameters
        ----------
        pixels : Pixels
            An opened plane; read a block at a time where its file allows that.
        window : Window, optional
            The part of the plane to return, its origin on a multiple of the stride; by default all of it.
        shown : NetworkInput, optional
            How pixels become channels; by default measured on this plane.
        tile_size : int
            Edge of a block without its halo, px; 0 for the whole window at once.
        known : mapping of Window to Maps
            Maps of windows computed before, from which a block whose core is one of them is copied.

        Raises
        ------
        ValueError
            If the origin of the window is not on a multiple of the stride.
        ImageError
            If the pixels cannot be decoded.
        ModelError
            If the network gives values that are no numbers.
        """
        window = window or Window(0, 0, pixels.height, pixels.width)
        if known.keys() == {window}:
            return known[window]
        shown = shown or NetworkInput.of(pixels, self.facts.normalisation)

        def channels(part: Window) -> NDArray[np.float32]:
            return shown.apply(pixels.read(part), part.top, part.left)

        def tile_of(block: Block) -> NDArray[np.float32] | None:
            if block.core in known:
                return None
            return read_reflected(block, pixels.height, pixels.width, channels)

        planes = [scratch.zeros((window.height, window.width), np.uint8) for _ in self._outputs]
        halo, stride = self.facts.halo, self.facts.stride
        todo = blocks(pixels.height, pixels.width, window, tile_size=tile_size, halo=halo, stride=stride)
        for block, tile in read_ahead(todo, tile_of):
            stopping.check()
            core = block.core
            if tile is None:
                parts = known[core].planes
            else:
                found = [output[0, 0][block.crop] for output in self.run(tile[None])]
                # A NaN compares as false.
                if not all(values.min() >= -ROUNDING and values.max() <= 1 + ROUNDING for values in found):
                    raise ModelError(f"{self.path}: gives values that are not in 0..1; export it again")
                parts = [_quantise(values) for values in found]
            rows = slice(core.top - window.top, core.bottom - window.top)
            columns = slice(core.left - window.left, core.right - window.left)
            for plane, part in zip(planes, parts, strict=True):
                plane[rows, columns] = part
            scratch.release(*planes)
        return Maps(*planes)

    def _run_once(self) -> None:
        """Run one tile of zeros: a network may differ from its metadata, and a provider fail on a kernel."""
        edge = self.facts.stride * 4
        try:
            self.run(np.zeros((1, self.facts.normalisation.channels, edge, edge), np.float32))
        except ModelError as error:
            if self.device == "cpu":
                raise
            raise DeviceError(f"--device {self.device}: {error}, or use --device cpu") from None


def open_model(path: Path | None, device: str, threads: int | None, messages: Messages) -> Model:
    """Open a model file, by default the one in the package, and print the device it runs on.

    Parameters
    ----------
    path : Path or None
        The ``.onnx`` file; None for the default model.
    device, threads
        As for `Model`.
    messages : Messages
        Prints the device, and warns of a model that failed its own validation and of two builds of
        onnxruntime.

    Raises
    ------
    ModelError, DeviceError
        As for `Model`.
    """
    if len(installed_builds()) > 1:
        messages.warn(f"both builds of onnxruntime are installed and overwrite each other; {GPU_ADVICE}")
    model = Model(path or DEFAULT_MODEL, device, threads)
    messages.detail(f"model {model.path} ({model.facts.name}), sha256 {model.sha256[:12]}")
    messages.info(f"device {model.device}, {number_of(model.threads, 'CPU thread')}")
    if model.facts.doubt:
        messages.warn(f"{model.path}: {model.facts.doubt}, or use another --model")
    return model


def named(path: Path) -> Path:
    """Return the default model's file for the word ``default``, and any other path as it is."""
    return DEFAULT_MODEL if path == Path("default") else path


def installed_builds() -> dict[str, str]:
    """Return the installed builds of onnxruntime and their versions; two overwrite each other's files."""
    versions = {}
    for name in BUILDS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def _bytes_a_pixel(facts: ModelFacts, *, copied: bool) -> int:
    """Return the memory of a network for a pixel of a tile, bytes."""
    width, kind = (facts.training.get(name) for name in ("width", "arch"))
    held = UNET_BYTES if kind in (None, "unet") else OTHER_BYTES
    stated = width if isinstance(width, int) and 0 < width <= MOST_WIDTH else WIDTH
    return held * stated * (3 if copied else 2) // 2


def _quantise(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    scaled = values * np.float32(255)
    levels: NDArray[np.uint8] = np.rint(scaled, out=scaled).astype(np.uint8)
    return levels
