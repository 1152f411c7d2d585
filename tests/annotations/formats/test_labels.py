"""Label images and binary masks."""

import numpy as np
import pytest
import tifffile
from helpers.annotating import SHAPE, same_beads, scene
from helpers.images import discs
from PIL import Image

from beadctl.annotations import AnnotationFormat
from beadctl.annotations.formats.labels import BY_CLASS, SHARED
from beadctl.annotations.reading import read
from beadctl.errors import AnnotationError
from beadctl.images import open_image


def read_labels(path, shape=None, **options):
    """Read an image file, by default for an image of its own shape."""
    if shape is None:
        plane = open_image(path).planes[0]
        shape = plane.height, plane.width
    return read(path, shape, **options).labels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int32, np.float32])
def test_label_images_keep_their_labels(tmp_path, dtype):
    _, truth = discs(6)
    tifffile.imwrite(tmp_path / "m.tif", truth.astype(dtype))
    labels = read_labels(tmp_path / "m.tif", truth.shape)
    assert labels.dtype == np.uint32
    np.testing.assert_array_equal(labels, truth)


@pytest.mark.parametrize("dtype", [np.uint32, np.int64, np.uint64, np.float64])
@pytest.mark.parametrize("background", [True, False])
def test_very_large_labels_are_renumbered_from_one(tmp_path, background, dtype):
    values = np.full((6, 8), 0 if background else 70_000_000, dtype)
    values[1:3, 1:3], values[4, 4:7], values[0, 7] = 4_000_000_000, 90_000_000, 80_000_000
    if dtype != np.uint32:
        values[1:3, 1:3] = 2**62
    tifffile.imwrite(tmp_path / "a.tif", values)
    found = read_labels(tmp_path / "a.tif", (6, 8))
    first = 0 if background else 1
    assert found.dtype == np.uint32
    assert found[[5, 0, 4, 1], [0, 7, 4, 1]].tolist() == [first, first + 1, first + 2, first + 3]
    assert len(np.unique(found)) == 4


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
    assert same_beads(read_labels(path), truth)


def test_a_label_image_with_255_beads_is_no_binary_mask(tmp_path):
    truth = np.zeros((64, 64), np.uint8)
    truth[::4, ::4] = np.arange(256).reshape(16, 16)
    tifffile.imwrite(tmp_path / "m.tif", truth)
    np.testing.assert_array_equal(read_labels(tmp_path / "m.tif"), truth)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_part_of_a_label_image_with_high_labels_is_no_grey_mask(tmp_path, dtype):
    """As cut from a field of hundreds of beads, where the beads touch."""
    truth = np.zeros((40, 60), dtype)
    truth[5:15, 5:15], truth[5:15, 15:25], truth[20:30, 40:50], truth[30:33, 2:6] = 230, 231, 255, 210
    tifffile.imwrite(tmp_path / "m.tif", truth)
    np.testing.assert_array_equal(read_labels(tmp_path / "m.tif"), truth)


@pytest.mark.parametrize("white", [240, 254, 255])
@pytest.mark.parametrize("quality", [50, 95, 100])
def test_a_mask_that_jpeg_made_grey_is_no_label_image(tmp_path, white, quality):
    y, x = np.indices((80, 160))
    discs_of_30 = np.hypot(y - 40, x % 80 - 40) < 30
    path = tmp_path / "m.jpg"
    Image.fromarray((discs_of_30 * white).astype(np.uint8)).save(path, quality=quality)
    assert len(np.unique(np.asarray(Image.open(path)))) > 2
    assert read_labels(path).max() == 2


def test_a_mask_with_few_grey_pixels_is_no_label_image(tmp_path):
    _, truth = discs(6)
    values = np.where(truth > 0, 255, 0).astype(np.uint8)
    rim = np.argwhere((truth > 0) & (np.roll(truth, 1, axis=1) == 0))[::9]
    values[tuple(rim.T)] = 200
    tifffile.imwrite(tmp_path / "m.tif", values)
    assert same_beads(read_labels(tmp_path / "m.tif"), truth)


@pytest.mark.parametrize("value", [0, 1, 255])
def test_a_mask_of_one_value(tmp_path, value):
    tifffile.imwrite(tmp_path / "m.tif", np.full((5, 6), value, np.uint8))
    assert np.unique(read_labels(tmp_path / "m.tif")).tolist() == [1 if value else 0]


def test_diagonal_neighbours_are_one_bead(tmp_path):
    tifffile.imwrite(tmp_path / "m.tif", np.eye(5, dtype=np.uint8) * 255)
    assert read_labels(tmp_path / "m.tif").max() == 1


def test_invalid_masks_are_refused(tmp_path):
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
        read_labels(tmp_path / "words.tif", (5, 6))
    tifffile.imwrite(tmp_path / "small.tif", np.zeros((5, 6), np.uint8))
    with pytest.raises(AnnotationError, match="is 5x6 px, its image 6x5"):
        read_labels(tmp_path / "small.tif", (6, 5))


def test_the_remark_on_a_grey_mask_states_its_threshold(tmp_path):
    _, truth = discs(6)
    path = tmp_path / "m.tif"
    for highest, threshold in ((255, "127.5"), (1, "0.5"), (250, "125")):
        tifffile.imwrite(path, ((truth > 0) * highest).astype(np.uint8))
        (remark,) = read(path, truth.shape).remarks
        assert f"above {threshold}, half its highest value" in remark.words
        assert not remark.doubtful
    tifffile.imwrite(path, np.zeros(truth.shape, np.uint8))
    assert read(path, truth.shape).remarks == ()
    rims = np.where(truth > 0, 255, 0).astype(np.uint8)
    rims[np.roll(truth, 1, axis=1) * (truth == 0) > 0] = 128
    rims[np.roll(truth, -1, axis=1) * (truth == 0) > 0] = 127
    tifffile.imwrite(path, rims)
    np.testing.assert_array_equal(read_labels(path) > 0, rims > 127.5)


def test_a_named_kind_of_mask_overrides_its_values(tmp_path):
    """Two values may be a binary mask, or the label of one bead that another divides."""
    values = np.zeros((5, 9), np.uint8)
    values[1:4, 1:3] = values[1:4, 5:8] = 1
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, values)
    assert read_labels(path).max() == 2
    assert read_labels(path, form=AnnotationFormat.BINARY).max() == 2
    for form in ("labels", "cellpose", "stardist"):
        np.testing.assert_array_equal(read_labels(path, form=AnnotationFormat(form)), values)
    tifffile.imwrite(path, values * np.arange(9, dtype=np.uint8))
    assert read_labels(path).max() == 7
    assert read_labels(path, form=AnnotationFormat.BINARY).max() == 1


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_indices_of_a_coloured_palette_are_labels(tmp_path, kind):
    """As of a lookup table of ImageJ or a palette PNG, where two colours may be equally bright."""
    _, truth = discs(6)
    colours = np.zeros((256, 3), np.uint8)
    colours[1:7] = [(255, 0, 0), (0, 130, 0), (0, 0, 255), (90, 90, 0), (0, 90, 90), (90, 0, 90)]
    path = tmp_path / f"m.{kind}"
    if kind == "png":
        image = Image.fromarray(truth.astype(np.uint8), mode="P")
        image.putpalette(colours.ravel().tolist())
        image.save(path)
    else:
        table = (colours.T.astype(np.uint16) * 257)[:, :256]
        tifffile.imwrite(path, truth.astype(np.uint8), photometric="palette", colormap=table)
    np.testing.assert_array_equal(read_labels(path), truth)


def test_a_grey_palette_is_brightness(tmp_path):
    _, truth = discs(6)
    image = Image.fromarray((truth > 0).astype(np.uint8), mode="P")
    # Index 0 is white: as indices, the foreground would be inverted.
    image.putpalette([255] * 3 + [0] * 3)
    image.save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "m.png") > 0, truth == 0)


@pytest.mark.parametrize("kind", ["tif", "rgb lut tif", "png"])
def test_an_inverting_lookup_table_of_imagej_is_a_display(tmp_path, kind):
    """ImageJ's masks with 255 on beads, shown black: the stored numbers count."""
    _, truth = discs(6)
    path = tmp_path / f"m.{kind[-3:]}"
    mask = np.where(truth > 0, 255, 0).astype(np.uint8)
    inverting = np.arange(255, -1, -1, np.uint8)
    match kind:
        case "tif":
            tifffile.imwrite(
                path, mask, photometric="miniswhite", description="ImageJ=1.54f\n", metadata=None
            )
        case "rgb lut tif":
            table = np.tile(inverting.astype(np.uint16) * 257, (3, 1))
            tifffile.imwrite(
                path, mask, photometric="palette", colormap=table, description="ImageJ=1.54f\n", metadata=None
            )
        case _:
            image = Image.fromarray(mask, mode="P")
            image.putpalette(np.repeat(inverting, 3).tolist())
            image.save(path)
    assert same_beads(read_labels(path), truth)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.float32])
def test_the_numbers_of_a_mask_count_where_zero_is_white(tmp_path, dtype):
    """As tifffile and scikit-image write an array of bool."""
    _, truth = discs(6)
    tifffile.imwrite(tmp_path / "m.tif", truth.astype(dtype), photometric="miniswhite")
    assert same_beads(read_labels(tmp_path / "m.tif"), truth)
    tifffile.imwrite(tmp_path / "m.tif", truth > 0)
    assert same_beads(read_labels(tmp_path / "m.tif"), truth)


@pytest.mark.parametrize("scale", [1, 1000])
def test_colours_are_refused_as_labels(tmp_path, scale):
    """Even if their luminances are whole numbers: two colours may share one."""
    colours = np.zeros((6, 6, 3), np.uint16)
    colours[1, 1], colours[3, 3], colours[5, 5] = (10, 0, 0), (0, 10, 0), (0, 0, 20)
    tifffile.imwrite(tmp_path / "m.tif", colours * scale, photometric="rgb")
    with pytest.raises(AnnotationError, match=r"m\.tif: holds colours \(RGB\)"):
        read_labels(tmp_path / "m.tif")


def test_labels_in_three_equal_channels_are_whole_numbers(tmp_path):
    labels = np.zeros((40, 60), np.uint16)
    labels[::2, ::2] = np.arange(1, 601).reshape(20, 30)
    tifffile.imwrite(tmp_path / "m.tif", np.stack([labels] * 3, -1), photometric="rgb")
    np.testing.assert_array_equal(read_labels(tmp_path / "m.tif"), labels)


@pytest.mark.parametrize("name", ["a.tif", "a_masks.tif", "a.png", "a_cp_masks.png"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_label_images_come_back_as_they_are(tmp_path, name, dtype):
    labels = scene(3)
    labels = np.where(labels > np.iinfo(dtype).max, 0, labels)
    if dtype == np.uint32:
        labels = labels * 70_000
    if name.endswith(".png"):
        if dtype == np.uint32:
            pytest.skip("PNG has no 32 bits")
        Image.fromarray(labels.astype(dtype)).save(tmp_path / name)
    else:
        tifffile.imwrite(tmp_path / name, labels.astype(dtype))
    found = read(tmp_path / name, SHAPE).labels
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found, labels)


# --- labels that are not one a bead


def remark_words(path, values):
    tifffile.imwrite(path, values)
    return [
        f"{remark.count} {remark.words}" for remark in read(path, values.shape).remarks if remark.doubtful
    ]


@pytest.mark.parametrize("background", [0, 1])
@pytest.mark.parametrize("classes", [2, 8])
def test_masks_by_class_are_named(tmp_path, background, classes):
    """The background is 0 or a class of its own, and each other class has several beads."""
    _, truth = discs(40, 256, 256)
    values = np.where(truth > 0, truth % classes + background + 1, background).astype(np.uint8)
    (words,) = remark_words(tmp_path / "m.tif", values)
    assert BY_CLASS in words
    assert ("0" in words.split(BY_CLASS)[0]) if background else words.startswith(f"{classes} ")


def test_a_mask_of_two_values_without_0_is_named(tmp_path):
    _, truth = discs(6)
    (words,) = remark_words(tmp_path / "m.tif", np.where(truth > 0, 2, 1).astype(np.uint8))
    assert BY_CLASS in words
    assert "without 0" in words


def test_a_few_shared_labels_are_counted(tmp_path):
    _, truth = discs(40, 256, 256)
    values = truth.copy()
    values[truth == 40], values[truth == 39] = 1, 2
    (words,) = remark_words(tmp_path / "m.tif", values)
    assert words.startswith(f"2 {SHARED}")
    assert remark_words(tmp_path / "m.tif", truth) == []


def test_beads_in_pieces_share_no_label(tmp_path, scenes):
    """A bead that others cover in part may be left in two pieces; so may one with a stray pixel."""
    for labels in scenes:
        assert remark_words(tmp_path / "m.tif", labels.astype(np.uint32)) == []
    _, truth = discs(6)
    truth[0, 0] = truth[-1, -1] = 1
    assert remark_words(tmp_path / "m.tif", truth) == []
