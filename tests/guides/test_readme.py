import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.commandline import commands, parse

from beadctl import errors
from beadctl.cli.main import COMMANDS
from beadctl.cli.settings import load
from beadctl.results.ledger import COLUMNS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^(?:<!-- ci: (\w+) -->\n)?```sh\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
LINES = [words for _, script in FENCES for words in commands(script)]


def test_every_subcommand_is_shown():
    assert {words[0] for words in LINES} == set(COMMANDS)


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_command_line_is_valid(words):
    parse(words)


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_named_examples_exist(words):
    for word in words:
        if word.startswith("examples/"):
            assert (ROOT / word).exists()


def test_info_settings_says_what_it_promises(run):
    said = run("info", "--settings")
    assert said.code == 0
    for key in load().origins:
        assert key in said.out


def test_info_of_an_image(run):
    said = run("info", ROOT / "examples/images/focus_series.ome.tif")
    assert said.code == 0
    assert "0.65 um" in said.out


def test_columns_of_the_ledger_are_listed():
    paragraph = README[README.index("Columns of `counts.csv`") :].split("\n\n")[0]
    named = [word for word in re.findall(r"`([a-z_]+)`", paragraph) if word in COLUMNS]
    assert tuple(dict.fromkeys(named)) == COLUMNS


def test_exit_codes_are_those_of_the_errors():
    listed = {int(code) for code in re.findall(r"\b(\d+)(?:, \d+)? \|", README)}
    used = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.BeadctlError)
    }
    assert used <= listed


def test_named_files_exist():
    for name in re.findall(r"`((?:examples|completions|tests|beadctl)/[\w./]*)`", README):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`(\w+\.(?:slurm|pbs))`", README):
        assert (ROOT / "examples" / name).exists(), name


def test_readme_is_short():
    assert len(README.splitlines()) < 250


@pytest.mark.skipif(shutil.which("bash") is None or sys.platform == "win32", reason="bash is not installed")
@pytest.mark.parametrize("name", ["count", "test"])
def test_ci_runs_the_commands_of_the_readme(name):
    (expected,) = (script for mark, script in FENCES if mark == name)
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    reader = text[text.index("readme_command() {") :]
    reader = reader[: reader.index("\n}") + 2]
    said = subprocess.run(
        ["bash", "-euc", f"{reader}\nreadme_command {name}"],
        env=os.environ | {"root": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == expected
    assert f"run_readme {name}" in text
