"""The command that counts, and a working folder with no settings."""

import pytest


@pytest.fixture
def count(run, model_path):
    """`beadctl count` with the small model."""
    return lambda *arguments: run("count", *arguments, "-m", model_path)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder of the test's own, in which it may write ``beadctl.toml``."""
    monkeypatch.chdir(tmp_path)
