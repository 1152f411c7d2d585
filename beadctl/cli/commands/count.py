"""``beadctl count``: how many beads each image holds, as a table on standard output."""

from beadctl import console
from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.errors import ExitCode


@options.command(
    log=True,
    data="include exclude recursive axes channel plane series pixel_size region region_exclude",
    inference="*",
    instances="*",
    output="out_dir format overwrite",
)
def count(loaded: Loaded, messages: Messages, inputs: options.Inputs) -> ExitCode:
    """Print one row for each plane; with -o also write counts.csv and beads.csv.

    Example: beadctl count images --format csv > counts.csv
    """
    from beadctl.cli import arguments
    from beadctl.results.ledger import COLUMNS
    from beadctl.results.outputs import Outputs
    from beadctl.results.process import process
    from beadctl.results.tables import HEADS

    settings = loaded.settings
    output = settings.output
    outputs = Outputs(output.out_dir, (), output.overwrite)
    images = arguments.images(settings, inputs, messages)
    session = arguments.session(settings, messages)
    table = console.RowPrinter(output.format, COLUMNS, HEADS)
    results = process(
        inputs,
        images,
        session,
        arguments.counting_options(settings, session.facts),
        outputs,
        settings=arguments.plain(settings),
        messages=messages,
        on_row=lambda row: table.row(row.cells()),
    )
    table.end()
    return ExitCode.of(failed=any(result.failed for result in results))
