"""``beadctl audit``: whether masks fit their images."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl import console, options, settings


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
    from beadctl.audit.survey import survey
    from beadctl.commands import auditing, running

    voice = console.voice(quiet, verbose)
    subjects = auditing.subjects(images, masks, loaded, voice)
    out = running.free_folder(loaded.output.out_dir, ("audit.csv", "audit.html"), loaded.output.overwrite)
    finder = auditing.finder(loaded, voice) if find else None
    reading = auditing.reading(loaded)
    with voice.progress(len(subjects), "auditing") as progress:
        audited = survey(
            subjects,
            reading=reading,
            find=finder,
            on_pair=lambda _: progress.advance(progress.task_ids[0]),
        )
    console.print_table("", ("image", "verdict", "worst finding"), table.shown(audited), to_stdout=True)
    voice.say(table.counted(audited))
    if out:
        table.write(out / "audit.csv", audited)
        page.write(out / "audit.html", audited, reading)
    if fix:
        voice.say(fixing.told(fixing.fix(audited, fix, reading)))
    return 1 if any(one.verdict.value == "bad" for one in audited) else 0
