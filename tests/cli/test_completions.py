"""Tab completion in real shells, loaded as the counting guide says."""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from beadctl.cli.completion import Shell

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "examples/counting/README.md"
FILES = {shell: f"beadctl.{'ps1' if shell is Shell.POWERSHELL else shell}" for shell in Shell}
# What is typed before a press of Tab, and what the line is after it, without the slash of a folder.
TYPED = {
    "seg": "segment",
    "completions po": "completions powershell",
    "segment --exclude-b": "segment --exclude-border",
    "train --loss d": "train --loss dice",
    "train --loss=foc": "train --loss=focal",
    "train --loss focal --sch": "train --loss focal --schedule",
    "train --arch=att": "train --arch=attention-unet",
    "compare-losses --losses dice,comb": "compare-losses --losses dice,combined",
    "compare-losses --losses=dice,comb": "compare-losses --losses=dice,combined",
    "compare-losses --weighting=fixed,ra": "compare-losses --weighting=fixed,ramp",
    "segment --save masks,o": "segment --save masks,overlays",
    "count pict": "count pictures",
    "segment --out-dir=pict": "segment --out-dir=pictures",
}


def start_lines() -> dict[Shell, str]:
    """Return the line that the guide gives for the start file of each shell."""
    rows = re.findall(
        r"^\| (\w+) \| `[^`]+` \| `([^`]+)` \|$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE
    )
    return {Shell(name.lower()): line.replace("\\|", "|") for name, line in rows}


@pytest.fixture
def environment(tmp_path):
    """Environment variables of a home of its own, where `beadctl` is this Python's."""
    command = tmp_path / "bin" / "beadctl"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m beadctl "$@"\n')
    command.chmod(0o755)
    (tmp_path / "pictures").mkdir()
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "ZDOTDIR", "BASH"))
    }
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    return kept | {"PATH": path, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "TERM": "dumb"}


def program(name: str) -> str:
    if shutil.which(name) is None or sys.platform == "win32":
        pytest.skip(f"{name} is not installed")
    return name


def interactive(start: list[str], environment: dict[str, str], folder: Path, typed: list[str]) -> list[str]:
    """Type lines and Tab into a shell on a terminal; return the completed lines."""
    import pty

    ours, theirs = pty.openpty()
    shell = subprocess.Popen(
        start, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=folder, start_new_session=True
    )
    os.close(theirs)
    screen, completed = [], folder / "completed"
    completed.touch()

    def read():
        while True:
            try:
                screen.append(os.read(ours, 4096))
            except OSError:
                return

    threading.Thread(target=read, daemon=True).start()

    def wait(is_done):
        end = time.monotonic() + 90
        while not is_done():
            assert time.monotonic() < end, b"".join(screen).decode(errors="replace")
            time.sleep(0.02)

    try:
        wait(lambda: b"READY" in b"".join(screen))
        for number, line in enumerate(typed, 1):
            # To the start of the line and its end: the line becomes the arguments of printf.
            keys = f"beadctl {line}\t\x01printf '%s ' >>completed \x05 ; echo >>completed\n"
            os.write(ours, keys.encode())
            wait(lambda number=number: completed.read_text().count("\n") == number)
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)
    return [line.strip().removeprefix("beadctl ").rstrip("/") for line in completed.read_text().splitlines()]


def prefix_of(line: str, answers: list[str]) -> str:
    """Return a line whose last word is replaced by what the answers have in common."""
    before, _, _ = line.rpartition(" ")
    common = os.path.commonprefix(answers)  # noqa: RUF071
    return f"{before} {common}".strip().rstrip("/")


@pytest.mark.parametrize("shell", Shell)
def test_folder_holds_what_the_command_prints(run, shell):
    """The files are written by just this call; `completions/` has one for each shell."""
    said = run("completions", shell)
    assert (said.code, said.err) == (0, "")
    assert (ROOT / "completions" / FILES[shell]).read_text(encoding="utf-8") == said.out
    assert sorted(path.name for path in (ROOT / "completions").iterdir()) == sorted(FILES.values())


def test_an_unknown_shell_is_refused_with_the_choices(run):
    said = run("completions", "tcsh")
    assert said.code == 2
    assert all(shell in said.error for shell in Shell)


def test_the_guide_has_a_line_for_each_shell():
    assert set(start_lines()) == set(Shell)


def test_bash_completes(environment, tmp_path):
    rc = tmp_path / ".bashrc"
    rc.write_text(f"{start_lines()[Shell.BASH]}\nPS1='READY> '\n")
    start = [program("bash"), "--rcfile", str(rc), "-i"]
    assert interactive(start, environment, tmp_path, list(TYPED)) == list(TYPED.values())


def test_bash_completes_where_the_equals_sign_breaks_no_word(environment, tmp_path):
    rc = tmp_path / ".bashrc"
    rc.write_text(f"{start_lines()[Shell.BASH]}\nCOMP_WORDBREAKS=${{COMP_WORDBREAKS//=}}\nPS1='READY> '\n")
    start = [program("bash"), "--rcfile", str(rc), "-i"]
    typed = [line for line in TYPED if "=" in line and "dir" not in line]
    assert interactive(start, environment, tmp_path, typed) == [TYPED[line] for line in typed]


def test_zsh_completes_without_a_compinit_before(environment, tmp_path):
    """The start file has the line of the guide and nothing else."""
    (tmp_path / ".zshrc").write_text(f"{start_lines()[Shell.ZSH]}\nPS1='READY> '\nbindkey -e\n")
    start = [program("zsh"), "-d", "-i"]
    assert interactive(start, environment, tmp_path, list(TYPED)) == list(TYPED.values())


def test_zsh_completes_from_its_function_path(environment, tmp_path):
    (tmp_path / "functions").mkdir()
    shutil.copy(ROOT / "completions/beadctl.zsh", tmp_path / "functions/_beadctl")
    (tmp_path / ".zshrc").write_text(
        "fpath=(~/functions $fpath)\nautoload -Uz compinit\ncompinit -u\nPS1='READY> '\nbindkey -e\n"
    )
    typed = ["seg", "train --loss=foc", "compare-losses --losses dice,comb"]
    lines = interactive([program("zsh"), "-d", "-i"], environment, tmp_path, typed)
    assert lines == [TYPED[line] for line in typed]


def test_fish_completes(environment, tmp_path):
    config = tmp_path / ".config/fish/config.fish"
    config.parent.mkdir(parents=True)
    config.write_text(f"{start_lines()[Shell.FISH]}\n")
    for line, wanted in TYPED.items():
        ask = [program("fish"), "-c", 'complete --do-complete "beadctl $argv"', line]
        said = subprocess.run(ask, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert said.stderr == ""
        assert prefix_of(line, [answer.partition("\t")[0] for answer in said.stdout.splitlines()]) == wanted


def test_powershell_completes(environment, tmp_path):
    ask = "(TabExpansion2 -inputScript $l -cursorColumn $l.Length).CompletionMatches.CompletionText"
    for line, wanted in TYPED.items():
        if "pict" in line:
            continue
        script = f"{start_lines()[Shell.POWERSHELL]}; $l = 'beadctl {line}'; {ask}"
        start = [program("pwsh"), "-NoProfile", "-Command", script]
        said = subprocess.run(
            start, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert prefix_of(line, said.stdout.splitlines()) == wanted, said.stderr


def test_help_offers_no_installer(run):
    said = run("--help")
    assert said.code == 0
    assert "--install-completion" not in said.out
    assert "--show-completion" not in said.out
