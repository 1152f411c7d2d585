"""Masks as people have them: paired by name, read as labels."""

import numpy as np
import pytest
import tifffile
from conftest import discs
from PIL import Image

from beadctl.errors import AnnotationError, ImageError
from beadctl.masks import SUFFIXES, lone_names, pair, read_labels


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
    assert [(p.image.path.name, p.mask.name) for p in pairing.pairs] == [("b.tif", f"b{suffix}.png")]
    assert [path.name for path in pairing.images_alone] == ["a.tif"]
    assert [path.name for path in pairing.masks_alone] == ["other.png"]


def test_a_stem_is_a_whole_name(folders):
    images, masks = folders(["a1.png", "a10.png"], ["a10.png", "a1.png"])
    assert [(p.image.path.name, p.mask.name) for p in pair(images, masks).pairs] == [
        ("a1.png", "a1.png"),
        ("a10.png", "a10.png"),
    ]


def test_equal_stems_are_told_apart_by_their_place(folders):
    images, masks = folders(["x/a.png", "y/a.png"], ["x/a.png", "y/a_mask.png"])
    assert [(p.image.path.parent.name, p.mask.parent.name) for p in pair(images, masks).pairs] == [
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


def same_parts(labels, truth):
    """Whether two label images cut the plane alike, whatever the numbers."""
    pairs = np.unique(np.stack([labels.ravel(), truth.ravel()]), axis=1).T
    return len(pairs) == len(np.unique(labels)) == len(np.unique(truth))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int32, np.float32])
def test_label_images_keep_their_labels(tmp_path, dtype):
    _, truth = discs(6)
    tifffile.imwrite(tmp_path / "m.tif", truth.astype(dtype))
    labels = read_labels(tmp_path / "m.tif", truth.shape)
    assert labels.dtype == np.uint32
    np.testing.assert_array_equal(labels, truth)


@pytest.mark.parametrize("form", ["bool", "255", "1", "65535", "png", "jpeg", "rgb"])
def test_binary_masks_become_instances(tmp_path, form):
    _, truth = discs(6)
    white = truth > 0
    path = tmp_path / ("m.tif" if form not in ("png", "jpeg", "rgb") else f"m.{form.replace('rgb', 'png')}")
    grey = (white * 255).astype(np.uint8)
    match form:
        case "bool":
            tifffile.imwrite(path, white, photometric="minisblack")
        case "1" | "255" | "65535":
            tifffile.imwrite(path, (white * int(form)).astype(np.uint16 if form == "65535" else np.uint8))
        case "rgb":
            Image.fromarray(np.stack([grey] * 3, -1)).save(path)
        case _:
            Image.fromarray(grey).save(path)
    assert same_parts(read_labels(path), truth)


def test_a_label_image_with_255_beads_is_no_binary_mask(tmp_path):
    truth = np.zeros((64, 64), np.uint8)
    truth[::4, ::4] = np.arange(256).reshape(16, 16)
    tifffile.imwrite(tmp_path / "m.tif", truth)
    np.testing.assert_array_equal(read_labels(tmp_path / "m.tif"), truth)


@pytest.mark.parametrize("value", [0, 1, 255])
def test_a_mask_of_one_value(tmp_path, value):
    tifffile.imwrite(tmp_path / "m.tif", np.full((5, 6), value, np.uint8))
    assert np.unique(read_labels(tmp_path / "m.tif")).tolist() == [1 if value else 0]


def test_diagonal_neighbours_are_one_bead(tmp_path):
    tifffile.imwrite(tmp_path / "m.tif", np.eye(5, dtype=np.uint8) * 255)
    assert read_labels(tmp_path / "m.tif").max() == 1


def test_masks_that_cannot_be(tmp_path):
    broken = {
        "stack": np.zeros((3, 5, 6), np.uint8),
        "negative": np.array([[0, -1], [2, 3]], np.int16),
        "fractions": np.array([[0, 0.5], [1.25, 3]], np.float32),
        "nan": np.array([[0, np.nan], [1, 3]], np.float32),
        "negative-two": np.array([[0, -1], [0, 0]], np.int16),
        "infinite": np.array([[0, np.inf], [1, 3]], np.float32),
    }
    for name, values in broken.items():
        axes = {"imagej": True, "metadata": {"axes": "ZYX"}} if name == "stack" else {}
        tifffile.imwrite(tmp_path / f"{name}.tif", values, **axes)
        with pytest.raises(AnnotationError, match=rf"{name}\.tif: ") as caught:
            read_labels(tmp_path / f"{name}.tif")
        assert "\n" not in str(caught.value)
    (tmp_path / "words.tif").write_text("words")
    with pytest.raises(AnnotationError, match=r"words\.tif"):
        read_labels(tmp_path / "words.tif")
    tifffile.imwrite(tmp_path / "small.tif", np.zeros((5, 6), np.uint8))
    with pytest.raises(AnnotationError, match="is 5x6 px, its image 6x5"):
        read_labels(tmp_path / "small.tif", (6, 5))


def test_a_long_list_is_cut(tmp_path):
    paths = [tmp_path / f"{index}.tif" for index in range(8)]
    assert lone_names(paths) == "0.tif, 1.tif, 2.tif, 3.tif, 4.tif and 3 more"
    assert lone_names(paths[:2]) == "0.tif, 1.tif"
