"""The onnxruntime that is installed: its builds, its providers, and sessions on a device."""

import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beadctl.devices import NUMBERED
from beadctl.errors import DeviceError, ModelError
from beadctl.model import openvino_session

# Builds of onnxruntime; all install into the same folder.
BUILDS = CPU_BUILD, GPU_BUILD, DIRECTML_BUILD = "onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"
GPU_ADVICE = (
    f"install the GPU build with: pip uninstall -y {CPU_BUILD} {GPU_BUILD} && "
    f'pip install "{GPU_BUILD}[cuda,cudnn]"'
)
CPU_PROVIDER = "CPUExecutionProvider"
# With it a session tells which provider runs each node.
RECORD_NODES = "session.record_ep_graph_assignment_info"
SPINNING = "session.intra_op.allow_spinning"
# What onnxruntime writes where a provider does not start: of the loader of Linux and of Windows, and its own.
REASONS = (
    re.compile(r"with error: (.+?)(?:: No such file or directory)?$", re.MULTILINE),
    re.compile(r"which depends on (\"[^\"\n]+\" which is missing)"),
    re.compile(
        r"^EP Error (?:\[ONNXRuntimeError\] : \d+ : \w+ : )?(.+?)(?: when using \[.*)?$", re.MULTILINE
    ),
)
COLOUR = re.compile(r"\x1b\[[\d;]*m")


@dataclass(frozen=True)
class Provider:
    """An execution provider of onnxruntime.

    Attributes
    ----------
    name, title : str
        As onnxruntime and its maker call it.
    advice : str
        How to get it, for the message where it is missing.
    options : mapping
        For its sessions.
    """

    name: str
    title: str
    advice: str
    options: Mapping[str, str] = field(default_factory=dict)


PROVIDERS = {
    "cuda": Provider(
        "CUDAExecutionProvider",
        "CUDA",
        GPU_ADVICE,
        # By default products have mantissas of ten bits, and counts differ from those of the CPU.
        options={"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"},
    ),
    "tensorrt": Provider(
        "TensorrtExecutionProvider", "TensorRT", f"{GPU_ADVICE}, and TensorRT with: pip install tensorrt"
    ),
    "directml": Provider(
        "DmlExecutionProvider",
        "DirectML",
        f"on Windows, install it with: pip uninstall -y {CPU_BUILD} && pip install {DIRECTML_BUILD}",
    ),
    "coreml": Provider(
        "CoreMLExecutionProvider",
        "CoreML",
        "run beadctl on macOS",
        options={"ModelFormat": "MLProgram"},
    ),
}


def providers() -> list[str]:
    """Return the execution providers of the installed onnxruntime."""
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def listed_devices() -> list[str]:
    """Return the devices that what is installed claims to have; to use one may still fail."""
    listed = providers()
    return [
        "cpu",
        *(kind for kind, provider in PROVIDERS.items() if provider.name in listed),
        *(f"openvino:{name}" for name in openvino_session.device_names()),
    ]


def open_session(path: Path, device: str, threads: int) -> tuple[Any, str]:
    """Open a session on exactly the device that was asked for; return it and the device's name.

    Parameters
    ----------
    path, threads : Path and int
        The ``.onnx`` file, and the CPU threads.
    device : str
        ``auto`` is CUDA where it works, else the CPU; ``auto:N`` is that of process N of several: the GPU of
        its number, or one that processes of lower numbers have too.

    Raises
    ------
    ModelError, DeviceError, MissingExtraError
        As for `beadctl.model.session.Model`.
    """
    kind, _, index = device.partition(":")
    if kind in PROVIDERS:
        return _on_provider(path, device, threads)
    if kind == "openvino":
        described, _ = _on_cpu(path, 1)
        return openvino_session.open_session(path, described, index or "CPU", threads)
    if kind == "auto" and PROVIDERS["cuda"].name in providers():
        for number in _turns(int(index or 0)):
            with contextlib.suppress(DeviceError):
                return _on_provider(path, f"cuda:{number}", threads)
    return _on_cpu(path, threads)


def _turns(number: int) -> Iterator[int]:
    """Yield a number, then without its highest bits: so 2, 4 or 8 GPUs have equally many processes."""
    yield number
    while number:
        number -= 1 << (number.bit_length() - 1)
        yield number


def _on_cpu(path: Path, threads: int) -> tuple[Any, str]:
    try:
        # Standard output is where tables are printed.
        with _led(1, to=2), contextlib.redirect_stdout(io.StringIO()):
            return _session(path, threads, [CPU_PROVIDER]), "cpu"
    except Exception as error:
        # onnxruntime has an exception class for each status; all mean that the file is unusable.
        raise ModelError(f"{path}: not a model that onnxruntime can run ({first_line(error)})") from None


def _on_provider(path: Path, device: str, threads: int) -> tuple[Any, str]:
    """Open a session on a provider; DeviceError if it is missing, does not start, or runs no convolution."""
    kind, _, index = device.partition(":")
    provider = PROVIDERS[kind]
    if provider.name not in providers():
        raise DeviceError(
            f"--device {device}: this onnxruntime has no {provider.title}; {provider.advice}, "
            "or use --device cpu"
        )
    numbered = {"device_id": index or "0"} if kind in NUMBERED else {}
    try:
        with _outputs_kept() as written:
            session = _session(path, threads, [(provider.name, {**provider.options, **numbered})])
    except Exception as error:
        raise DeviceError(f"--device {device}: {first_line(error)}; use --device cpu") from None
    # onnxruntime itself only warns, and uses the CPU.
    if session.get_providers()[0] != provider.name:
        raise DeviceError(
            f"--device {device}: onnxruntime could not start {provider.title} "
            f"({_reason(written)}); see beadctl info, or use --device cpu"
        )
    elsewhere = _convolutions_elsewhere(session, provider.name)
    if elsewhere:
        raise DeviceError(
            f"--device {device}: {provider.title} leaves {elsewhere} of the convolutions of {path} to the "
            "CPU; use --device cpu"
        )
    return session, f"{kind}:{index or 0}" if kind in NUMBERED else kind


def _session(path: Path, threads: int, chosen: list[Any]) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Halves the peak memory at the same speed: a memory pattern serves one input shape, and these vary.
    options.enable_mem_pattern = False
    # A thread that waits would take the time of those that read, label and write.
    options.add_session_config_entry(SPINNING, "0")
    # Each of its errors is an exception too.
    options.log_severity_level = 4
    options.add_session_config_entry(RECORD_NODES, "1")
    # Those of the packages that the extras of the GPU build install.
    if chosen != [CPU_PROVIDER] and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    return onnxruntime.InferenceSession(path, options, providers=chosen)


def _convolutions_elsewhere(session: Any, provider: str) -> int:
    """Return how many convolutions of a session another provider runs; 0 where it does not tell."""
    tell = getattr(session, "get_provider_graph_assignment_info", None)
    if tell is None:
        return 0
    return sum(
        node.op_type == "Conv" for part in tell() if part.ep_name != provider for node in part.get_nodes()
    )


def first_line(error: Exception) -> str:
    """Return the first line of an error of onnxruntime, which may be long."""
    return next(iter(str(error).splitlines()), "").removeprefix("[ONNXRuntimeError] : ")[:160]


def _reason(written: Sequence[str]) -> str:
    """Return why a provider did not start, from what onnxruntime wrote."""
    text = COLOUR.sub("", "".join(written))
    found = filter(None, (reason.search(text) for reason in REASONS))
    return next((" ".join(match[1].split())[:160] for match in found), "driver or libraries missing?")


@contextlib.contextmanager
def _outputs_kept() -> Iterator[list[str]]:
    """Keep from both outputs what onnxruntime writes from Python and C++; the list has it at the end."""
    written: list[str] = []
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
        with _led(1, to=file.fileno()), _led(2, to=file.fileno()), contextlib.redirect_stdout(file):
            yield written
        file.seek(0)
        written.append(file.read())


@contextlib.contextmanager
def _led(descriptor: int, *, to: int) -> Iterator[None]:
    """Write what is written to a descriptor to another."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    with contextlib.ExitStack() as stack:
        # Either may be closed.
        with contextlib.suppress(OSError):
            saved = os.dup(descriptor)
            stack.callback(os.close, saved)
            os.dup2(to, descriptor)
            stack.callback(os.dup2, saved, descriptor)
        yield
