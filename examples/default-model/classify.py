"""Give a model file a classifier of objects: classify.py MODEL IMAGES MASKS OUT.

It is fitted to the objects found in annotated images, one plane each.
"""

import dataclasses
import sys
from pathlib import Path

from beadctl.annotations.pairing import PairingRule
from beadctl.console import Messages
from beadctl.dataset.samples import find_samples
from beadctl.evaluation.objects import Objects, fitted
from beadctl.evaluation.scoring import predict
from beadctl.model.metadata import with_facts
from beadctl.model.session import Model
from beadctl.segmentation.options import SegmentOptions

# Least confidence of the objects that the classifier is fitted to; those of a lower one are rarely beads.
FITTED_CONFIDENCE = 0.48
# Probabilities below which an object is left out: chosen with the real images of the card in view.
LEAST, LEAST_IN_PLANE = 0.2, 0.05


def main(path: Path, images: Path, masks: Path, out: Path) -> None:
    """Write the model file `out`."""
    model = Model(path, "cpu")
    facts = dataclasses.replace(model.facts, classifier=None, bands=())
    options = dataclasses.replace(SegmentOptions.of(facts), min_confidence=FITTED_CONFIDENCE)
    messages = Messages()
    found = []
    samples = find_samples(images, masks, PairingRule(), messages)
    with messages.progress(len(samples), "measuring objects") as advance:
        for sample in samples:
            found.append(Objects.of(predict(sample, model, options), options))
            advance()
    classifier = fitted(found)
    if classifier:
        classifier = dataclasses.replace(classifier, least=LEAST, least_in_plane=LEAST_IN_PLANE)
    beads = sum(int(one.is_bead.sum()) for one in found)
    print(f"{sum(len(one.is_bead) for one in found)} objects, {beads} of them beads")
    out.write_bytes(with_facts(path.read_bytes(), dataclasses.replace(facts, classifier=classifier)))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
