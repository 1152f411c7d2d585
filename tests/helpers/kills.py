"""Commands that are killed at work and run again, in processes that have imported what they need."""

import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from beadctl.files import TEMPORARY
from beadctl.lock import NAME

# What the commands import while they run; what is not installed is left out.
IMPORTED = (
    "pytest", "imagecodecs", "skimage.segmentation", "matplotlib.figure", "matplotlib.backends.backend_agg",
    "torch._dynamo", "torch.utils.data", "beadctl.cli.main", "beadctl.cli.arguments",
    "beadctl.cli.commands.tile", "beadctl.annotations.pairing", "beadctl.audit.spot_check",
    "beadctl.dataset.tile_plan", "beadctl.dataset.tile_writer", "beadctl.cli.commands.train",
    "beadctl.cli.workers", "beadctl.cli.training_arguments", "beadctl.training.run",
    "beadctl.cli.commands.segment", "beadctl.results.process", "beadctl.results.merge",
    "beadctl.results.formats.masks", "beadctl.results.formats.overlays", "beadctl.cli.commands.merge",
    "beadctl.cli.forecasting", "beadctl.cli.watching", "beadctl.results.watch",
)  # fmt: skip
SIGNALS = (signal.SIGKILL, signal.SIGTERM) if sys.platform != "win32" else ()


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
    said = folder / "said"
    # A kill may come before the first word.
    return process.exitcode, said.read_text() if said.exists() else ""


def undisturbed(folder: Path, *words: object) -> float:
    """Run a command to its end, and return the seconds that it took."""
    began = time.monotonic()
    code, said = end(begin(folder, *words), folder)
    assert code == 0, said
    return time.monotonic() - began


@dataclass
class Kills:
    """A command that nobody disturbed, and how it went when it was killed and run again.

    Attributes
    ----------
    out : str
        Folder that the command writes, below its working folder.
    content : callable
        Returns the files of that folder by name, without what differs between two undisturbed runs.
    files, seconds : mapping and float
        These of the undisturbed command, and how long it took.
    killed : list of int
        Signals that came while the command was at work.
    slowest_s : float
        Longest time from a SIGTERM to the end.
    leftovers, parts : int
        Hidden files that a rerun left, and files that a kill left unreadable under their final names.
    codes : tuple of int
        Exit codes that the command may have after SIGTERM.
    """

    out: str
    content: Callable[[Path], Mapping[str, Any]]
    files: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    killed: list[int] = field(default_factory=list)
    slowest_s: float = 0.0
    leftovers: int = 0
    parts: int = 0
    codes: tuple[int, ...] = (0, 143, -15)

    @classmethod
    def of(
        cls, folder: Path, out: str, content: Callable[[Path], Mapping[str, Any]], *words: object
    ) -> "Kills":
        """Run a command that nobody disturbs."""
        # The first process waits for the imports.
        undisturbed(folder, "--version")
        seconds = undisturbed(folder, *words)
        return cls(out, content, content(folder / out), seconds)

    def kill_and_rerun(
        self,
        kill: int,
        folder: Path,
        words: tuple[object, ...],
        look: Callable[[Path], None],
        again: Callable[[Path], tuple[object, ...]] = lambda _: (),
        before: Path | None = None,
        only: tuple[object, ...] = (),
    ) -> None:
        """Kill a command at a share of its time, look at what it left, run it again and compare.

        Parameters
        ----------
        kill : int
            Number of the kill, by which moment and signal are drawn.
        folder, words : Path and tuple
            Working folder and words of the command.
        look : callable
            Raises an error if the folder holds a part of a file under its final name.
        again : callable
            Returns what the words of the rerun have beside, from the folder.
        before : Path, optional
            What the command finds in the place of the folder that it writes.
        only : tuple
            Words that the command has where it is killed, and not where it is run again.
        """
        out, after_s = folder / self.out, random.Random(kill).uniform(0, 1) * self.seconds
        if before:
            shutil.copytree(before, out)
        while not self._disturb(folder, SIGNALS[kill % 2], after_s, (*words, *only)):
            # It had ended before: it is to be killed at work.
            shutil.rmtree(out)
            if before:
                shutil.copytree(before, out)
            after_s *= 0.8
        try:
            look(out)
        except Exception:
            self.parts += 1
            raise
        undisturbed(folder, *words, *again(out))
        hidden = [path for path in out.rglob(".*") if path.name.startswith((TEMPORARY, NAME))]
        self.leftovers += len(hidden)
        assert hidden == []
        assert self.content(out) == self.files

    def _disturb(self, folder: Path, number: int, after_s: float, words: tuple[object, ...]) -> bool:
        """Start a command and send it a signal after so many seconds; return whether it was at work then.

        SIGTERM ends it in good order.
        """
        process = begin(folder, *words)
        time.sleep(after_s)
        if at_work := process.is_alive():
            try:
                os.kill(process.pid, number)
                self.killed.append(number)
            except ProcessLookupError:
                # It ended after it was asked.
                at_work = False
        sent = time.monotonic()
        code, said = end(process, folder)
        assert "Traceback" not in said
        if number == signal.SIGTERM:
            self.slowest_s = max(self.slowest_s, time.monotonic() - sent)
            assert code in self.codes, said
        return at_work

    def __str__(self) -> str:
        signals = ", ".join(f"{self.killed.count(number)} {number.name}" for number in SIGNALS)
        return (
            f"{len(self.killed)} kills ({signals}) of a command of {self.seconds:.1f} s: reruns equal,"
            f" {self.parts} parts of files, {self.leftovers} leftovers; SIGTERM took up to"
            f" {self.slowest_s:.1f} s"
        )
