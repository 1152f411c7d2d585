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
    find: Annotated[
        bool, typer.Option(help="Compare masks with the beads that the model finds, too; slower.")
    ] = True,
    fix: Annotated[
        Path | None,
        typer.Option(help="Write the pairs that are right, or safe to correct, to this folder."),
    ] = None,
    annotations: options.Annotations = None,
    centre_diameter: options.CentreDiameter = None,
    axes: options.Axes = None,
    channel: options.Channel = None,
    plane: options.PlaneNumber = None,
    model: options.ModelFile = None,
    device: options.Device = None,
    threads: options.Threads = None,
    out_dir: options.OutDir = None,
    format: options.TableForm = None,  # noqa: A002  the flag is --format
    overwrite: options.Overwrite = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Check that masks belong to their images and lie on the beads; exit 1 if any is bad.

    Prints the doubtful pairs; with -o also writes audit.csv, one row a pair, and audit.html with pictures.

    Example: beadctl audit images masks -o audited
    """
    loaded = settings.load(config, options.given(context.params)).settings
    from beadctl.audit import fixing, page, table
    from beadctl.audit.detector import bead_detector
    from beadctl.audit.run import audit as audit_samples
    from beadctl.audit.samples import find_samples
    from beadctl.cli import arguments
    from beadctl.files import require_free

    messages, output, data = console.Messages.of(quiet, verbose), loaded.output, loaded.data
    samples = find_samples(images, masks, data.annotations, data.centre_diameter, messages.warn)
    out = require_free(output.out_dir, ("audit.csv", "audit.html"), output.overwrite)
    reading, detector = arguments.read_options(loaded), None
    if find:
        session = arguments.session(loaded, messages)
        detector = bead_detector(session, arguments.segment_options(loaded, session.facts))
    with messages.progress(len(samples), "auditing") as advance:
        audited = audit_samples(samples, reading=reading, detector=detector, on_pair=advance)
    console.print_rows(output.format, ("image", "verdict", "worst_finding"), table.console_rows(audited))
    messages.info(table.summary(audited))
    if out:
        table.write(out / "audit.csv", audited)
        page.write(out / "audit.html", audited, reading)
    if fix:
        messages.info(fixing.summary(fixing.fix(audited, fix, reading)))
    return ExitCode.of(failed=table.any_bad(audited))
