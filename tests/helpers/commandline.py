"""Read command lines as beadctl would, without running them, and the tables that they print."""

import csv
import io
import shlex
from typing import Any

import typer

from beadctl.cli.main import application

COMMANDS = (
    "tile",
    "train",
    "tune",
    "eval",
    "compare-losses",
    "export",
    "segment",
    "count",
    "merge",
    "report",
    "show",
    "verify",
    "simulate",
    "info",
    "audit",
    "completions",
)

OPERATORS = {"|", "||", "&", "&&", ";", ">", ">>", "<", "2>"}


def parse(arguments: list[str]) -> dict[str, Any]:
    """Return options and fields that a subcommand would get; an unknown flag fails as in beadctl."""
    group: Any = typer.main.get_command(application())
    with group.make_context("beadctl", list(arguments)) as context:
        if context.invoked_subcommand is None and not arguments:
            return {}
        name, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
        with command.make_context(name, rest, parent=context) as inner:
            return {key.rpartition("__")[2]: value for key, value in inner.params.items()}


def commands(script: str) -> list[list[str]]:
    """Return the arguments of every beadctl command in a shell script's text."""
    found = []
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
        for index, word in enumerate(words):
            first = index == 0 or words[index - 1] in OPERATORS or "=" in words[index - 1]
            if first and word.rsplit("/", 1)[-1] == "beadctl":
                rest = words[index + 1 :]
                ends = [place for place, other in enumerate(rest) if other in OPERATORS]
                found.append(rest[: ends[0]] if ends else rest)
    return found


def rows_of(text: str) -> list[dict[str, str]]:
    """Return the rows of a printed CSV."""
    return list(csv.DictReader(io.StringIO(text)))
