"""Which tiles the report of a comparison shows."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

from beadctl.study import gallery
from beadctl.study.outcome import Arm, Outcome, TileScore
from beadctl.training.measured import Answer

RUN = Outcome(Arm("dice", "fixed", 1e-3, 8, 0.0), 0, "dice-0", "test", 0.5)


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """Return a function that draws a run with the given tiles, and gives the captions."""

    def draw(*tiles: TileScore) -> list[str]:
        def answers(source, folder, split, device):
            for tile in tiles:
                labels = np.zeros((16, 16), np.uint32)
                labels[4:8, 4:8] = tile.true > 0
                yield Answer(tile.image, labels.astype(np.float32), labels, labels, None)

        monkeypatch.setattr(gallery, "answers", answers)
        pictures = gallery.pictures([replace(RUN, tiles=tiles)], tmp_path, None)
        for picture in pictures:
            assert Image.open(io.BytesIO(picture.png)).size == (36, 16)
        return [picture.caption for picture in pictures]

    return draw


def test_the_best_tile_has_beads(shown):
    """An empty tile in which nothing was found has a Jaccard of 1, or none, and shows nothing."""
    empty = (TileScore("nan.tif", math.nan, 0, 0), TileScore("one.tif", 1.0, 0, 0))
    good, bad = TileScore("good.tif", 0.8, 5, 5), TileScore("bad.tif", 0.3, 4, 2)
    for tiles in ((*empty, bad, good), (good, bad, *empty), (bad, *empty, good)):
        captions = shown(*tiles)
        assert len(captions) == 2
        assert any("best test tile, good.tif" in caption and "(5 beads)" in caption for caption in captions)
        assert any("worst test tile, bad.tif" in caption for caption in captions)


def test_of_equal_tiles_those_with_more_beads_are_shown(shown):
    tiles = [
        TileScore(f"{true}.tif", jaccard, true, 1) for true, jaccard in ((1, 0.9), (9, 0.9), (0, 0), (7, 0))
    ]
    captions = " ".join(shown(*tiles))
    assert "best test tile, 9.tif" in captions
    assert "worst test tile, 7.tif" in captions


def test_tiles_without_any_bead_have_no_best(shown):
    assert shown(TileScore("a.tif", math.nan, 0, 0)) == []
    (caption,) = shown(TileScore("a.tif", math.nan, 0, 0), TileScore("b.tif", 0.0, 0, 3))
    assert "worst test tile, b.tif" in caption


def test_an_empty_tile_that_is_right_is_not_the_worst(shown):
    empty = TileScore("a.tif", 1.0, 0, 0)
    assert shown(empty) == []
    (caption,) = shown(TileScore("b.tif", 0.9, 5, 5), empty)
    assert "best test tile, b.tif" in caption


def test_a_single_tile_is_shown_once(shown):
    (caption,) = shown(TileScore("a.tif", 0.5, 2, 2))
    assert "best test tile, a.tif" in caption
