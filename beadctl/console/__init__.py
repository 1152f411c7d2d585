"""Output for people and programs: messages on standard error, tables on either stream."""

from beadctl.console.messages import Messages, fail, stderr
from beadctl.console.table import Form, Printer, print_table, printer

__all__ = ["Form", "Messages", "Printer", "fail", "print_table", "printer", "stderr"]
