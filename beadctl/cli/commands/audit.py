"""``beadctl audit``: whether masks fit their images."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl import console
from beadctl.cli import options
from beadctl.cli.settings import Loaded
from beadctl.console import Messages
from beadctl.errors import ExitCode


@options.command(
    data="annotations pair centre_diameter axes channel plane series",
    inference="model device threads",
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
        bool, typer.Option(help="Compare masks with the beads that the model finds, too; slower.")
    ] = True,
    fix: Annotated[
        Path | None,
        typer.Option(help="Write the pairs that are right, or safe to correct, to this folder."),
    ] = None,
) -> ExitCode:
    """Check that masks belong to their images and lie on the beads; exit 1 if any is bad.

    Prints the doubtful pairs; with -o also writes audit.csv, one row a pair, and audit.html with pictures.

    Example: beadctl audit images masks -o audited
    """
    from beadctl.audit import fixing, page, table
    from beadctl.audit.detector import bead_detector
    from beadctl.audit.run import audit as audit_samples
    from beadctl.cli import arguments
    from beadctl.dataset.samples import find_samples
    from beadctl.files import require_free

    settings = loaded.settings
    output, data = settings.output, settings.data
    samples = find_samples(images, masks, data.annotations, data.centre_diameter, data.pair, messages)
    out = require_free(output.out_dir, ("audit.csv", "audit.html"), output.overwrite)
    reading, detector = arguments.read_options(settings), None
    if find:
        session = arguments.session(settings, messages)
        detector = bead_detector(session, arguments.segment_options(settings, session.facts))
    with messages.progress(len(samples), "auditing") as advance:
        audited = audit_samples(samples, reading=reading, detector=detector, on_pair=advance)
    if out:
        table.write(out / "audit.csv", audited)
        page.write(out / "audit.html", audited, reading)
    fixed = fixing.fix(audited, fix, reading) if fix else None
    console.print_rows(output.format, ("image", "verdict", "worst_finding"), table.console_rows(audited))
    messages.info(table.summary(audited))
    if fixed:
        messages.info(fixing.summary(fixed))
    return ExitCode.of(failed=table.any_bad(audited))
