"""What results at an address of a store hold, and the lock of another job there."""

import csv
import json
import os
from pathlib import Path

OUT = "memory://bucket/run"


def objects(memory, top="/bucket/run/"):
    """Return the content of all objects below a place of the store by their names."""
    return {name.removeprefix(top): memory.cat_file(name) for name in memory.find(top)}


def content(files):
    """What results hold, with what says when and where a run was done left aside."""
    found = {}
    for name, data in files.items():
        if name == "run.json":
            record = json.loads(data)
            own = {"output": record["settings"]["output"] | {"out_dir": ""}}
            left_out = ("start", "end", "files")
            data = {key: value for key, value in record.items() if key not in left_out}
            data["settings"] = record["settings"] | own
        elif name == "settings.toml":
            data = [line for line in data.splitlines() if b"out_dir" not in line]
        elif name == "counts.csv":
            rows = csv.DictReader(data.decode().splitlines())
            data = [row | {"status": row["status"].replace("skipped", "ok"), "reason": ""} for row in rows]
        found[name] = data
    return found


def in_folder(out):
    """Return the content of all files below a folder by their place."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes() for path in Path(out).rglob("*") if path.is_file()
    }


def holder(**facts):
    """Return the content of a lock that another computer holds."""
    known = {"token": "t", "number": 0, "pid": os.getpid(), "host": "other", "machine": "?", "since": "12:00"}
    return json.dumps(known | facts).encode()
