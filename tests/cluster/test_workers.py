"""Tasks of workers that are driven by a test: what is done when one dies with its tasks."""

import random
from concurrent.futures import CancelledError
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beadctl import __version__
from beadctl.cluster import worker
from beadctl.cluster.place import Scheduler
from beadctl.cluster.tries import TRIES
from beadctl.cluster.worker import Answer
from beadctl.cluster.workers import EACH, Workers
from beadctl.errors import ClusterError, FileNote, ImageError, ModelError

distributed = pytest.importorskip("distributed", reason="needs the extra cluster")


class Running:
    """A task on a worker."""

    def __init__(self, task):
        self.task, self.callbacks, self.answer = task, [], None

    def add_done_callback(self, call):
        self.callbacks.append(call)

    def result(self):
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def end(self, answer):
        self.answer = answer
        for call in self.callbacks:
            call(self)


class Client:
    """A client whose workers do nothing until a test ends their tasks."""

    status = "running"

    def __init__(self, threads=2, versions=(__version__,), facts=({},)):
        self.threads, self.versions, self.told = threads, versions, facts
        self.running, self.most, self.calls = [], 0, []

    def nthreads(self):
        return {"tcp://w:1": self.threads} if self.threads else {}

    def run(self, function, *arguments, on_error):
        answers = self.versions if function is worker.version else self.told
        return {f"tcp://w:{number}": answer for number, answer in enumerate(answers)}

    def submit(self, function, task, *, key, pure):
        assert (function, pure) == (worker.work, False)
        self.running.append(Running(task))
        self.most = max(self.most, len(self.running))
        return self.running[-1]

    def sync(self, function, running, callback_timeout):
        self.calls.append(running)

    def end(self, running, answer):
        self.running.remove(running)
        running.end(answer)


def at_work(client, **more):
    return Workers(client, Scheduler("tcp://s:1"), None, 1.0, **more)


def killed(tries=1):
    return distributed.KilledWorker("task", None, tries - 1)


@settings(max_examples=30)
@given(
    count=st.integers(1, 14),
    poison=st.sets(st.integers(0, 13), max_size=4),
    threads=st.integers(1, 5),
    tries=st.sampled_from([1, 4]),
    chance=st.randoms(use_true_random=False),
)
def test_only_what_kills_its_worker_fails(count, poison, threads, tries, chance: random.Random):
    """Whatever dies with it, and however often the scheduler itself tries."""
    client = Client(threads)
    workers = at_work(client)
    futures = [workers.submit(number) for number in range(count)]
    ends = 0
    while client.running:
        ends += 1
        one = chance.choice(client.running)
        if one.task.item[0] not in poison:
            client.end(one, Answer(one.task.item[0]))
            continue
        others = [other for other in client.running if other is not one and chance.random() < 0.7]
        for dead in chance.sample([one, *others], len(others) + 1):
            client.end(dead, killed(tries))
    assert client.most <= EACH * threads
    for number, future in enumerate(futures):
        if number in poison:
            assert isinstance(future.exception(0), ImageError)
            assert "its worker died" in str(future.exception(0))
        else:
            assert future.result(0) == number


def test_a_poison_task_is_given_up_after_two_tries_and_one_alone():
    client = Client(1)
    workers = at_work(client)
    future, deaths = workers.submit("poison"), 0
    while client.running:
        deaths += 1
        client.end(client.running[0], killed())
    assert deaths == TRIES + 1 == 3
    assert str(future.exception(0)).startswith("its worker died 3 times, at last with nothing else beside it")


def test_a_suspect_is_alone():
    client = Client(1)
    workers = at_work(client)
    first, second = workers.submit("first"), workers.submit("second")
    for _ in range(TRIES):
        client.end(next(one for one in client.running if one.task.item == ("first",)), killed())
    workers.submit("third")
    # It waits until nothing else runs, and then nothing else starts.
    assert [one.task.item for one in client.running] == [("second",)]
    client.end(client.running[0], Answer(2))
    assert [one.task.item for one in client.running] == [("first",)]
    client.end(client.running[0], Answer(1))
    assert [one.task.item for one in client.running] == [("third",)]
    assert (first.result(0), second.result(0)) == (1, 2)


def test_more_workers_are_used_when_they_come():
    client = Client(0)
    workers = at_work(client)
    for number in range(9):
        workers.submit(number)
    assert len(client.running) == EACH
    client.threads = 3
    client.end(client.running[0], Answer())
    assert len(client.running) == 3 * EACH


def test_a_worker_of_another_version_is_named():
    with pytest.raises(ClusterError, match=f"^worker tcp://w:1: has beadctl 0.0.1; install {__version__}"):
        at_work(Client(versions=(__version__, "0.0.1")))
    with pytest.raises(ClusterError, match=r"^worker tcp://w:0: has no such beadctl"):
        at_work(Client(versions=(ModuleNotFoundError("No module named 'beadctl'"),)))


def test_a_worker_that_cannot_do_the_work_is_an_error():
    with pytest.raises(ModelError, match=r"^worker x: another model$"):
        at_work(Client(facts=({}, ModelError("worker x: another model"))))
    with pytest.raises(ClusterError, match=r"^worker tcp://w:0: OSError: gone"):
        at_work(Client(facts=(OSError("gone"),)))


def test_facts_in_which_workers_differ_are_lists():
    facts = ({"device_used": "cuda:0", "threads": 4}, {"device_used": "cuda:1", "threads": 4})
    assert at_work(Client(facts=facts)).facts == {"device_used": ["cuda:0", "cuda:1"], "threads": 4}


def test_a_file_that_only_the_workers_lack_ends_the_work(tmp_path):
    here, gone = tmp_path / "here.tif", tmp_path / "gone.tif"
    here.touch()
    client = Client(2)
    workers = at_work(client)
    futures = [workers.submit(path) for path in (here, gone)]
    for one in list(client.running):
        client.end(one, Answer(absent=str(one.task.item[0]), worker="tcp://w:0 on node1"))
    error = futures[0].exception(0)
    assert isinstance(error, ClusterError)
    assert str(error).startswith(f"worker tcp://w:0 on node1: {here} is not there; workers need the same")
    assert isinstance(futures[1].exception(0), ImageError)


def test_errors_and_notes_of_a_task_come_back(tmp_path):
    client = Client(4)
    workers = at_work(client)
    futures = [workers.submit(number) for number in range(3)]
    with pytest.warns(FileNote, match="a note") as told:
        client.end(client.running[0], Answer(1, [(tmp_path, "a note")]))
    assert told[0].message.path == tmp_path
    client.end(client.running[0], ModelError("worker x: broken"))
    client.end(client.running[0], RuntimeError("Error during deserialization of the task graph"))
    assert futures[0].result(0) == 1
    assert isinstance(futures[1].exception(0), ModelError)
    with pytest.raises(ClusterError, match="scheduler and workers need beadctl"):
        futures[2].result(0)


def test_a_scheduler_that_is_lost_ends_the_work():
    client = Client(1)
    workers = at_work(client)
    future = workers.submit(1)
    workers.check()
    client.status = "connecting"
    with pytest.raises(ClusterError, match=r"^--cluster tcp://s:1: the scheduler is lost; run again"):
        workers.check()
    client.end(client.running[0], CancelledError())
    assert isinstance(future.exception(0), ClusterError)


def test_no_worker_for_too_long_ends_the_work(monkeypatch):
    now, filled = [0.0], []
    monkeypatch.setattr("beadctl.cluster.workers.time", SimpleNamespace(monotonic=lambda: now[0]))
    client = Client(1)
    workers = at_work(client, refill=lambda: filled.append(now[0]))
    client.threads = 0
    now[0] = 0.5
    workers.check()
    now[0] = 5.0
    with pytest.raises(ClusterError, match="has had no worker for 1 s; start workers, then run again"):
        workers.check()
    client.threads = 1
    now[0] = 9.0
    workers.check()
    assert filled == [9.0]


def test_what_runs_is_cancelled_and_nothing_starts_once_it_is_given_up():
    client = Client(1)
    workers = at_work(client)
    for number in range(4):
        workers.submit(number)
    running = list(client.running)
    workers.give_up()
    workers.give_up()
    assert [set(call) for call in client.calls] == [set(running)]
    for one in running:
        client.end(one, CancelledError())
    assert client.running == []
