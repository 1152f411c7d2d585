"""The lock of an address: one run at a time writes there."""

import json
import time
from types import SimpleNamespace

import pytest
from helpers.stored_results import OUT, holder, objects

from beadctl import lock
from beadctl.errors import IncompleteError
from beadctl.results import store_lock

pytestmark = pytest.mark.usefixtures("plate")


@pytest.fixture
def patient(monkeypatch):
    """A clock by which waiting for the holder of a lock takes no time."""
    clock = [0.0]
    monkeypatch.setattr(store_lock, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def wait(seconds):
        clock[0] += seconds

    monkeypatch.setattr(store_lock.stopping, "wait", wait)


@pytest.mark.parametrize("shard", [(), ("--shard", "1/2")])
def test_another_run_at_the_address_is_refused(segment, memory, monkeypatch, patient, shard):
    real, reads = type(memory).cat_file, iter(range(1000))

    def alive(self, path, **words):
        """Another process writes its lock anew."""
        if path.endswith("run/.beadctl.lock"):
            return holder(number=next(reads))
        return real(self, path, **words)

    memory.pipe_file("/bucket/run/.beadctl.lock", holder())
    monkeypatch.setattr(type(memory), "cat_file", alive)
    said = segment("plate", "-o", OUT, *shard)
    assert said.code == 3
    assert said.error.startswith("error: memory://bucket/run: in use by another job (process")
    assert objects(memory).keys() == {".beadctl.lock"}


@pytest.mark.parametrize(
    "facts",
    [{}, {"machine": lock.machine(), "pid": 2**22 + 1}, {"token": 1, "number": None}, {"pid": "no number"}],
)
def test_the_lock_of_a_dead_run_is_taken_over(segment, memory, facts, patient):
    memory.pipe_file("/bucket/run/.beadctl.lock", holder(**facts))
    assert segment("plate", "-o", OUT).code == 0
    assert ".beadctl.lock" not in objects(memory)


def is_lost(own):
    try:
        own.check()
    except IncompleteError:
        return True
    return False


def test_a_run_whose_lock_was_taken_over_writes_nothing_more(segment, memory, monkeypatch):
    monkeypatch.setattr(lock, "TOUCH_S", 0.01)
    real, made, held = type(memory).put_file, store_lock.Held.made, []

    def put_file(self, lpath, rpath, **words):
        real(self, lpath, rpath, **words)
        if "masks" in rpath:
            # More than once: the run may be about to write its own lock anew.
            for _ in range(1000):
                memory.pipe_file("/bucket/run/.beadctl.lock", holder())
                if is_lost(held[0]):
                    break
                time.sleep(0.01)

    monkeypatch.setattr(store_lock.Held, "made", lambda self: held.append(self) or made(self))
    monkeypatch.setattr(type(memory), "put_file", put_file)
    said = segment("plate", "-o", OUT)
    assert said.code == 1
    assert "another job took it over" in said.err
    found = objects(memory)
    assert json.loads(found[".beadctl.lock"])["host"] == "other"
    assert sum(name.startswith("masks/") for name in found) == 1
    assert "counts.csv" not in found
