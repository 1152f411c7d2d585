"""Which images of a run an earlier one has not done: for so many, processes are started."""

from collections.abc import Sequence

from beadctl.errors import OutputError
from beadctl.images import Found
from beadctl.results import ledger
from beadctl.results.outputs import Outputs


def remaining(found: Sequence[Found], outputs: Outputs) -> tuple[Found, ...]:
    """Return the images that may have to be worked on; no content is read.

    Parameters
    ----------
    found, outputs : sequence of Found, and Outputs
        The images of a run, and where their results go.
    """
    if outputs.folder is None or outputs.overwrite or not (outputs.folder / ledger.FOLDER).exists():
        return tuple(found)
    return tuple(item for item in found if not _seems_done(item, outputs))


def _seems_done(item: Found, outputs: Outputs) -> bool:
    """Return whether a run would take an earlier result of an image, or refuse to replace it."""
    assert outputs.folder is not None
    try:
        entry = ledger.read(outputs.folder, item.name)
    except OutputError:
        # The run ends with this error.
        return False
    if entry is None or entry.result.failed:
        return False
    if paths := outputs.all_paths(item.name, len(entry.result.rows)):
        return all(map(outputs.exists, paths))
    try:
        # Where nothing is to be replaced, an image that has changed is done anew.
        return item.path.stat().st_mtime_ns <= ledger.path_of(outputs.folder, item.name).stat().st_mtime_ns
    except OSError:
        return True
