import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "completions"
SHELLS = ("bash", "zsh", "fish")
# Each shell sources the script, and asks it for the candidates as a press of Tab would.
ASK = {
    "bash": """
        source "$1"
        COMP_WORDS=(beadctl $2); COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
        _beadctl_completion beadctl
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "zsh": """
        compdef() { :; }
        _arguments() { print -r -- "$@"; }
        source "$1"
        words=(beadctl ${=2}); CURRENT=${#words}
        _beadctl_completion
    """,
    "fish": """
        source $argv[1]
        complete --do-complete "beadctl $argv[2]"
    """,
}


@pytest.fixture
def ask(tmp_path):
    """Return a function that completes a line in a shell where `beadctl` is this Python's."""
    command = tmp_path / "bin" / "beadctl"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m beadctl "$@"\n')
    command.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
    }

    def run(shell: str, line: str) -> str:
        if shutil.which(shell) is None or sys.platform == "win32":
            pytest.skip(f"{shell} is not installed")
        script = tmp_path / f"ask.{shell}"
        script.write_text(ASK[shell])
        options = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
        asked = [shell, *options, str(script), str(FOLDER / f"beadctl.{shell}"), line]
        return subprocess.run(
            asked, env=environment, capture_output=True, text=True, timeout=60, check=True
        ).stdout

    return run


@pytest.mark.parametrize("shell", SHELLS)
def test_script_is_what_beadctl_prints(shell):
    """The files are written by just this call."""
    printed = subprocess.run(
        [sys.executable, "-m", "beadctl"],
        env=os.environ | {"_BEADCTL_COMPLETE": f"source_{shell}"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert (FOLDER / f"beadctl.{shell}").read_bytes() == printed.stdout.strip() + b"\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_subcommand_is_completed(ask, shell):
    candidates = ask(shell, "seg")
    assert "segment" in candidates
    assert "count" not in candidates


@pytest.mark.parametrize("shell", SHELLS)
def test_flags_and_choices_are_completed(ask, shell):
    assert "--exclude-border" in ask(shell, "segment --exclude-b")
    chosen = ask(shell, "train --loss d")
    assert "dice" in chosen
    assert "focal" not in chosen
    assert "cosine" in ask(shell, "train --schedule c")
    assert "attention-unet" in ask(shell, "train --arch a")
    assert "bf16" in ask(shell, "train --precision b")
    assert "jsonl" in ask(shell, "count --format json")
    assert "cuda" in ask(shell, "count --device c")
    assert "masks,overlays" in ask(shell, "segment --save masks,o")


def test_help_offers_no_installer(run):
    said = run("--help")
    assert said.code == 0
    assert "completion" not in said.out
