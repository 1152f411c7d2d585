"""``beadctl segment``: label images, overlays and tables of a folder of images."""

from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.errors import ExitCode


@options.command(
    log=True,
    out_dir="segmented",
    stores=True,
    data="include exclude recursive axes channel plane series pixel_size region region_exclude "
    "counting_frame project",
    inference="*",
    instances="*",
    cluster="workers",
    output="out_dir save overwrite report",
)
def segment(
    loaded: Loaded,
    messages: Messages,
    inputs: options.Inputs,
    dry_run: options.DryRun = False,
    shard: options.ShardText = None,
    watch: options.Watch = False,
) -> ExitCode:
    """Write masks, overlays, beads.csv and counts.csv of every image; --save names other files.

    Example: beadctl segment images -o results --save masks
    """
    from beadctl.cli import arguments, forecasting, watching, workers
    from beadctl.report import page
    from beadctl.results.outputs import DEFAULT_FOLDER, Outputs
    from beadctl.results.planes_table import PlanesTable
    from beadctl.results.process import process
    from beadctl.url import shown

    settings = loaded.settings
    output = settings.output
    folder = output.out_dir or DEFAULT_FOLDER
    outputs = Outputs(folder, output.save, output.overwrite)
    if watch:
        others = {"shard": shard, "dry_run": dry_run, "cluster": settings.cluster.workers}
        tally = watching.watch(settings, inputs, outputs, messages, **others)
        PlanesTable.of(tally).tell(f"Beads in {shown(folder)}", messages)
        return ExitCode.of(failed=tally.failed)
    images = arguments.images(settings, inputs, messages)
    part = arguments.part(images, shard, outputs.folder, messages)
    if dry_run:
        return forecasting.print_forecast(settings, part.found if part else images, outputs, messages)
    reported = arguments.reported(settings, part, messages)
    network = arguments.by_network(settings, messages)
    with arguments.stored(outputs, part, messages) as outputs:
        with workers.with_workers(network, part or images, settings, outputs, messages) as source:
            plain = arguments.plain(settings)
            tally = process(inputs, part or images, source, outputs, settings=plain, messages=messages)
        if reported and outputs.folder:
            messages.notes(page.write(outputs.folder, messages, stored=outputs.stored).notes())
        PlanesTable.of(tally).tell(f"Beads in {shown(folder)}", messages)
    return ExitCode.of(failed=tally.failed)
