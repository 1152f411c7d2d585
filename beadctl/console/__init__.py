"""Output for people and programs: messages on standard error, tables on either stream."""

from beadctl.console.messages import Messages, duration, fail, stderr
from beadctl.console.table import (
    Form,
    RowPrinter,
    columns_that_fit,
    print_record,
    print_rows,
    print_table,
    shown,
)

__all__ = [
    "Form",
    "Messages",
    "RowPrinter",
    "columns_that_fit",
    "duration",
    "fail",
    "print_record",
    "print_rows",
    "print_table",
    "shown",
    "stderr",
]
