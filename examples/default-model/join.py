"""Give a model file a joiner: join.py MODEL OUT FOLDER[=TIMES] ...

A folder has images/ and masks/, one plane each. The joiner is fitted to the neighbours that are met there,
those of a folder as often as stated.
"""

import dataclasses
import sys
from pathlib import Path

from beadctl.annotations.pairing import PairingRule
from beadctl.console import Messages
from beadctl.dataset.samples import find_samples
from beadctl.evaluation.joins import Joins, fitted_joiner
from beadctl.evaluation.scoring import predict
from beadctl.model.metadata import with_facts
from beadctl.model.session import Model
from beadctl.segmentation.options import SegmentOptions


def main(path: Path, out: Path, folders: list[str]) -> None:
    """Write the model file `out`."""
    model, messages = Model(path, "cpu"), Messages()
    # Whichever joiner it has: a new one is fitted at the scales that the rule of the peaks chooses.
    options = SegmentOptions.of(dataclasses.replace(model.facts, joiner=None))
    met = []
    for folder in folders:
        name, _, times = folder.partition("=")
        samples = find_samples(Path(name, "images"), Path(name, "masks"), PairingRule(), messages)
        with messages.progress(len(samples), f"neighbours in {name}") as advance:
            for seed, sample in enumerate(samples):
                prediction = predict(sample, model, options)
                one = Joins.of(prediction.predicted, prediction.truth, options, seed)
                met += [one] * int(times or 1)
                advance()
    parts = sum(int(one.is_one.sum()) for one in met)
    print(f"{sum(len(one.is_one) for one in met)} neighbours, {parts} of them one bead")
    joiner = fitted_joiner(met)
    out.write_bytes(with_facts(path.read_bytes(), dataclasses.replace(model.facts, joiner=joiner)))


if __name__ == "__main__":
    model, out, *folders = sys.argv[1:]
    main(Path(model), Path(out), folders)
