"""``beadctl merge``: the shards of a run as one."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.errors import ExitCode


@options.command(log=True)
def merge(
    loaded: Loaded,
    messages: Messages,
    out: Annotated[Path, typer.Argument(help="Folder of results of segment, count or audit with --shard.")],
) -> ExitCode:
    """Write the tables of a run whose shards have all ended, as those of a run that was not divided.

    Those of an audit are printed, too.

    Example: beadctl merge results
    """
    from beadctl.audit.shards import are_in
    from beadctl.cli import arguments, auditing
    from beadctl.report import page
    from beadctl.results.count_report import CountReport
    from beadctl.results.merge import Shards
    from beadctl.results.merge import merge as merge_shards
    from beadctl.results.planes_table import PlanesTable
    from beadctl.results.shards import folders
    from beadctl.results.stored import opened
    from beadctl.url import shown

    with opened(out, messages) as (folder, stored):
        audited = auditing.merge(folder, messages) if are_in(folder) else ExitCode.DONE
        if are_in(folder) and not folders(folder):
            return audited
        shards = Shards.of(folder)
        report = CountReport(arguments.merged_statistics(shards, messages))
        tally = merge_shards(shards, messages, report.take, lambda: report.write(folder), stored)
        if shards.settings["output"]["report"]:
            messages.notes(page.write(folder, messages, stored=stored).notes())
        PlanesTable.of(tally).tell(f"Beads in {shown(out)}", messages)
    lacking = report.end(messages)
    return max(audited, ExitCode.of(failed=lacking or tally.failed))
