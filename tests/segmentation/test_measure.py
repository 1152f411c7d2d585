import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.measure import regionprops_table

from beadctl.segmentation import bead_table, measure

PROPERTIES = {
    "label": "label",
    "y_px": "centroid-0",
    "x_px": "centroid-1",
    "area_px": "area",
    "diameter_px": "equivalent_diameter_area",
    "perimeter_px": "perimeter",
    "major_axis_px": "axis_major_length",
    "minor_axis_px": "axis_minor_length",
    "mean_intensity": "intensity_mean",
}
ORACLE = ("label", "centroid", "area", "equivalent_diameter_area", "perimeter", "axis_major_length")
ORACLE += ("axis_minor_length", "intensity_mean")


def assert_equals_skimage(labels, image):
    table = measure.measure(labels, image)
    expected = regionprops_table(labels.astype(np.int64), image, properties=ORACLE)
    for ours, theirs in PROPERTIES.items():
        # Axes are square roots: where the eigenvalue is 0 its rounding error of 1e-15 becomes 1e-7.
        np.testing.assert_allclose(getattr(table, ours), expected[theirs], rtol=1e-7, atol=1e-5, err_msg=ours)


@settings(max_examples=150, deadline=None)
@given(
    labels=hnp.arrays(
        np.uint32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
        elements=st.sampled_from((0, 1, 2, 7)),
    ),
    random=st.integers(0, 2**32),
)
def test_any_label_image_measures_as_by_skimage(labels, random):
    image = np.random.default_rng(random).normal(1000, 300, labels.shape)
    if labels.any():
        assert_equals_skimage(labels, image)
    else:
        assert len(measure.measure(labels, image)) == 0


@settings(max_examples=25, deadline=None)
@given(random=st.integers(0, 2**32), sigma=st.floats(0.8, 5), dtype=st.sampled_from(("u1", "u2", "i2", "f4")))
def test_blobs_measure_as_by_skimage(random, sigma, dtype):
    rng = np.random.default_rng(random)
    blobs = ndimage.gaussian_filter(rng.normal(size=(90, 120)), sigma)
    labels, count = ndimage.label(blobs > blobs.std() / 2)
    gapped = rng.choice(10 * count + 1, count, replace=False) + 1
    labels = np.concatenate(([0], gapped)).astype(np.uint32)[labels]
    assert_equals_skimage(labels, rng.integers(0, 120, labels.shape).astype(dtype))


def test_a_known_bead():
    labels = np.zeros((40, 60), dtype=np.uint32)
    y, x = np.mgrid[:40, :60]
    labels[np.hypot(y - 18, x - 30) <= 10] = 5
    image = np.where(labels > 0, 3000, 200).astype(np.uint16)
    probability = np.where(labels > 0, 204, 0).astype(np.uint8)
    table = measure.measure(labels, image, probability, pixel_size_um=0.5)
    (row,) = table.rows()
    assert tuple(row) == bead_table.COLUMNS
    assert row["label"] == 5
    assert (row["y_px"], row["x_px"]) == (18, 30)
    assert row["diameter_px"] == pytest.approx(20, rel=0.02)
    assert row["major_axis_px"] == pytest.approx(20, rel=0.02)
    assert row["minor_axis_px"] == pytest.approx(20, rel=0.02)
    assert row["perimeter_px"] == pytest.approx(20 * np.pi, rel=0.06)
    assert row["circularity"] == pytest.approx(1, abs=0.1)
    assert row["mean_intensity"] == 3000
    assert row["confidence"] == pytest.approx(0.8)
    assert row["area_um2"] == row["area_px"] / 4
    assert row["diameter_um"] == row["diameter_px"] / 2
    assert row["flags"] == ""


def test_long_beads_are_not_circular():
    labels = np.zeros((12, 80), dtype=np.uint32)
    labels[4:8, 10:70] = 1
    table = measure.measure(labels)
    assert table.circularity[0] < 0.3
    assert table.major_axis_px[0] / table.minor_axis_px[0] == pytest.approx(np.sqrt((60**2 - 1) / (4**2 - 1)))


@pytest.mark.parametrize("shape", [(1, 2), (1, 3), (1, 12), (2, 2), (2, 4)], ids=str)
@pytest.mark.parametrize("turn", [0, 1])
def test_narrow_beads_have_no_circularity(shape, turn):
    """Their perimeter is not that of a way around them, and the formula gives more than 1."""
    labels = np.zeros((9, 50), np.uint32)
    labels[2 : 2 + shape[0], 3 : 3 + shape[1]] = 1
    (row,) = measure.measure(np.rot90(labels, turn)).rows()
    assert row["circularity"] is None


def test_diagonal_lines_have_no_circularity():
    (row,) = measure.measure(np.eye(9, dtype=np.uint32)[:5]).rows()
    assert row["circularity"] is None


@pytest.mark.parametrize("width", [2, 3, 4])
@pytest.mark.parametrize(("ratio", "circularity"), [(2, 0.841), (4, 0.536), (8, 0.295), (16, 0.152)])
@pytest.mark.parametrize("angle", [0.0, 0.4, 0.7, np.pi / 2])
def test_narrow_ellipses_have_the_circularity_of_an_ellipse(width, ratio, circularity, angle):
    """Nearly all of their pixels lie on the outline, along whose centres the way is too short: it gave 1."""
    y, x = np.indices((80, 80)) - 39.7
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    labels = (np.hypot(along / ratio, across) <= width / 2).astype(np.uint32)
    (row,) = measure.measure(labels).rows()
    assert row["circularity"] is None or row["circularity"] == pytest.approx(circularity, rel=0.35)


@pytest.mark.parametrize("diameter", [3, 4, 5, 6, 8, 12])
def test_small_discs_have_the_circularity_of_a_disc(diameter):
    y, x = np.indices((20, 20)) - 9.5 + diameter % 2 / 2
    (row,) = measure.measure((np.hypot(y, x) <= diameter / 2).astype(np.uint32)).rows()
    assert row["circularity"] >= 0.97


def test_unknown_is_none_and_all_values_are_plain():
    labels = np.zeros((9, 9), dtype=np.uint32)
    labels[4, 4] = 1
    labels[6:8, 1:8] = 4_294_967_295
    rows = list(measure.measure(labels).rows())
    assert [row["label"] for row in rows] == [1, 4_294_967_295]
    for name in ("mean_intensity", "confidence", "area_um2", "diameter_um"):
        assert [row[name] for row in rows] == [None, None]
    assert rows[0]["circularity"] is None
    assert 0 < rows[1]["circularity"] <= 1
    assert {type(value) for row in rows for value in row.values()} <= {int, float, str, type(None)}
    assert all(type(row["area_px"]) is int for row in rows)


def test_an_empty_plane_has_columns_but_no_rows():
    table = measure.measure(np.zeros((5, 6), np.uint32), np.ones((5, 6)), np.ones((5, 6), np.uint8))
    assert len(table) == 0
    assert list(table.rows()) == []
    assert all(getattr(table, field.name).shape == (0,) for field in dataclasses.fields(table))
    assert set(bead_table.COLUMNS) >= {"label", "flags", "area_um2", "diameter_um"}


@settings(max_examples=50, deadline=None)
@given(
    labels=hnp.arrays(np.uint32, (7, 8), elements=st.integers(0, 3)),
)
def test_beads_on_the_edge_are_flagged(labels):
    table = measure.measure(labels)
    frame = np.ones(labels.shape, dtype=bool)
    frame[1:-1, 1:-1] = False
    on_edge = set(labels[frame].tolist()) - {0}
    flagged = {row["label"] for row in table.rows() if "border" in row["flags"].split()}
    assert flagged == on_edge


def test_far_from_the_origin_nothing_is_lost():
    near = np.zeros((30, 40), dtype=np.uint32)
    near[3:20, 5:11] = near[10:14, 5:30] = 1
    far = np.zeros((30, 300_000), dtype=np.uint32)
    far[:, -40:] = near
    here, there = measure.measure(near), measure.measure(far)
    assert there.x_px[0] == pytest.approx(here.x_px[0] + 299_960, abs=1e-9)
    assert there.major_axis_px[0] == pytest.approx(here.major_axis_px[0], rel=1e-9)
    assert there.minor_axis_px[0] == pytest.approx(here.minor_axis_px[0], rel=1e-9)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("broken", [(1, np.nan), (np.inf, 1), (-np.inf, np.inf)])
def test_pixels_without_a_value_spoil_only_their_own_bead(broken):
    """Infinite ones have none either, and no warning tells of them."""
    labels = np.array([[1, 1, 0, 2, 2]], dtype=np.uint32)
    table = measure.measure(labels, np.array([[*broken, np.inf, 3, 5]]))
    assert np.isnan(table.mean_intensity[0])
    assert np.isnan(table.integrated_intensity[0])
    assert table.mean_intensity[1] == 4


def test_planes_of_another_shape_are_refused():
    labels = np.zeros((4, 5), dtype=np.uint32)
    with pytest.raises(ValueError, match="image is"):
        measure.measure(labels, np.zeros((5, 4)))
    with pytest.raises(ValueError, match="probability is"):
        measure.measure(labels, None, np.zeros((4, 4), np.uint8))
    with pytest.raises(ValueError, match="3 axes"):
        measure.measure(labels[None])


def test_beads_that_touch_are_a_clump_cornerwise_too():
    labels = np.zeros((9, 20), dtype=np.uint32)
    labels[1:3, 1:3], labels[3:5, 3:5] = 1, 2
    labels[1:3, 8:10], labels[1:3, 11:13] = 3, 4
    labels[5:8, 7:9], labels[5:8, 9:12] = 7, 5
    labels[4:6, 15:17], labels[6:8, 13:15] = 8, 9
    table = measure.measure(labels)
    assert table.label[table.clump].tolist() == [1, 2, 5, 7, 8, 9]
    assert {row["label"] for row in table.rows() if row["flags"] == "clump"} == {1, 2, 5, 7, 8, 9}


LEFT_ALIGNED = {10: 65472, 12: 65520, 14: 65532}


@pytest.mark.parametrize(
    ("dtype", "top"),
    [(np.uint8, 255), (np.uint16, 4095), (np.uint16, 65535)]
    + [(np.uint16, top) for top in LEFT_ALIGNED.values()],
)
def test_beads_at_the_top_grey_level_are_saturated(dtype, top):
    labels = np.zeros((10, 40), dtype=np.uint32)
    labels[:, :10], labels[:, 20:30] = 1, 2
    image = np.full(labels.shape, top // 3 // 64 * 64, dtype=dtype)
    image[0, :10] = top
    image[0, 20:29] = top
    table = measure.measure(labels, image)
    assert table.saturated.tolist() == [True, False]
    assert not measure.measure(labels, np.minimum(image, top - 1)).saturated.any()
    assert not measure.measure(labels).saturated.any()


@pytest.mark.parametrize("top", LEFT_ALIGNED.values())
def test_largest_value_of_16_bits_in_use_is_no_top_level_of_fewer(top):
    labels = np.zeros((10, 40), dtype=np.uint32)
    labels[:, :10] = 1
    image = np.where(labels, top, 1001).astype(np.uint16)
    assert not measure.measure(labels, image).saturated.any()


def test_flags_tell_all_that_is_doubtful():
    labels = np.zeros((9, 9), dtype=np.uint32)
    labels[0:4, 2:6], labels[4:7, 2:6] = 1, 2
    image = np.full(labels.shape, 255, np.uint8)
    probability = np.where(labels == 1, 140, 255).astype(np.uint8)
    rows = list(measure.measure(labels, image, probability).rows())
    assert [row["flags"] for row in rows] == ["clump border saturated low-confidence", "clump saturated"]


def test_confidence_is_probability_times_the_height_of_the_seed():
    labels = np.zeros((6, 12), dtype=np.uint32)
    labels[1:4, 1:4], labels[2:5, 7:11] = 1, 2
    rng = np.random.default_rng(3)
    probability, seed = (rng.integers(0, 256, labels.shape).astype(np.uint8) for _ in "ab")
    table = measure.measure(labels, None, probability, seed)
    for label, confidence in zip(table.label, table.confidence, strict=True):
        mine = labels == label
        assert confidence == pytest.approx(probability[mine].mean() / 255 * (seed[mine].max() / 255) ** 0.5)


def test_without_outlines_the_other_columns_are_the_same():
    labels = np.zeros((20, 30), np.uint32)
    labels[4:12, 5:12], labels[4:12, 12:19], labels[15:19, 22:26] = 1, 2, 3
    image = np.random.default_rng(1).normal(100, 9, labels.shape)
    whole, some = measure.measure(labels, image), measure.measure(labels, image, outlines=False)
    assert not some.clump.any()
    assert whole.clump.tolist() == [True, True, False]
    for name in ("perimeter_px", "circularity"):
        assert np.isnan(getattr(some, name)).all()
    for name in {field.name for field in dataclasses.fields(whole)} - {
        "perimeter_px",
        "circularity",
        "clump",
    }:
        np.testing.assert_array_equal(getattr(some, name), getattr(whole, name), err_msg=name)
