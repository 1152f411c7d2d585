"""Commands in processes that have imported what they need, so that they are killed at work."""

import multiprocessing
import os
import signal
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

# What `tile` and `train` import while they run; what is not installed is left out.
IMPORTED = (
    "pytest", "imagecodecs", "skimage.segmentation", "matplotlib.figure", "matplotlib.backends.backend_agg",
    "torch._dynamo", "torch.utils.data", "beadctl.cli.main", "beadctl.cli.arguments",
    "beadctl.cli.commands.tile", "beadctl.annotations.pairing", "beadctl.audit.spot_check",
    "beadctl.dataset.tile_plan", "beadctl.dataset.tile_writer", "beadctl.cli.commands.train",
    "beadctl.cli.training_arguments", "beadctl.training.run",
)  # fmt: skip


def begin(folder: Path, *words: object) -> BaseProcess:
    """Start a command in a working folder, whose file ``said`` takes what it says."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    process = context.Process(target=_command, args=(folder, [str(word) for word in words]))
    process.start()
    return process


def _command(folder: Path, words: list[str]) -> None:
    from beadctl.cli.main import main

    os.chdir(folder)
    sys.stdout = sys.stderr = Path("said").open("w", buffering=1)
    for number in (1, 2):
        os.dup2(sys.stderr.fileno(), number)
    sys.argv = ["beadctl", *words]
    main()


def end(process: BaseProcess, folder: Path) -> tuple[int, str]:
    """Return the exit code of a command, and what it said."""
    process.join(300)
    assert process.exitcode is not None, "it hangs"
    return process.exitcode, (folder / "said").read_text()


def disturb(folder: Path, number: int, after_s: float, *words: object) -> None:
    """Start a command and send it a signal after so many seconds; SIGTERM ends it in good order."""
    process = begin(folder, *words)
    time.sleep(after_s)
    if process.is_alive():
        os.kill(process.pid, number)
    code, said = end(process, folder)
    assert "Traceback" not in said
    if number == signal.SIGTERM:
        assert code in (0, 143, -signal.SIGTERM), said


def undisturbed(folder: Path, *words: object) -> float:
    """Run a command to its end, and return the seconds that it took."""
    began = time.monotonic()
    code, said = end(begin(folder, *words), folder)
    assert code == 0, said
    return time.monotonic() - began
