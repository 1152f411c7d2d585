"""Help: of the program, and of each command."""

import re
import subprocess
import sys

import pytest
import typer.main
from helpers.commandline import COMMANDS, commands, parse

from beadctl import __version__
from beadctl.cli import main, settings
from beadctl.cli.commands import tune


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example_that_is_valid(run, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    said = run(command, "--help")
    assert said.code == 0
    assert "Usage: " in said.out
    assert said.err == ""
    example = next(line for line in said.out.splitlines() if line.startswith(" Example: "))
    ((name, *words),) = commands(example.removeprefix(" Example: "))
    assert name == command
    parse([name, *words])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("width", [80, 120])
def test_help_has_panels_as_wide_as_the_terminal_and_cuts_nothing(run, command, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = run(command, "--help").out.splitlines()
    assert {len(line) for line in lines if line.startswith("╭")} == {width}
    assert max(map(len, lines)) == width
    assert not any("…" in line for line in lines)
    # A type is whole, and a flag, which takes no value, has none.
    assert not [line for line in lines if re.search(r"<(?![^\s<>]*>)", line)]
    assert not any("<bool>" in line for line in lines)
    # Only the last line of a paragraph is short.
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines).partition("╭")[0].strip()):
        *full, _ = paragraph.splitlines()
        assert all(len(line.rstrip()) > width - 20 for line in full), paragraph


def test_words_of_options_have_no_full_stop():
    group = typer.main.get_command(main.application())
    for name, command in group.commands.items():
        for parameter in command.params:
            assert not parameter.help.removesuffix("[/dim]").endswith("."), (name, parameter.name)


def test_options_of_a_panel_have_the_commands_own_last(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = run("segment", "--help").out
    found = re.findall(r"^│ (--[\w-]+)", out, re.MULTILINE)
    assert found.index("--device") < found.index("--max-memory") < found.index("--watch")
    assert found.index("--out-dir") < found.index("--save") < found.index("--log-json")


def test_each_default_is_in_the_help():
    group = typer.main.get_command(main.application())
    for name, command in group.commands.items():
        for parameter in command.params:
            section, _, field = parameter.name.partition("__")
            if not field:
                continue
            default = settings.section_of(section).model_fields[field].default
            if name == "tune":
                default = tune.DEFAULTS.get(f"{section}.{field}", default)
            if default not in (None, ()) and not isinstance(default, bool):
                shown = ",".join(default) if isinstance(default, tuple) else f"{default}".removesuffix(".0")
                stated = parameter.help.partition("[default: ")[2]
                assert re.search(rf"(^|; ){re.escape(shown)}\b", stated), (name, parameter.name)


@pytest.mark.parametrize("command", ["train", "compare-losses", "tune"])
def test_help_of_a_training_names_the_devices_that_train_and_no_others(command):
    parameters = typer.main.get_command(main.application()).commands[command].params
    (device,) = (one for one in parameters if one.name == "inference__device")
    assert not re.search("openvino|tensorrt|directml|coreml", device.help)
    assert [item.value for item in device.shell_complete(None, "")] == ["auto", "cpu", "cuda"]


def test_help_of_a_training_tells_size_and_workers_where_none_are_given(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert "[default: that of the tiles; 512 of scenes]" in run("train", "--help").out
    assert "[default: 256]" in run("tune", "--help").out
    for command in ("compare-losses", "tune"):
        assert "[default: this process alone]" in run(command, "--help").out


def test_help_lists_the_commands_and_the_version(run):
    said = run("--help")
    assert all(re.search(rf"^  {command} ", said.out, re.MULTILINE) for command in COMMANDS)
    # Each has a line of its own on a terminal of 80 columns.
    listed = said.out.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in listed] == list(main.COMMANDS)
    assert max(map(len, said.out.splitlines())) <= 80
    assert run("--version").out == f"beadctl {__version__}\n"
    assert run("-h").out == said.out


def test_root_help_is_plain_and_loads_no_settings():
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "beadctl", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rsplit("|", 1)[1].strip().partition(".")[0] for line in shown.stderr.splitlines()}
    assert not loaded & {"numpy", "pydantic_settings"}
    assert "╭" not in shown.stdout
