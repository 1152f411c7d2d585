"""Label images for the tests of annotations."""

import pytest
from helpers import annotating
from helpers.annotating import pile, scene


@pytest.fixture(scope="session")
def scenes():
    """Label images of beads that touch, overlap and are partly hidden: simulated scenes and piles."""
    piles = [pile(seed) for seed in range(3)]
    beads = [mask for labels in piles for _, mask in annotating.beads(labels)]
    assert sum(len(list(annotating.pieces(mask))) > 1 for mask in beads) > 3
    assert sum(len(annotating.borders(mask)) > len(list(annotating.pieces(mask))) for mask in beads) > 3
    return [scene(seed) for seed in (113, 78, 100, 87, 15, 81, 139)] + piles
