"""Processes that a test has started."""

import pytest


def children() -> set[int]:
    """Processes of this one, without that in which Python itself counts what processes share."""
    psutil = pytest.importorskip("psutil")
    found = psutil.Process().children(recursive=True)
    return {one.pid for one in found if "resource_tracker" not in " ".join(one.cmdline())}
