"""Settings as the plain arguments of a run that watches a folder."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from beadctl.cli import arguments
from beadctl.cli.settings import Settings
from beadctl.console import Messages
from beadctl.errors import SettingsError
from beadctl.images import Selection
from beadctl.results.arrivals import Folder
from beadctl.results.outputs import Outputs
from beadctl.results.tally import Tally
from beadctl.url import Url


def watch(
    settings: Settings, inputs: Sequence[Path], outputs: Outputs, messages: Messages, **others: object
) -> Tally:
    """Segment the images of a folder as they arrive, and return what was done.

    Parameters
    ----------
    settings, inputs, outputs, messages : Settings, sequence of Path, Outputs and Messages
        As for a run; the only input is a folder.
    **others : object
        Options, by their names, that do not go with watching.
    """
    from beadctl.report import page
    from beadctl.report.kept import Kept
    from beadctl.results.watch import watch as watch_folder

    if given := [name for name, value in others.items() if value]:
        raise SettingsError(f"--watch: does not go with --{given[0].replace('_', '-')}; leave one out")
    if len(inputs) == 1 and not inputs[0].exists():
        raise SettingsError(f"--watch: {inputs[0]}: no such folder; make it, or check the path")
    if len(inputs) != 1 or not inputs[0].is_dir():
        raise SettingsError("--watch: give one folder, the one into which the images are written")
    assert outputs.folder is not None
    if url := Url.of(outputs.folder):
        raise SettingsError(f"--watch: writes to a folder; give one instead of {url.shown}")
    data, out, quiet = settings.data, outputs.folder, Messages(-1)
    reported = arguments.reported(settings, None, messages)
    folder = Folder(
        inputs[0],
        [*arguments.regions(settings), out],
        Selection(data.include, data.exclude, data.recursive),
    )
    return watch_folder(
        folder,
        arguments.by_network(settings, messages),
        outputs,
        settings=arguments.plain(settings),
        messages=messages,
        write_report=partial(page.write, out, quiet, Kept()) if reported else None,
    )
