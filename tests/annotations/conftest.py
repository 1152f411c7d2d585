"""Label images for the tests of annotations, and images of beads."""

import pytest
from helpers import annotating
from helpers.annotating import pile, scene
from helpers.images import discs
from helpers.pairing import save


@pytest.fixture(scope="session")
def scenes():
    """Label images of beads that touch, overlap and are partly hidden: simulated scenes and piles."""
    piles = [pile(seed) for seed in range(3)]
    beads = [mask for labels in piles for _, mask in annotating.beads(labels)]
    assert sum(len(list(annotating.pieces(mask))) > 1 for mask in beads) > 3
    assert sum(len(annotating.borders(mask)) > len(list(annotating.pieces(mask))) for mask in beads) > 3
    return [scene(seed) for seed in (113, 78, 100, 87, 15, 81, 139)] + piles


@pytest.fixture
def pictures(tmp_path):
    """Three images with different numbers of beads; returns their label images."""
    truths = {f"{name}.tif": discs(count) for name, count in (("a", 2), ("b", 3), ("c", 4))}
    for name, (image, _) in truths.items():
        save(tmp_path / "images" / name, image)
    return {name: labels for name, (_, labels) in truths.items()}
