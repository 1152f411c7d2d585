"""A standard output that is full, closed, or of another encoding: no traceback, no lost file."""

import os
import subprocess
import sys

import pytest
import tifffile
from helpers.images import discs

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")


NAME = "\u00e4\U0001f600.tif"
# A call of every subcommand that prints a table, and its exit code.
TABLES = (
    ("count images -m {model}", 0),
    ("eval images masks -m {model} -o scores --overwrite", 0),
    ("audit images masks --no-find -o audited --overwrite", 1),
    ("verify results", 1),
    (f"info images/{NAME}", 0),
    ("info --settings", 0),
)


@pytest.fixture
def call(tmp_path, model_path):
    tifffile.imwrite(tmp_path / "a.tif", discs(3)[0])
    for folder, content in zip(("images", "masks"), discs(8), strict=True):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / NAME, content)

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


OPENED = """
import subprocess, sys
import beadctl.cli.main as cli
from beadctl.__main__ import main

INNER = "open('opened by a process', 'w').write(str(open('/dev/null').fileno()))"

def opened():
    with open("opened", "w") as file:
        file.write(str(file.fileno()))
    subprocess.run([sys.executable, "-c", INNER], check=True)

cli.main = opened
main()
"""


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", ">&-", "2>&-", ""])
def test_no_file_takes_the_place_of_a_closed_stream(tmp_path, closed):
    """Libraries, and the last words after a signal, write to the numbers 1 and 2."""
    words = ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, OPENED]
    assert subprocess.run(words, cwd=tmp_path, check=False).returncode == 0
    assert int((tmp_path / "opened").read_text()) > 2
    assert int((tmp_path / "opened by a process").read_text()) > 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is of Linux")
@pytest.mark.parametrize("command", ["--version", "--help", "count --help", "completions bash"])
def test_help_into_a_full_output_is_one_line(call, command):
    said = call(command, ">/dev/full")
    assert said.returncode == 3
    assert said.stderr.count("\n") == 1
    assert said.stderr.startswith("error: standard output: cannot be written")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is of Linux")
def test_files_are_written_before_a_table_that_cannot_be(call, tmp_path):
    for command, made, code in (
        ("eval images masks -m {model} -o scores -q", "scores/eval.json", 3),
        ("audit images masks --no-find -o audited -q", "audited/audit.html", 3),
        # Its results are kept, as when the disk is full.
        ("count images -m {model} -o counted -q", "counted/counts.csv", 1),
    ):
        said = call(command, ">/dev/full")
        assert said.returncode == code, said.stderr
        assert said.stderr.startswith("error: standard output: cannot be written"), said.stderr
        assert (tmp_path / made).exists()


EVERY = """
import sys
from beadctl.cli.main import main
for number, line in enumerate(sys.stdin.buffer.read().decode().splitlines()):
    sys.argv[1:] = line.split()
    try:
        main()
    except SystemExit as end:
        print("ended", number, int(end.code), file=sys.stderr)
"""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_names_that_an_encoding_lacks_end_no_table(call, tmp_path, model_path, encoding):
    assert call("segment images -m {model} -o results", "").returncode == 0
    (tmp_path / "images" / NAME).write_bytes((tmp_path / "a.tif").read_bytes())
    forms = ("csv", "json", "jsonl", "table")
    calls = [
        (f"{line.format(model=model_path)} --format {form}", code) for line, code in TABLES for form in forms
    ]
    done = subprocess.run(
        [sys.executable, "-c", EVERY],
        input="\n".join(line for line, _ in calls).encode(),
        cwd=tmp_path,
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding},
        check=False,
    )
    out, errors = done.stdout.decode(encoding), done.stderr.decode(encoding)
    assert "Traceback" not in errors
    ends = [line.split()[1:] for line in errors.splitlines() if line.startswith("ended ")]
    assert ends == [[str(number), str(code)] for number, (_, code) in enumerate(calls)], errors
    # JSON has escapes of its own.
    assert out.count("\\U0001f600.tif") >= 6
    assert out.count("\\ud83d\\ude00.tif") >= 4
