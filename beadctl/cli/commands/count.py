"""``beadctl count``: how many beads each image holds, as a table on standard output."""

from beadctl import console
from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.errors import ExitCode


@options.command(
    log=True,
    data="include exclude recursive axes channel plane series pixel_size region region_exclude "
    "counting_frame",
    inference="*",
    instances="*",
    counting="*",
    output="out_dir format overwrite",
)
def count(
    loaded: Loaded,
    messages: Messages,
    inputs: options.OptionalInputs = None,
    labels: options.Labels = None,
) -> ExitCode:
    """Print one row for each plane; with -o also write counts.csv and beads.csv, and tables of groups.

    Example: beadctl count images --format csv > counts.csv
    """
    from beadctl.cli import arguments
    from beadctl.results.ledger import COLUMNS, Row
    from beadctl.results.outputs import Outputs
    from beadctl.results.process import process
    from beadctl.results.summary import Summary
    from beadctl.results.tables import HEADS

    settings = loaded.settings
    output = settings.output
    outputs = Outputs(output.out_dir, (), output.overwrite)
    images = arguments.counted_images(settings, inputs, labels, messages)
    grouping, manual = arguments.grouping(settings, images, messages), arguments.manual(settings, images)
    source = arguments.by_labels(loaded) if labels else arguments.by_network(settings, messages)
    table = console.RowPrinter(output.format, COLUMNS, HEADS)
    planes: list[Row] = []

    def take(row: Row) -> None:
        table.row(row.cells())
        if grouping or manual:
            planes.append(row)

    tally = process(
        inputs or labels or (),
        images,
        source,
        outputs,
        settings=arguments.plain(settings),
        messages=messages,
        on_row=take,
    )
    summary = Summary.of(grouping, manual, planes)
    summary.write(output.out_dir)
    table.end()
    lacking = summary.tell(messages)
    return ExitCode.of(failed=lacking or tally.failed)
