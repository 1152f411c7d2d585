"""What a worker that beadctl started on its own computer runs first."""

import signal


def dask_setup(_: object) -> None:
    """Ignore Ctrl-C, which a terminal sends to all processes: who started the worker ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
