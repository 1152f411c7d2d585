"""One pair: what does not fit is found and told."""

import warnings

import numpy as np
import pytest
from helpers.audited import SHAPE, detects, faults, field
from helpers.faults import FAULTS, scene, shifted

from beadctl.audit.check import check
from beadctl.audit.faults import Fault, Verdict
from beadctl.audit.fit import PairFeatures
from beadctl.simulate.drawing import circles, outline_labels


def test_a_right_pair_is_ok_whatever_its_polarity():
    image, labels = field()
    assert check(image, labels).findings == ()
    assert check(1000 - image, labels).findings == ()
    assert check(image, labels).fit.bright
    assert not check(1000 - image, labels).fit.bright


def test_cells_in_contact_may_cover_the_image():
    y, x = np.indices(SHAPE)
    cells = (y // 32 * 8 + x // 32 + 1).astype(np.uint32)
    walls = 100 + 80 * ((y % 32 == 0) | (x % 32 == 0)).astype(np.uint16)
    assert Fault.FULL not in faults(check(walls, cells))


def test_the_mask_of_a_crystal_belongs_to_it_and_not_to_another():
    """On the next rows it fits nearly as well, so that no shift stands out by its score."""
    rng = np.random.default_rng(1)
    y, x = (axis.ravel() * 12.0 + 10 for axis in np.mgrid[:20, :20])
    labels = outline_labels(circles(y, x, np.full(y.size, 5.0)), SHAPE)
    image = (100 + 80 * (labels > 0) + rng.normal(0, 6, SHAPE)).astype(np.uint16)
    assert PairFeatures.of(image, labels).fit.better_shifts < 0.001
    assert check(image, labels).verdict is Verdict.OK
    other, _ = field(2)
    assert Fault.OTHER_IMAGE in faults(check(other, labels))


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("number", range(3))
def test_planted_faults_are_found_in_simulated_scenes(name, number):
    simulated = scene(41, number, size=320, least=30)
    planted = FAULTS[name](np.random.default_rng([7, number]), simulated.labels)
    if name == "merged" and planted.max() > 0.95 * simulated.labels.max():
        pytest.skip("no beads touch in this scene")
    assert check(simulated.image, planted).verdict is not Verdict.OK


def test_missing_marks_and_marks_without_a_bead_are_told_apart():
    image, labels = field()
    fewer = np.where(labels % 8 == 1, 0, labels).astype(np.uint32)
    assert faults(check(image, fewer)) == {Fault.MISSED}
    more = shifted(labels, 40, 40)
    more = np.where((labels == 0) & (more % 2 == 1), more + labels.max(), labels).astype(np.uint32)
    assert Fault.NOTHING_THERE in faults(check(image, more))


def test_detections_decide_about_beads_without_a_mark():
    image, labels = field()
    fewer = np.where(labels % 8 == 1, 0, labels).astype(np.uint32)
    assert faults(check(image, fewer, detector=detects(labels))) == {Fault.MISSED}
    assert faults(check(image, fewer, detector=detects(np.zeros_like(labels)))) == set()
    assert check(image, labels, detector=detects(labels)).findings == ()


def test_an_empty_mask_is_a_fault_unless_no_bead_is_found():
    image, labels = field()
    empty = np.zeros_like(labels)
    assert faults(check(image, empty)) == {Fault.EMPTY}
    assert faults(check(image, empty, detector=detects(labels))) == {Fault.EMPTY}
    assert check(image, empty, detector=detects(empty)).findings == ()
    # Only beads that would be counted make an empty mask wrong.
    assert check(image, empty, detector=detects(labels, 0.55)).findings == ()


def test_a_mask_of_nearly_all_pixels_is_full_and_may_be_inverted():
    image, labels = field()
    assert faults(check(image, np.ones_like(labels))) == {Fault.FULL}
    inverted = check(image, np.uint32(labels == 0))
    assert faults(inverted) == {Fault.FULL}
    assert "inverted" in inverted.findings[0].message


@pytest.mark.parametrize(
    "image", [np.full(SHAPE, 7, np.uint8), np.full(SHAPE, np.nan, np.float32)], ids=["7", "nan"]
)
def test_an_image_of_one_value_is_blank(image):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert faults(check(image, field()[1])) == {Fault.BLANK}


def test_images_that_have_lost_grey_levels_are_told():
    image, labels = field()
    assert Fault.SATURATED in faults(check(np.where(labels > 0, 255, image // 2).astype(np.uint8), labels))
    assert Fault.BIT_DEPTH in faults(check((image // 32 * 32).astype(np.uint16), labels))
    assert faults(check(image, labels, grey=True)) == {Fault.GREY}


def test_single_pixels_without_a_value_are_no_fault():
    image, labels = field()
    broken = image.astype(np.float32)
    broken[3, 4], broken[5, 6] = np.nan, np.inf
    assert check(broken, labels).findings == ()


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (16, 16), (20, 300)])
def test_small_images_are_audited_too(shape):
    labels = np.zeros(shape, np.uint32)
    labels[shape[0] // 2, shape[1] // 2] = 70_000
    image = np.random.default_rng(1).integers(0, 1000, shape).astype(np.uint16)
    assert check(image, labels).beads == 1
