"""The command that writes results, which the tests of this folder share."""

import pytest


@pytest.fixture
def segment(run, model_path):
    """`beadctl segment` with the small model."""
    return lambda *arguments: run("segment", *arguments, "-m", model_path)
