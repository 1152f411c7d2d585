"""Files of a run that are made of those of its images, such as one COCO file."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from beadctl.errors import OutputError
from beadctl.files import write_json
from beadctl.results import ledger
from beadctl.results.formats import Joinable, Output, format_of
from beadctl.results.ledger import Entry
from beadctl.results.written import Stamp, discard

# Below the mark of a folder of results: the files that runs have joined, with their stamps.
RECORD = "joined.json"


def write(folder: Path, images: Iterable[tuple[PurePosixPath, Entry]], save: Sequence[Output]) -> None:
    """Write the joined files of a run.

    What an earlier run joined is joined again, so that it agrees with the tables, or removed where no image
    has its part any more.

    Parameters
    ----------
    folder, images : Path and iterable of (PurePosixPath, Entry)
        Folder of the results; the images of the tables, and what the ledger has of them.
    save : sequence of Output
        Outputs of the run.

    Raises
    ------
    OutputError
        If the part of an image was changed, or a file cannot be written.
    """
    known = _known(folder)
    modules = [(output, module) for output in Output if isinstance(module := format_of(output), Joinable)]
    chosen = [(output, module) for output, module in modules if output in save or module.JOINED in known]
    if not chosen:
        return
    parts = {output: list[tuple[PurePosixPath, Path]]() for output, _ in chosen}
    for name, entry in images:
        for output, _ in chosen:
            (part,) = format_of(output).paths(name, len(entry.result.rows))
            stamp = (entry.written or {}).get(str(part))
            if stamp is None or not (folder / part).exists():
                continue
            if not stamp.fits(folder / part):
                remedy = "run its image again with --overwrite"
                raise OutputError(f"{folder / part}: is not as beadctl wrote it; {remedy}")
            parts[output].append((name, folder / part))
    for output, module in chosen:
        before = known.pop(module.JOINED, None)
        if parts[output] or output in save:
            module.join(folder / module.JOINED, parts[output])
            known[module.JOINED] = Stamp.of(folder / module.JOINED)
        elif before:
            discard(folder, {module.JOINED: before})
    write_json(folder / ledger.FOLDER / RECORD, {name: vars(stamp) for name, stamp in known.items()})


def _known(folder: Path) -> dict[str, Stamp]:
    """Return the files that earlier runs joined; none where the record is missing or damaged."""
    try:
        content = json.loads((folder / ledger.FOLDER / RECORD).read_text(encoding="utf-8"))
        return {name: Stamp(**stamp) for name, stamp in content.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
