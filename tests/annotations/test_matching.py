"""Images and annotations, matched by their names."""

import numpy as np
import pytest
import tifffile
from helpers.pairing import names, paired_names
from PIL import Image

from beadctl.annotations.matching import SUFFIXES
from beadctl.annotations.pairing import pair
from beadctl.errors import AnnotationError, ImageError, SettingsError


@pytest.fixture
def folders(tmp_path):
    def make(images, masks):
        for folder, places in (("images", images), ("masks", masks)):
            for name in places:
                path = tmp_path / folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
        return tmp_path / "images", tmp_path / "masks"

    return make


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_masks_are_found_by_their_stem(folders, suffix):
    images, masks = folders(["a.tif", "b.tif"], [f"b{suffix}.png", "other.png"])
    pairing = pair(images, masks)
    assert [(p.image.name, p.truth.name) for p in pairing.samples] == [("b.tif", f"b{suffix}.png")]
    assert [path.name for path in pairing.images_alone] == ["a.tif"]
    assert [path.name for path in pairing.masks_alone] == ["other.png"]


def test_stems_are_compared_whole(folders):
    images, masks = folders(["a1.png", "a10.png"], ["a10.png", "a1.png"])
    assert [(p.image.name, p.truth.name) for p in pair(images, masks).samples] == [
        ("a1.png", "a1.png"),
        ("a10.png", "a10.png"),
    ]


def test_equal_stems_are_matched_by_their_path(folders):
    images, masks = folders(["x/a.png", "y/a.png"], ["x/a.png", "y/a_mask.png"])
    assert [(p.image.parent.name, p.truth.parent.name) for p in pair(images, masks).samples] == [
        ("x", "x"),
        ("y", "y"),
    ]


def test_an_ambiguous_mask_is_not_guessed(folders):
    images, masks = folders(["a.png", "b.png"], ["x/a.png", "y/a.png", "b.png"])
    pairing = pair(images, masks)
    assert [p.image.name for p in pairing.samples] == ["b.png"]
    assert [path.name for path in pairing.images_alone] == ["a.png"]


def test_a_mask_is_not_given_to_each_image_of_its_name(folders):
    images, masks = folders(["x/a.png", "y/a.png", "z/b.png"], ["x/a.png", "b.png"])
    pairing = pair(images, masks)
    assert [sample.name for sample in pairing.samples] == ["x/a.png", "z/b.png"]
    assert pairing.images_alone == (images / "y/a.png",)
    lines = []
    pairing.report(lines.append)
    assert lines == [f"1 image without a mask: {images / 'y/a.png'}"]
    (masks / "x/a.png").rename(masks / "a.png")
    pairing = pair(images, masks)
    assert [sample.name for sample in pairing.samples] == ["z/b.png"]
    assert pairing.images_alone == (images / "x/a.png", images / "y/a.png")
    assert pairing.masks_alone == (masks / "a.png",)


def test_masks_below_the_images_are_no_images(tmp_path):
    (tmp_path / "masks").mkdir()
    for name in ("a.tif", "masks/a.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((4, 4), np.uint8))
    pairing = pair(tmp_path, tmp_path / "masks")
    assert [p.name for p in pairing.samples] == ["a.tif"]
    assert pairing.images_alone == ()


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("case_0000.tif", "case.png"),  # nnU-Net
        ("case_img.tif", "case_masks.png"),  # Cellpose
        ("case_img.tif", "case_cp_masks.png"),
        ("image_7.tif", "mask_7.png"),
        ("img_7.tif", "label_7.png"),
        ("7.tif", "mask_7.png"),
        ("image_7.tif", "image_7_masks.png"),
    ],
)
def test_names_by_the_conventions_of_other_programs_are_matched(folders, image, mask):
    images, masks = folders([f"x/{image}", "b.tif"], [f"y/{mask}", "b.png", "other.png"])
    pairing = pair(images, masks)
    assert paired_names(pairing) == [("b.tif", "b.png"), (image, mask)]
    assert names(pairing.masks_alone) == ["other.png"]
    if mask != "case.png":
        folders([f"x/{mask}"], [])
        assert (image, mask) in paired_names(pair(images, images))
        assert pair(images / f"x/{image}", masks / f"y/{mask}").samples


def test_a_mask_goes_to_the_image_of_its_own_name(folders):
    """Not to another channel, and not to both of two images with a part of its name."""
    images, masks = folders(
        ["a.tif", "a_0000.tif", "a_0001.tif", "b_0000.tif", "b_img.tif"], ["a.png", "b.png"]
    )
    pairing = pair(images, masks)
    assert paired_names(pairing) == [("a.tif", "a.png")]
    assert names(pairing.images_alone) == ["a_0000.tif", "a_0001.tif", "b_0000.tif", "b_img.tif"]
    assert names(pairing.masks_alone) == ["b.png"]


def test_names_are_paired_by_a_pattern(folders):
    images, masks = folders(["raw-3_x.tif", "raw-12_y.tif", "b.tif"], ["gt/t12.png", "gt/t3.png", "t4.png"])
    pairing = pair(images, masks, pattern=r"(\d+)[^/]*$")
    assert paired_names(pairing) == [("raw-3_x.tif", "t3.png"), ("raw-12_y.tif", "t12.png")]
    assert names(pairing.images_alone) == ["b.tif"]
    assert names(pairing.masks_alone) == ["t4.png"]


@pytest.mark.parametrize(
    ("pattern", "kind", "words"),
    [
        ("(", SettingsError, "not a regular expression"),
        ("a", SettingsError, "0 groups"),
        ("(a)(b)", SettingsError, "2 groups"),
        ("(tif|png)", AnnotationError, r"a2\.tif: .* finds 'tif', as in a1\.tif"),
        (r"(\d+\.tif)|z", AnnotationError, r"images give 1\.tif, 2\.tif, annotations none"),
    ],
)
def test_a_pattern_that_pairs_nothing_is_refused_with_what_it_finds(folders, pattern, kind, words):
    images, masks = folders(["a1.tif", "a2.tif"], ["b1.png", "b2.png"])
    with pytest.raises(kind, match=words) as caught:
        pair(images, masks, pattern=pattern)
    assert f"--pair '{pattern}'" in str(caught.value)


def test_a_pattern_does_not_go_with_one_file(folders):
    images, masks = folders(["a1.tif", "a2.tif"], ["b1.png", "b2.png"])
    with pytest.raises(SettingsError, match=r"--pair .*b1\.png is a file"):
        pair(images, masks / "b1.png", pattern=r"(\d)")


def test_names_of_ome_files_are_compared_without_both_suffixes(folders):
    images, masks = folders(["a.ome.tif"], ["a_masks.ome.tif"])
    assert len(pair(images, masks).samples) == 1


def test_no_match_is_an_error_of_one_line(folders, tmp_path):
    images, masks = folders(["a.tif"], ["b.tif"])
    with pytest.raises(AnnotationError, match=r"a_masks\.tif") as unmatched:
        pair(images, masks)
    with pytest.raises(ImageError, match="nowhere") as missing:
        pair(images, tmp_path / "nowhere")
    assert not any("\n" in str(error.value) for error in (unmatched, missing))


def test_only_keeps_the_listed_images(folders, tmp_path):
    images, masks = folders(["x/a.png", "b.png", "c.png"], ["x/a.png", "b.png", "c.png"])
    pairing = pair(images, masks)
    names = tmp_path / "names.txt"
    for encoding in ("utf-8", "utf-8-sig"):
        names.write_text("x/a.png\n\n  c.png \n", encoding=encoding)
        assert [p.name for p in pairing.only(names).samples] == ["c.png", "x/a.png"]
    assert pairing.only(None) is pairing
    names.write_text("d.png\n")
    with pytest.raises(AnnotationError, match=r"d\.png"):
        pairing.only(names)
    with pytest.raises(AnnotationError, match="absent"):
        pairing.only(tmp_path / "absent")
    names.write_text(" \n")
    with pytest.raises(AnnotationError, match=r"names\.txt: names no image"):
        pairing.only(names)
