import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.commandline import commands

from beadctl import errors
from beadctl.cli.main import COMMANDS
from beadctl.cli.settings import load

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDES = [path.read_text(encoding="utf-8") for path in (ROOT / "examples").glob("*/README.md")]
FENCES = re.findall(r"^(?:<!-- ci: (\w+) -->\n)?```sh\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def test_every_subcommand_is_shown():
    scripts = re.findall(r"^```sh\n(.*?)^```", "\n".join([README, *GUIDES]), flags=re.MULTILINE | re.DOTALL)
    assert {words[0] for script in scripts for words in commands(script)} == set(COMMANDS)


def test_info_settings_prints_every_setting(run):
    said = run("info", "--settings")
    assert said.code == 0
    for key in load().origins:
        assert key in said.out


def test_info_of_an_image(run):
    said = run("info", ROOT / "examples/images/focus_series.ome.tif")
    assert said.code == 0
    assert "0.65 um" in said.out


def test_exit_codes_are_those_of_the_errors():
    listed = {
        int(code) for row in re.findall(r"^\| ([\d, ]+) \|", README, re.MULTILINE) for code in row.split(",")
    }
    assert listed == {int(code) for code in errors.ExitCode}


def test_every_guide_is_linked():
    for path in (ROOT / "examples").glob("*/README.md"):
        assert f"({path.relative_to(ROOT).as_posix()})" in README


def test_files_to_touch_exist():
    rows = README.split("| to add | files |\n|---|---|\n")[1].split("\n\n")[0].splitlines()
    for row in rows:
        files = re.findall(r"`([\w/]+\.py)`", row)
        assert 2 <= len(files) <= 3, row
        assert all((ROOT / "beadctl" / file).exists() for file in files if "NAME" not in file), row


def test_versions_agree():
    from beadctl import __version__

    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## \[([\d.]+)\]", changes, re.MULTILINE)[1] == __version__


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
