"""Errors of PyTorch that the machine causes, as errors for users: too little memory, and killed processes."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from beadctl.errors import TrainingError
from beadctl.training.run_folder import RunFolder

# PyTorch has no classes for these: how their messages begin, and what they contain.
_LOADER = ("DataLoader worker", "Pin memory thread")
_NO_MEMORY = ("DefaultCPUAllocator", "CUDA out of memory", "CUDA error: out of memory")


@contextmanager
def told(folder: RunFolder) -> Iterator[None]:
    """Turn what the machine causes in a run into an error for users.

    Raises
    ------
    TrainingError
        If memory does not suffice, or a process that prepares samples was killed.
    """
    try:
        yield
    except (RuntimeError, MemoryError, ConnectionResetError, EOFError) as error:
        reason = _reason(error)
        if reason is None:
            raise
        _let_workers_end()
        held = folder.last.exists()
        kept = f"{folder.last} holds the last finished epoch" if held else "no epoch was finished"
        raise TrainingError(f"{reason}; {kept}") from None


def _let_workers_end() -> None:
    """Keep the handler of torch from raising once more for each worker that ends."""
    if hasattr(signal, "SIGCHLD") and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _reason(error: Exception) -> str | None:
    """Return what happened and what to do; None for an error of beadctl."""
    text = str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or any(words in text for words in _NO_MEMORY):
        return "memory does not suffice; use a smaller --batch-size, and as much more --accumulate"
    # With some workers the socket is lost by which they pass tensors on.
    if isinstance(error, ConnectionResetError | EOFError) or text.startswith(_LOADER):
        if "Bus error" in text or "shared memory" in text:
            return "processes that prepare samples lack shared memory; use --workers 0, or allow more of it"
        return "a process that prepares samples was killed, probably for lack of memory; use fewer --workers"
    return None
