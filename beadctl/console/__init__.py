"""Output for people and programs: messages on standard error, tables on either stream."""

from beadctl.console.event_log import event, logged
from beadctl.console.messages import SILENT, Messages, duration, fail, named_as, stderr
from beadctl.console.notes import file_notes
from beadctl.console.rows import Form, RowPrinter, print_record, print_rows, shown
from beadctl.console.stdout import print_text
from beadctl.console.table import columns_that_fit, print_table

__all__ = [
    "SILENT",
    "Form",
    "Messages",
    "RowPrinter",
    "columns_that_fit",
    "duration",
    "event",
    "fail",
    "file_notes",
    "logged",
    "named_as",
    "print_record",
    "print_rows",
    "print_table",
    "print_text",
    "shown",
    "stderr",
]
