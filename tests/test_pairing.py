"""Images and annotations, paired by name: nothing guessed, nothing dropped in silence."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from beadctl.annotations.pairing import SUFFIXES, pair
from beadctl.errors import AnnotationError, ImageError


@pytest.fixture
def folders(tmp_path):
    def make(images, masks):
        for folder, names in (("images", images), ("masks", masks)):
            for name in names:
                path = tmp_path / folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
        return tmp_path / "images", tmp_path / "masks"

    return make


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_masks_are_found_by_their_stem(folders, suffix):
    images, masks = folders(["a.tif", "b.tif"], [f"b{suffix}.png", "other.png"])
    pairing = pair(images, masks)
    assert [(p.image.path.name, p.truth.name) for p in pairing.pairs] == [("b.tif", f"b{suffix}.png")]
    assert [path.name for path in pairing.images_alone] == ["a.tif"]
    assert [path.name for path in pairing.masks_alone] == ["other.png"]


def test_a_stem_is_a_whole_name(folders):
    images, masks = folders(["a1.png", "a10.png"], ["a10.png", "a1.png"])
    assert [(p.image.path.name, p.truth.name) for p in pair(images, masks).pairs] == [
        ("a1.png", "a1.png"),
        ("a10.png", "a10.png"),
    ]


def test_equal_stems_are_told_apart_by_their_place(folders):
    images, masks = folders(["x/a.png", "y/a.png"], ["x/a.png", "y/a_mask.png"])
    assert [(p.image.path.parent.name, p.truth.parent.name) for p in pair(images, masks).pairs] == [
        ("x", "x"),
        ("y", "y"),
    ]


def test_an_ambiguous_mask_is_not_guessed(folders):
    images, masks = folders(["a.png", "b.png"], ["x/a.png", "y/a.png", "b.png"])
    pairing = pair(images, masks)
    assert [p.image.path.name for p in pairing.pairs] == ["b.png"]
    assert [path.name for path in pairing.images_alone] == ["a.png"]


def test_masks_below_the_images_are_no_images(tmp_path):
    (tmp_path / "masks").mkdir()
    for name in ("a.tif", "masks/a.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((4, 4), np.uint8))
    pairing = pair(tmp_path, tmp_path / "masks")
    assert [str(p.image.name) for p in pairing.pairs] == ["a.tif"]
    assert pairing.images_alone == ()


def test_ome_names(folders):
    images, masks = folders(["a.ome.tif"], ["a_masks.ome.tif"])
    assert len(pair(images, masks).pairs) == 1


def test_nothing_that_matches_is_one_line(folders, tmp_path):
    images, masks = folders(["a.tif"], ["b.tif"])
    with pytest.raises(AnnotationError, match=r"a_masks\.tif"):
        pair(images, masks)
    with pytest.raises(ImageError, match="nowhere"):
        pair(images, tmp_path / "nowhere")


def test_only_the_listed(folders, tmp_path):
    images, masks = folders(["x/a.png", "b.png", "c.png"], ["x/a.png", "b.png", "c.png"])
    pairing = pair(images, masks)
    names = tmp_path / "names.txt"
    names.write_text("x/a.png\n\n  c.png \n")
    assert [str(p.image.name) for p in pairing.only(names).pairs] == ["c.png", "x/a.png"]
    assert pairing.only(None) is pairing
    names.write_text("d.png\n")
    with pytest.raises(AnnotationError, match=r"d\.png"):
        pairing.only(names)
    with pytest.raises(AnnotationError, match="absent"):
        pairing.only(tmp_path / "absent")
