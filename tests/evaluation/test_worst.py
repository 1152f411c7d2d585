"""Pictures of the worst places: which are chosen, and what is red in them."""

import io

import numpy as np
import pytest
from PIL import Image

from beadctl.evaluation import worst
from beadctl.evaluation.comparison import Answered
from beadctl.evaluation.worst import MOST, PANEL_PX, PLACE_PX, WorstPlaces
from beadctl.results.formats.overlays import OUTLINES

RED, GREEN = OUTLINES[0], OUTLINES[1]


def field(centres, size, radius=6):
    rows, columns = np.indices((size, size))
    labels = np.zeros((size, size), np.uint32)
    for label, (y, x) in enumerate(centres, start=1):
        labels[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = label
    return labels


def answered(true, found, size, name="a.tif"):
    truth = field(true, size)
    image = (60 * (truth > 0)).astype(np.uint8)
    return Answered(name, image, truth, np.zeros_like(truth), field(found, size))


def panels(place):
    pixels = np.asarray(Image.open(io.BytesIO(place.picture().png)).convert("RGB"))
    return [pixels[:, start : start + PANEL_PX] for start in range(0, 3 * PANEL_PX, PANEL_PX + worst.GAP_PX)]


def has(pixels, colour):
    return bool((pixels == np.array(colour)).all(axis=-1).any())


def test_a_right_answer_has_no_place():
    places = WorstPlaces("mine")
    places.add(answered([(20, 20), (60, 60)], [(60, 60), (20, 20)], 100))
    assert places.places == []


def test_missed_and_false_beads_are_red_and_matched_ones_green():
    places = WorstPlaces("mine")
    places.add(answered([(20, 20), (60, 60)], [(60, 60), (20, 80)], 100))
    (place,) = places.places
    assert place.mistakes == 2
    assert place.caption == (
        "a.tif, row 0, column 0: 2 beads annotated; default model: 2 missed, 0 false; mine: 1 missed, 1 false"
    )
    annotation, default, mine = panels(place)
    assert has(annotation, RED)
    assert has(annotation, GREEN)
    assert not has(default, RED)
    assert not has(default, GREEN)
    assert has(mine, RED)
    assert has(mine, GREEN)


def test_the_place_is_where_most_mistakes_are():
    """Three missed beads in a corner of a large image, one in another, and right ones elsewhere."""
    corner, other = [(700, 900), (760, 940), (800, 860)], [(50, 60)]
    right = [(y, x) for y in range(300, 600, 60) for x in range(100, 600, 60)]
    places = WorstPlaces("mine")
    places.add(answered([*corner, *other, *right], right, 1000))
    assert [place.mistakes for place in places.places] == [3, 1]
    top, left = (int(part.split()[1]) for part in places.places[0].caption.split(":")[0].split(",")[1:])
    for y, x in corner:
        assert top <= y < top + PLACE_PX
        assert left <= x < left + PLACE_PX


def test_the_worst_of_many_images_are_kept():
    places = WorstPlaces("mine")
    beads = [(12 + 20 * row, 12 + 20 * column) for row in range(4) for column in range(4)]
    for missed in (1, 9, 3, 7, 5, 2, 8, 4, 6):
        places.add(answered(beads, beads[missed:], 100, f"{missed}.tif"))
    assert [place.mistakes for place in places.places] == [9, 8, 7, 6, 5, 4]
    assert len(places.places) == MOST


@pytest.mark.parametrize("missed", [0, 1])
def test_the_file_holds_all_places(tmp_path, missed):
    places = WorstPlaces("mine")
    for name in ("a.tif", f"{'long' * 60}.tif"):
        places.add(answered([(20, 20), (60, 60)], [(20, 20), (60, 60)][missed:], 100, name))
    worst.write(tmp_path / "worst.png", places.places)
    with Image.open(tmp_path / "worst.png") as picture:
        assert picture.height >= sum(place.pixels.shape[0] for place in places.places)
        assert has(np.asarray(picture.convert("RGB")), RED) == bool(missed)
