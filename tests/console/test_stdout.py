"""A standard output that is full or closed: one line of error, and an exit code of its own."""

import subprocess
import sys

import pytest
import tifffile
from helpers.images import discs

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")


@pytest.fixture
def call(tmp_path, model_path):
    tifffile.imwrite(tmp_path / "a.tif", discs(3)[0])

    def run(command, redirection):
        line = f"exec {sys.executable} -m beadctl {command.format(model=model_path)} {redirection}"
        return subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is of Linux")
@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "table"])
def test_a_full_output_is_one_line(call, form):
    said = call(f"count a.tif -m {{model}} -q --format {form}", ">/dev/full")
    assert said.returncode == 3
    assert said.stderr.count("\n") == 1
    assert said.stderr.startswith("error: standard output: cannot be written (No space left on device)")


@pytest.mark.parametrize(
    "command",
    [
        "count a.tif -m {model} -q",
        "count a.tif -m {model} -q --format json",
        "completions bash",
        "info",
        "info --settings",
    ],
)
def test_a_closed_output_is_one_line(call, command):
    said = call(command, ">&-")
    assert said.returncode == 3
    assert said.stderr == "error: standard output: is closed; redirect it to a file\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is of Linux")
@pytest.mark.parametrize("command", ["--version", "--help", "count --help", "completions bash"])
def test_help_into_a_full_output_is_one_line(call, command):
    said = call(command, ">/dev/full")
    assert said.returncode == 3
    assert said.stderr.count("\n") == 1
    assert said.stderr.startswith("error: standard output: cannot be written")
