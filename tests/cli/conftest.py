"""The command that counts, which the tests of this folder share."""

import pytest


@pytest.fixture
def count(run, model_path):
    """`beadctl count` with the small model."""
    return lambda *arguments: run("count", *arguments, "-m", model_path)
