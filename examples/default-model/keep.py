"""Give a model file the thresholds, joiner and classifier of another one: keep.py MODEL OTHER OUT."""

import dataclasses
import sys
from pathlib import Path

from beadctl.model.metadata import with_facts
from beadctl.model.session import Model

THRESHOLDS = ("threshold", "marker_threshold", "marker_rise", "min_area_px", "min_confidence")
KEPT = (*THRESHOLDS, "joiner", "classifier")


def main(path: Path, other: Path, out: Path) -> None:
    """Write the model file `out`."""
    kept = Model(other, "cpu").facts
    facts = dataclasses.replace(Model(path, "cpu").facts, **{name: getattr(kept, name) for name in KEPT})
    out.write_bytes(with_facts(path.read_bytes(), facts))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
