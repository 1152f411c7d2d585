"""Many mutated files of one kind: how many, which failed, the slowest, and the most memory."""

import hashlib
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from fuzz.mutations import Edit, edits, mutated
from fuzz.seeds import KINDS
from fuzz.targets import answer

CRASHES = Path(__file__).parent / "crashes"
MOST_SECONDS, MOST_BYTES = 10, 2**30


class TooSlow(BaseException):
    """A file took more than `MOST_SECONDS`; no handler of errors catches it."""


@dataclass
class Campaign:
    """Cases of one target, in a folder that holds the file of the last one.

    Attributes
    ----------
    cases : int
        Files that were read.
    crashes : dict of str to (str, bytes)
        Name and content of one file for each place that fails, with as few mutations as it takes.
    seconds : float
        Time that they took.
    slowest_s, most_bytes : float and int
        Largest CPU time and memory of a case.
    """

    target: str
    folder: Path
    cases: int = 0
    seconds: float = 0.0
    crashes: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    slowest_s: float = 0.0
    most_bytes: int = 0

    def run(self, chance: Random, more: Callable[[], bool]) -> None:
        """Mutate the seeds as long as there are to be more cases."""
        seeds = KINDS[self.target]()
        for name, content in seeds.items():
            # What is imported for the first file is no fault of it.
            self.fault(name, content)
        names = sorted(seeds)
        self.slowest_s, self.most_bytes = 0.0, 0
        began = time.monotonic()
        while more():
            self.seconds = time.monotonic() - began
            name, made = chance.choice(names), edits(chance)
            self.cases += 1
            fault = self.fault(name, mutated(seeds[name], made))
            if fault and fault not in self.crashes:
                self.crashes[fault] = name, mutated(seeds[name], self.fewest(name, seeds[name], made, fault))

    def fault(self, name: str, content: bytes) -> str:
        """Return where and how a file fails, or an empty text for a result or an error of one line."""
        path = self.folder / name
        path.write_bytes(content)
        began = time.process_time()
        try:
            with limited() as taken:
                answer(self.target, path)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            frames = traceback.extract_tb(error.__traceback__)
            *_, last = [frame for frame in frames if frame.filename != __file__] or frames
            return f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"
        self.slowest_s = max(self.slowest_s, time.process_time() - began)
        self.most_bytes = max(self.most_bytes, *taken, 0)
        return ""

    def fewest(self, name: str, seed: bytes, made: list[Edit], fault: str) -> list[Edit]:
        """Return those of the edits without which a file does not fail in this way."""
        for edit in list(made):
            rest = [other for other in made if other is not edit]
            if self.fault(name, mutated(seed, rest)) == fault:
                made = rest
        return made

    def save(self) -> None:
        """Keep the files that fail among those that every run of the tests reads."""
        for name, content in self.crashes.values():
            path = CRASHES / self.target / f"{hashlib.sha256(content).hexdigest()[:8]}_{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def __str__(self) -> str:
        rate = self.cases / self.seconds if self.seconds else 0
        most = f"slowest {self.slowest_s:.2f} s, most memory {self.most_bytes / 2**20:.0f} MiB"
        kinds = "".join(f"\n  {fault}: {name}" for fault, (name, _) in self.crashes.items())
        cases = f"{self.cases} cases, {rate:.0f} a second, {len(self.crashes)} kinds of crash"
        return f"{self.target}: {cases}, {most}{kinds}"


@contextmanager
def limited() -> Iterator[list[int]]:
    """End with an error what takes too long, and on Linux too much memory; the list gets the bytes taken."""
    taken: list[int] = []
    if sys.platform == "win32":
        yield taken
        return

    def stop(*_: object) -> None:
        raise TooSlow(f"more than {MOST_SECONDS} s")

    before = peak_bytes(reset=True)
    earlier = signal.signal(signal.SIGPROF, stop)
    # Of this process alone: a shared machine may be slow.
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        yield taken
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, earlier)
    taken.append(peak_bytes() - before)
    assert taken[0] < MOST_BYTES, f"{taken[0] / 2**20:.0f} MiB"


def peak_bytes(*, reset: bool = False) -> int:
    """Return the most memory of this process since it was last reset; 0 where the system does not tell."""
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not clear.exists():
        return 0
    if reset:
        clear.write_text("5")
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
