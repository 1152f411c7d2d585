"""The files of a run that shards and a merge must give too."""

import json
from pathlib import Path

from beadctl.results import ledger, shards

# Of run.json: what differs between two runs that nobody disturbed, and how many shards there were.
OF_THE_RUN = ("start", "end", "shards")


def content(out):
    """Every file of a folder of results, without what only shards have."""
    files = {}
    for path in sorted(Path(out).rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_dir() or name.startswith(f"{ledger.FOLDER}/{shards.FOLDER}/"):
            continue
        data = path.read_bytes()
        if name == "run.json":
            data = {key: value for key, value in json.loads(data).items() if key not in OF_THE_RUN}
        files[name] = data
    return files
