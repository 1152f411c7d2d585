"""The onnxruntime that is installed: its builds, its providers, and sessions on a device."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from beadctl.devices import cuda_index
from beadctl.errors import DeviceError, ModelError

CPU_BUILD, GPU_BUILD = "onnxruntime", "onnxruntime-gpu"
GPU_ADVICE = (
    f"install the GPU build with: pip uninstall -y {CPU_BUILD} {GPU_BUILD} && "
    f'pip install "{GPU_BUILD}[cuda,cudnn]"'
)


def providers() -> list[str]:
    """Return the execution providers of the installed onnxruntime."""
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def open_session(path: Path, device: str, threads: int) -> tuple[Any, str]:
    """Open a session on exactly the device that was asked for; return it and the device's name.

    Raises
    ------
    ModelError, DeviceError
        As for `beadctl.model.session.Model`.
    """
    import onnxruntime

    index = cuda_index(device)
    cuda_provider = "CUDAExecutionProvider"
    listed = cuda_provider in onnxruntime.get_available_providers()
    if index is not None and not listed:
        raise DeviceError(
            f"--device {device}: this onnxruntime has no CUDA; {GPU_ADVICE}, or use --device cpu"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Halves the peak memory at the same speed: a memory pattern serves one input shape, and these vary.
    options.enable_mem_pattern = False
    # Each of its errors is an exception too.
    options.log_severity_level = 4
    if listed and device != "cpu":
        if hasattr(onnxruntime, "preload_dlls"):
            with _stdout_kept():
                onnxruntime.preload_dlls()
        cuda = (cuda_provider, {"device_id": str(index or 0), "cudnn_conv_algo_search": "HEURISTIC"})
        try:
            with _stdout_kept():
                session = onnxruntime.InferenceSession(path, options, providers=[cuda])
        except Exception as error:
            if index is not None:
                raise DeviceError(f"--device {device}: {first_line(error)}; use --device cpu") from None
        else:
            if session.get_providers()[0] == cuda_provider:
                return session, f"cuda:{index or 0}"
            if index is not None:
                raise DeviceError(
                    f"--device {device}: onnxruntime could not start CUDA (driver or libraries missing?); "
                    "see beadctl info, or use --device cpu"
                )
    try:
        with _stdout_kept():
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime has an exception class for each status; all mean that the file is unusable.
        raise ModelError(f"{path}: not a model that onnxruntime can run ({first_line(error)})") from None
    return session, "cpu"


def first_line(error: Exception) -> str:
    """Return the first line of an error of onnxruntime, which may be long."""
    return next(iter(str(error).splitlines()), "").removeprefix("[ONNXRuntimeError] : ")[:160]


@contextlib.contextmanager
def _stdout_kept() -> Iterator[None]:
    """Keep from standard output, where tables are printed, what onnxruntime writes from Python and C++."""
    if sys.stdout:
        sys.stdout.flush()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.ExitStack() as stack:
        # Either stream may be closed.
        with contextlib.suppress(OSError):
            saved = os.dup(1)
            stack.callback(os.close, saved)
            os.dup2(2, 1)
            stack.callback(os.dup2, saved, 1)
        yield
