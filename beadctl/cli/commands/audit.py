"""``beadctl audit``: whether masks fit their images."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.errors import ExitCode


@options.command(
    out_dir="no files",
    data="annotations pair centre_diameter axes channel plane series",
    inference="model device threads",
    cluster="workers",
    output="out_dir format overwrite",
)
def audit(
    loaded: Loaded,
    messages: Messages,
    images: Annotated[
        Path, typer.Argument(help="Folder of images, or of tiles as `beadctl tile` writes them.")
    ],
    masks: Annotated[
        Path | None, typer.Argument(help="Folder of their annotations, or a file; left out for tiles.")
    ] = None,
    find: Annotated[
        bool,
        typer.Option(
            help=options.with_default("Compare masks with what the model finds, too; slower", "find"),
            show_default=False,
            rich_help_panel=options.MODEL,
        ),
    ] = True,
    fix: Annotated[
        Path | None,
        typer.Option(
            help="Write the pairs that are right, or safe to correct, to this folder",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    shard: options.ShardText = None,
) -> ExitCode:
    """Check that masks belong to their images and lie on the beads; exit 1 if any is bad.

    Prints the doubtful pairs; with -o also writes audit.csv, one row a pair, and audit.html with pictures.

    Example: beadctl audit images masks -o audited
    """
    from beadctl.audit import fixing
    from beadctl.audit.run import compared
    from beadctl.cli import arguments, auditing
    from beadctl.cli.settings import require_folder
    from beadctl.files import require_free

    require_folder(fix, "--fix")
    settings, out_dir = loaded.settings, loaded.settings.output.out_dir
    samples = auditing.samples(settings, images, masks, messages)
    part = auditing.part(samples, shard, out_dir, fix, messages)
    if fix:
        fixing.require_fixable(samples, fix)
    out = require_free(out_dir, ("audit.csv", "audit.html"), overwrite=settings.output.overwrite)
    reading = arguments.read_options(settings)
    own = [samples[place] for place in part.places] if part else samples
    checked, session = auditing.checked(own, settings, messages, find=find)
    if part and out:
        return auditing.keep(out, part, checked, settings, images, masks, session)
    audited = compared(samples, checked, reading)
    code = auditing.tell(audited, out, reading, settings.output.format, messages)
    if fix:
        messages.info(fixing.summary(fixing.fix(audited, fix, reading)))
    return code
