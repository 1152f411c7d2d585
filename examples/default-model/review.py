"""Give a model file a reviewer of counts: review.py MODEL OUT FOLDER ...

A folder has images/ and masks/, one plane each. The reviewer is fitted to the planes, by whether the model
counts them wrongly.
"""

import dataclasses
import sys
from pathlib import Path

from beadctl.annotations.pairing import PairingRule
from beadctl.console import Messages
from beadctl.dataset.samples import find_samples
from beadctl.evaluation.reviews import Reviewed, fitted_reviewer
from beadctl.evaluation.scoring import predict
from beadctl.model.metadata import with_facts
from beadctl.model.session import Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import label_plane


def main(path: Path, out: Path, folders: list[Path]) -> None:
    """Write the model file `out`."""
    model, messages = Model(path, "cpu"), Messages()
    options = SegmentOptions.of(model.facts)
    planes = []
    for folder in folders:
        samples = find_samples(folder / "images", folder / "masks", PairingRule(), messages)
        with messages.progress(len(samples), f"counts in {folder}") as advance:
            for sample in samples:
                prediction = predict(sample, model, options)
                found = label_plane(prediction.predicted, prediction.image, options, prediction.pixel_size_um)
                planes.append(Reviewed.of(found, prediction.truth))
                advance()
    print(f"{len(planes)} planes, {sum(one.is_wrong for one in planes)} of them counted wrongly")
    facts = dataclasses.replace(model.facts, reviewer=fitted_reviewer(planes))
    out.write_bytes(with_facts(path.read_bytes(), facts))


if __name__ == "__main__":
    model, out, *folders = sys.argv[1:]
    main(Path(model), Path(out), [Path(folder) for folder in folders])
