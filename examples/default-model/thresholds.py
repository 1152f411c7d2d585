"""Give a model file the thresholds of another one: thresholds.py MODEL OTHER OUT."""

import dataclasses
import sys
from pathlib import Path

from beadctl.model.metadata import with_facts
from beadctl.model.session import Model

NAMES = ("threshold", "marker_threshold", "marker_rise", "min_area_px", "min_confidence")


def main(path: Path, other: Path, out: Path) -> None:
    """Write the model file `out`."""
    numbers = Model(other, "cpu").facts
    facts = dataclasses.replace(Model(path, "cpu").facts, **{name: getattr(numbers, name) for name in NAMES})
    out.write_bytes(with_facts(path.read_bytes(), facts))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
