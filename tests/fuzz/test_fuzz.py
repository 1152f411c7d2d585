"""Mutated files of every kind: a result or an error of one line, in seconds and bounded memory.

The suite runs a few mutations of each kind. ``pytest -m fuzz`` mutates for `FUZZ_SECONDS` a kind (an hour by
default) at random, and keeps what fails, shrunk, in ``tests/fuzz/crashes``; from there every run repeats it.
"""

import hashlib
import os
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from fuzz.mutations import EDITS, mutated
from fuzz.seeds import KINDS
from fuzz.targets import TARGETS, answer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

CRASHES = Path(__file__).parent / "crashes"
MOST_SECONDS, MOST_BYTES = 10, 2**30
QUICK = {"images": 500, "models": 60, "annotations": 400, "settings": 150, "checkpoints": 200, "ledgers": 300}


class TooSlow(BaseException):
    """A file took more than `MOST_SECONDS`; no handler of errors catches it."""


@contextmanager
def limited():
    """End with an error what takes too long, and on Linux too much memory."""
    if sys.platform == "win32":
        yield
        return

    def stop(*_):
        raise TooSlow(f"more than {MOST_SECONDS} s")

    before = peak_bytes(reset=True)
    earlier = signal.signal(signal.SIGPROF, stop)
    # Of this process alone: a shared machine may be slow.
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, earlier)
    taken = peak_bytes() - before
    assert taken < MOST_BYTES, f"{taken / 2**20:.0f} MiB"


def peak_bytes(*, reset: bool = False) -> int:
    """Return the most memory of this process since it was last reset; 0 where the system does not tell."""
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not clear.exists():
        return 0
    if reset:
        clear.write_text("5")
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def checked(target: str, folder: Path, name: str, content: bytes) -> None:
    path = folder / name
    path.write_bytes(content)
    with limited():
        answer(target, path)


def fuzz(target: str, folder: Path, *, keep: bool, **options) -> None:
    seeds = KINDS[target]()
    for name, content in seeds.items():
        # What is imported for the first file is no fault of it.
        (folder / name).write_bytes(content)
        answer(target, folder / name)
    failed: list[tuple[str, bytes]] = []

    @settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), **options)
    @given(st.sampled_from(sorted(seeds)), EDITS)
    def mutate(name, edits):
        content = mutated(seeds[name], edits)
        try:
            checked(target, folder, name, content)
        except BaseException:
            failed[:] = [(name, content)]
            raise

    try:
        mutate()
    finally:
        # The last one that failed has the fewest changes.
        for name, content in failed if keep else ():
            path = CRASHES / target / f"{hashlib.sha256(content).hexdigest()[:8]}_{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def needs(target):
    if target in ("checkpoints", "models"):
        pytest.importorskip("torch", reason="torch is not installed (extra train)")


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_are_read(target, tmp_path):
    needs(target)
    for name, content in KINDS[target]().items():
        (tmp_path / name).write_bytes(content)
        assert answer(target, tmp_path / name) == "", name


@pytest.mark.parametrize("target", TARGETS)
def test_mutated_files_are_a_result_or_one_line(target, tmp_path):
    needs(target)
    fuzz(target, tmp_path, keep=False, max_examples=QUICK[target], derandomize=True, phases=[Phase.generate])


@pytest.mark.parametrize(
    "path", sorted(CRASHES.glob("*/*")), ids=lambda path: path.relative_to(CRASHES).as_posix()
)
def test_files_that_once_failed(path, tmp_path):
    needs(path.parent.name)
    _, name = path.name.split("_", 1)
    checked(path.parent.name, tmp_path, name, path.read_bytes())


@pytest.mark.fuzz
@pytest.mark.parametrize("target", TARGETS)
def test_fuzz(target, tmp_path):
    needs(target)
    end, cases = time.monotonic() + float(os.environ.get("FUZZ_SECONDS", "3600")), 0
    while time.monotonic() < end:
        fuzz(target, tmp_path, keep=True, max_examples=500)
        cases += 500
    print(f"{target}: {cases} cases")
