"""``beadctl audit``: whether masks fit their images."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl import console
from beadctl.cli import options, settings
from beadctl.errors import ExitCode


def audit(
    context: typer.Context,
    images: Annotated[
        Path, typer.Argument(help="Folder of images, or of tiles as `beadctl tile` writes them.")
    ],
    masks: Annotated[
        Path | None, typer.Argument(help="Folder of their annotations, or a file; left out for tiles.")
    ] = None,
    annotations: options.Annotations = None,
    centre_diameter: options.CentreDiameter = None,
    fix: Annotated[
        Path | None,
        typer.Option(help="Write the pairs that are right, or safe to correct, to this folder."),
    ] = None,
    find: Annotated[
        bool, typer.Option(help="Hold masks against the beads that the model finds, too; slower.")
    ] = True,
    model: options.ModelFile = None,
    threads: options.Threads = None,
    axes: options.Axes = None,
    channel: options.Channel = None,
    plane: options.PlaneNumber = None,
    out_dir: options.OutDir = None,
    overwrite: options.Overwrite = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Check that masks belong to their images and lie on the beads; exit 1 if any is bad.

    With -o also write audit.csv, one row a pair, and audit.html, pictures of the doubtful ones.
    """
    loaded = settings.load(config, options.given(context.params)).settings
    from beadctl.audit import fixing, page, table
    from beadctl.audit.finder import finder
    from beadctl.audit.run import audit_with_progress
    from beadctl.audit.samples import samples
    from beadctl.cli import arguments
    from beadctl.files import require_free
    from beadctl.model.session import open_model

    messages, data, run = console.Messages.of(quiet, verbose), loaded.data, loaded.inference
    chosen = samples(images, masks, data.annotations, data.centre_diameter, messages.warn)
    out = require_free(loaded.output.out_dir, ("audit.csv", "audit.html"), loaded.output.overwrite)
    reading, found_by = arguments.read_options(loaded), None
    if find:
        opened = open_model(run.model, run.device, run.threads, messages)
        found_by = finder(opened, arguments.segment_options(loaded, opened.facts))
    audited = audit_with_progress(chosen, reading, found_by, messages)
    console.print_table("", ("image", "verdict", "worst finding"), table.shown(audited), to_stdout=True)
    messages.info(table.counted(audited))
    if out:
        table.write(out / "audit.csv", audited)
        page.write(out / "audit.html", audited, reading)
    if fix:
        messages.info(fixing.told(fixing.fix(audited, fix, reading)))
    return ExitCode.of(failed=table.any_bad(audited))
