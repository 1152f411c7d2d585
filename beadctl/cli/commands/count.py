"""``beadctl count``: how many beads each image holds, as a table on standard output."""

from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.errors import ExitCode


@options.command(
    log=True,
    out_dir="no files",
    stores=True,
    data="include exclude recursive axes channel plane series pixel_size region region_exclude "
    "counting_frame project",
    inference="*",
    instances="*",
    counting="*",
    cluster="workers",
    output="out_dir format overwrite",
)
def count(
    loaded: Loaded,
    messages: Messages,
    inputs: options.OptionalInputs = None,
    labels: options.Labels = None,
    shard: options.ShardText = None,
) -> ExitCode:
    """Print one row for each plane; with -o also write counts.csv and beads.csv, and tables of groups.

    Example: beadctl count images --format csv > counts.csv
    """
    from beadctl.cli import arguments, workers
    from beadctl.results.count_report import CountReport
    from beadctl.results.outputs import Outputs
    from beadctl.results.process import process

    settings, output = loaded.settings, loaded.settings.output
    images = arguments.counted_images(settings, inputs, labels, messages)
    part = arguments.part(images, shard, output.out_dir, messages)
    report = CountReport(arguments.statistics(settings, images, messages, part), output.format)
    outputs = Outputs(output.out_dir, (), output.overwrite)
    found = arguments.source(loaded, labels, messages)
    with (
        report.kept(),
        arguments.stored(outputs, part, messages) as outputs,
        workers.with_workers(found, part or images, settings, outputs, messages) as source,
    ):
        tally = process(
            inputs or labels or (),
            part or images,
            source,
            outputs,
            settings=arguments.plain(settings),
            messages=messages,
            on_result=report.take,
            write_more=lambda: report.write(outputs.folder),
        )
    lacking = report.end(messages)
    return ExitCode.of(failed=lacking or tally.failed)
