"""Something that happens in the middle of a run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from beadctl.results import run


@contextmanager
def before_a_result(monkeypatch, number: int, call: Callable[[], None]) -> Iterator[None]:
    """Call a function once, before the result of so many images is made."""
    real, calls = run._result, []

    def result(*arguments):
        calls.append(arguments)
        if len(calls) == number:
            call()
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(run, "_result", result)
        yield
