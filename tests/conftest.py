"""What the tests share: a small but real model file, images with known beads, and the command line."""

import os
import tempfile
from pathlib import Path

import pytest
from helpers.images import write_bead_folder
from helpers.model import write_model
from helpers.said import Said
from hypothesis import settings

from beadctl.cli import main

# Machines that run tests are shared, so the time of one example says nothing.
settings.register_profile("beadctl", deadline=None, max_examples=60)
settings.load_profile("beadctl")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    """No settings of the person who runs the tests."""
    for name in os.environ:
        if name.startswith("BEADCTL_") and name != "BEADCTL_DATA":
            monkeypatch.delenv(name)
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    # Servers of the tests are reached without the proxy of a network.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def temporary_folder(tmp_path, monkeypatch) -> Path:
    """The folder of this process for temporary files: an empty one of the test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(scope="session")
def model_path(tmp_path_factory) -> Path:
    """A model file that finds blobs of either polarity; stride 8, halo 16."""
    return write_model(tmp_path_factory.mktemp("model") / "blobs.onnx")


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """The command line, in this process and in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Said:
        capsys.readouterr()
        code = main.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return call


@pytest.fixture
def bead_folder(tmp_path) -> Path:
    """Images as people have them: 8 and 16 bits, PNG, RGB, a stack; `COUNTS` beads, and a simulated one."""
    return write_bead_folder(tmp_path / "images")
