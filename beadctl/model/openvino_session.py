"""A network in OpenVINO's own runtime, with the part of onnxruntime's session that beadctl uses.

The package openvino is built for every Python that beadctl runs on and lies beside onnxruntime, while the
build of onnxruntime with OpenVINO replaces it and follows later.
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.errors import DeviceError, MissingExtraError


class OpenVinoSession:
    """A compiled network.

    Parameters
    ----------
    described : onnxruntime.InferenceSession
        The same file, for its metadata and names, which OpenVINO does not keep.
    compiled : openvino.CompiledModel
        The network.
    """

    def __init__(self, described: Any, compiled: Any) -> None:
        self.get_modelmeta = described.get_modelmeta
        self.get_inputs, self.get_outputs = described.get_inputs, described.get_outputs
        self._compiled, self._request = compiled, compiled.create_infer_request()
        # One request holds the memory of one run.
        self._lock = threading.Lock()

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[np.float32]]) -> list[Any]:
        """Run the network; return the outputs of these names."""
        with self._lock:
            found = self._request.infer(dict(feeds))
            return [np.array(found[self._compiled.output(name)]) for name in outputs]


def device_names() -> list[str]:
    """Return OpenVINO's devices, such as ``CPU`` and ``GPU``; none where it is not installed."""
    try:
        import openvino
    except ModuleNotFoundError:
        return []
    return list(openvino.Core().available_devices)


def open_session(path: Path, described: Any, name: str, threads: int) -> tuple[OpenVinoSession, str]:
    """Compile a network in single precision, as onnxruntime runs it; return it and the device's name.

    Parameters
    ----------
    path : Path
        The ``.onnx`` file.
    described : onnxruntime.InferenceSession
        The same file.
    name : str
        OpenVINO's device.
    threads : int
        Threads of the device ``CPU``.

    Raises
    ------
    MissingExtraError
        If openvino is not installed.
    DeviceError
        If it has no such device, or cannot run the network.
    """
    try:
        import openvino
    except ModuleNotFoundError:
        raise MissingExtraError(
            '--device openvino: it is not installed; pip install "beadctl[openvino]", or use --device cpu'
        ) from None
    core = openvino.Core()
    if name not in core.available_devices:
        has = ", ".join(f"openvino:{one}" for one in core.available_devices)
        raise DeviceError(f"--device openvino:{name}: OpenVINO has no such device here; it has {has}")
    # By its default it rounds to half precision where the processor can.
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if name == "CPU":
        # Bound to the first cores, the threads of all processes of a node would share these.
        settings |= {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
    try:
        compiled = core.compile_model(str(path), name, settings)
    except Exception as error:
        words = " ".join(str(error).split())[:160]
        raise DeviceError(f"--device openvino:{name}: {words}; use --device cpu") from None
    return OpenVinoSession(described, compiled), f"openvino:{name}"
