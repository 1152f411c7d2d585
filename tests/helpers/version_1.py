"""Files of runs as version 0.1 wrote them, where the marker map was called seed map."""

import json

import torch

from helpers import version_2


def checkpoint(path):
    """Rewrite a checkpoint with the names of its version 1, and return its content."""
    content = version_2.checkpoint(path)
    content["version"] = 1
    content["settings"] = _renamed(content["settings"])
    content["history"] = [
        _renamed(record) | {"weights": _renamed(record["weights"])} for record in content["history"]
    ]
    content["weighting"] = {
        "share" if name == "start" else name: value for name, value in content["weighting"].items()
    }
    torch.save(content, path)
    return content


def facts(path):
    """Rewrite the plan in a ``run.json`` with its former names, and return it."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content["plan"] = _renamed(content["plan"])
    path.write_text(json.dumps(content), encoding="utf-8")
    return content["plan"]


def _renamed(numbers):
    return {name.replace("marker", "seed"): value for name, value in numbers.items()}
