"""Rows of statistics as a table for people."""

from collections.abc import Mapping, Sequence

from beadctl.console import Messages, shown
from beadctl.text import cell

# Columns of dilution factors.
DILUTIONS = ("dilution", "linear_from", "linear_to")


def in_words(column: str, value: object) -> str:
    """Return a value as a table for people has it: dilutions in full, other figures with four digits."""
    return cell(value) if column in DILUTIONS else shown(value)


def tell_rows(
    title: str,
    heads: Mapping[str, str],
    rows: Sequence[object],
    messages: Messages,
    bars: tuple[str, Sequence[str]] | None = None,
) -> None:
    """Print rows without the columns in which none has a value.

    Parameters
    ----------
    title, heads : str, and mapping of str to str
        Text above the table, and the head of each column by the name of its attribute.
    rows, messages, bars
        The rows, and what prints them as `Messages.table` does.
    """
    used = [name for name in heads if any(getattr(row, name) not in (None, "") for row in rows)]
    table = [[in_words(name, getattr(row, name)) for name in used] for row in rows]
    messages.table(title, [heads[name] for name in used], table, bars=bars)
