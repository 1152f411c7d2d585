"""Masks that do not fit their images are found, named and, where that is safe, corrected."""

import csv
import itertools
import warnings

import numpy as np
import pytest
import tifffile
from helpers.faults import FAULTS, scene, shifted
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from beadctl.audit.check import check
from beadctl.audit.detections import Detections
from beadctl.audit.drift import drift_from_edges
from beadctl.audit.duplicates import (
    BLOCK,
    ImageFingerprint,
    find_duplicates,
    image_fingerprint,
    likely_owners,
)
from beadctl.audit.faults import Fault, Verdict
from beadctl.audit.fit import PairFeatures
from beadctl.images import open_image
from beadctl.simulate.drawing import circles, outline_labels

SHAPE = (256, 256)


def field(seed=0, count=60, radius_px=5.0, shape=SHAPE, contrast=80.0):
    """Return an image of bright discs on noise, and its label image."""
    rng = np.random.default_rng(seed)
    spots = rng.uniform(8, np.array(shape) - 8, (20 * count, 2))
    kept = []
    for spot in spots:
        if all(np.hypot(*(spot - other)) > 2.6 * radius_px for other in kept) and len(kept) < count:
            kept.append(spot)
    y, x = np.array(kept).T
    labels = outline_labels(circles(y, x, np.full(len(y), radius_px)), shape)
    image = 100 + contrast * (labels > 0) + rng.normal(0, 6, shape)
    return image.astype(np.uint16), labels


def faults(result):
    return {finding.fault for finding in result.findings}


@pytest.fixture
def folder(tmp_path):
    """Six pairs: two whose masks are swapped, one that is shifted, three that are right."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    pairs = [field(seed) for seed in range(6)]
    masks = [labels for _, labels in pairs]
    masks[0], masks[1] = masks[1], masks[0]
    masks[2] = shifted(masks[2], 4, -3)
    for number, ((image, _), mask) in enumerate(zip(pairs, masks, strict=True)):
        tifffile.imwrite(tmp_path / f"images/f{number}.tif", image)
        tifffile.imwrite(tmp_path / f"masks/f{number}_masks.tif", mask.astype(np.uint16))
    return tmp_path


def detects(labels, confidence=0.9):
    """A detector that finds these beads."""
    minimum = {True: 0.0, False: 0.6}

    def detector(_, low_confidence):
        detected = labels if confidence >= minimum[low_confidence] else np.zeros_like(labels)
        return Detections(detected, np.full(int(labels.max()) + 1, confidence))

    return detector


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_right_pair_is_ok_whatever_its_polarity():
    image, labels = field()
    assert check(image, labels).findings == ()
    assert check(1000 - image, labels).findings == ()
    assert check(image, labels).fit.bright
    assert not check(1000 - image, labels).fit.bright


@settings(max_examples=25, deadline=None)
@given(st.integers(-15, 15), st.integers(-15, 15))
def test_a_shift_is_measured(dy, dx):
    image, labels = field()
    found = check(image, shifted(labels, dy, dx))
    assert abs(found.fit.dy + dy) < 0.4
    assert abs(found.fit.dx + dx) < 0.4
    assert (Fault.SHIFTED in faults(found)) == bool(dy or dx)
    assert (found.verdict is Verdict.BAD) == (np.hypot(dy, dx) >= 2)


@pytest.mark.parametrize(("count", "verdict"), [(1, Verdict.CHECK), (2, Verdict.CHECK), (3, Verdict.BAD)])
def test_a_shift_of_one_or_two_beads_is_a_reason_to_look(count, verdict):
    image, labels = field(count=count, radius_px=12.0)
    found = check(image, shifted(labels, 6, 0))
    assert faults(found) == {Fault.SHIFTED}
    assert found.verdict is verdict


def test_cells_in_contact_may_cover_the_image_and_one_mark_may_not():
    image, labels = field(shape=SHAPE)
    y, x = np.indices(SHAPE)
    cells = (y // 32 * 8 + x // 32 + 1).astype(np.uint32)
    walls = 100 + 80 * ((y % 32 == 0) | (x % 32 == 0)).astype(np.uint16)
    assert Fault.FULL not in faults(check(walls, cells))
    assert Fault.FULL in faults(check(image, np.ones_like(labels)))


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


@pytest.mark.parametrize("by", [0.96, 0.98, 1.02, 1.04])
def test_a_scale_is_measured(by):
    image, labels = field(shape=(400, 400), count=150)
    y, x = np.mgrid[:400, :400]
    source = [np.clip(np.rint((axis - 200) / by + 200), 0, 399).astype(int) for axis in (y, x)]
    drift = drift_from_edges(PairFeatures.of(image, labels[tuple(source)]))
    assert drift is not None
    assert drift.scale == pytest.approx(1 / by - 1, abs=0.004)
    assert Fault.SCALED in faults(check(image, labels[tuple(source)]))


@pytest.mark.parametrize("angle", [-2, -1, 1, 2])
def test_a_rotated_mask_is_told_how_to_rotate_it(angle):
    image, labels = field(shape=(400, 400), count=150)
    # scipy rotates from y towards x: counter-clockwise as displayed.
    rotated = ndimage.rotate(labels, angle, reshape=False, order=0)
    (finding,) = [finding for finding in check(image, rotated).findings if finding.fault is Fault.TURNED]
    assert finding.message.endswith("° clockwise" if angle > 0 else "° counter-clockwise")
    assert f" {abs(angle)}" in finding.message


@pytest.mark.parametrize(
    ("flip", "words"),
    [
        (np.flipud, "mirrored top to bottom"),
        (np.rot90, "rotated by 90° clockwise"),
        (np.transpose, "transposed (rows and columns swapped)"),
    ],
)
def test_a_flipped_mask_is_told_how_to_flip_it(flip, words):
    image, labels = field()
    (finding,) = check(image, np.ascontiguousarray(flip(labels))).findings
    assert finding.message == f"the mask fits when it is {words}"


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


def drifted(labels, most_px):
    """Compress a label image along y by so much in all."""
    y, x = np.indices(labels.shape)
    share = y / labels.shape[0] - 0.5
    return labels[np.clip(np.rint(y + most_px * share).astype(int), 0, labels.shape[0] - 1), x]


def test_detections_show_a_drift_too_small_for_edges_and_may_rule_one_out():
    image, labels = field()
    slight, much = drifted(labels, 2.1), drifted(labels, 3.5)
    assert check(image, slight).findings == ()
    assert faults(check(image, slight, detector=detects(labels))) == {Fault.DRIFT}
    assert faults(check(image, much)) == {Fault.DRIFT}
    assert check(image, much, detector=detects(much)).findings == ()


def test_faults_of_images_and_of_whole_masks():
    image, labels = field()
    assert faults(check(image, np.zeros_like(labels))) == {Fault.EMPTY}
    assert faults(check(image, np.zeros_like(labels), detector=detects(labels))) == {Fault.EMPTY}
    assert check(image, np.zeros_like(labels), detector=detects(0 * labels)).findings == ()
    # Only beads that would be counted make an empty mask wrong.
    assert check(image, np.zeros_like(labels), detector=detects(labels, 0.55)).findings == ()
    assert faults(check(image, np.ones_like(labels))) == {Fault.FULL}
    inverted = check(image, np.uint32(labels == 0))
    assert faults(inverted) == {Fault.FULL}
    assert "inverted" in inverted.findings[0].message
    assert faults(check(np.full(SHAPE, 7, np.uint8), labels)) == {Fault.BLANK}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert faults(check(np.full(SHAPE, np.nan, np.float32), labels)) == {Fault.BLANK}
    assert Fault.SATURATED in faults(check(np.where(labels > 0, 255, image // 2).astype(np.uint8), labels))
    assert Fault.BIT_DEPTH in faults(check((image // 32 * 32).astype(np.uint16), labels))
    assert faults(check(image, labels, grey=True)) == {Fault.GREY}
    broken = image.astype(np.float32)
    broken[3, 4], broken[5, 6] = np.nan, np.inf
    assert check(broken, labels).findings == ()


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (16, 16), (20, 300)])
def test_small_images_are_audited_too(shape):
    labels = np.zeros(shape, np.uint32)
    labels[shape[0] // 2, shape[1] // 2] = 70_000
    image = np.random.default_rng(1).integers(0, 1000, shape).astype(np.uint16)
    assert check(image, labels).beads == 1


def test_the_table_names_the_owner_of_a_swapped_mask(run, folder):
    result = run("audit", folder / "images", folder / "masks", "--no-find", "-o", folder / "out")
    assert result.code == 1
    table = {row["image"]: row for row in rows(folder / "out/audit.csv")}
    assert [row["verdict"] for row in table.values()] == ["bad", "bad", "bad", "ok", "ok", "ok"]
    assert "belongs to f1.tif" in table["f0.tif"]["findings"]
    assert "belongs to f0.tif" in table["f1.tif"]["findings"]
    assert float(table["f2.tif"]["shift_y_px"]) == pytest.approx(-4, abs=0.3)
    assert float(table["f2.tif"]["shift_x_px"]) == pytest.approx(3, abs=0.3)
    assert "f0.tif" in result.out
    assert "f3.tif" not in result.out
    page = (folder / "out/audit.html").read_text(encoding="utf-8")
    assert page.count("<img") == 7
    assert "mask moved by (-4.0, +3.0) px" in page
    again = run("audit", folder / "images", folder / "masks", "-o", folder / "out")
    assert again.code == 3
    assert "--overwrite" in again.err


def test_a_file_that_cannot_be_read_is_a_row(run, folder):
    (folder / "images/f3.tif").write_bytes(b"II*\0nothing")
    tifffile.imwrite(folder / "masks/f4_masks.tif", np.ones((9, 9), np.uint16))
    result = run("audit", folder / "images", folder / "masks", "--no-find", "-o", folder / "out")
    assert result.code == 1
    table = {row["image"]: row for row in rows(folder / "out/audit.csv")}
    assert len(table) == 6
    assert table["f3.tif"]["faults"] == table["f4.tif"]["faults"] == "unreadable"
    assert "9x9" in table["f4.tif"]["findings"]


@pytest.mark.parametrize("value", [np.nan, 1e31])
def test_an_image_that_no_network_is_shown_is_a_row(run, folder, model_path, value):
    image = np.full(SHAPE, value, np.float32)
    image[:9] *= 0.5
    tifffile.imwrite(folder / "images/f5.tif", image)
    tifffile.imwrite(folder / "masks/f5_masks.tif", np.zeros(SHAPE, np.uint16))
    result = run("audit", folder / "images", folder / "masks", "-m", model_path, "-o", folder / "out")
    assert result.code == 1
    row = rows(folder / "out/audit.csv")[5]
    assert (row["image"], row["faults"]) == ("f5.tif", "unreadable")
    assert row["findings"].startswith(f"{folder / 'images/f5.tif'}: ")


def test_right_pairs_exit_with_0_and_are_compared_with_a_model(run, folder, model_path):
    for number in range(3):
        (folder / f"images/f{number}.tif").unlink()
        (folder / f"masks/f{number}_masks.tif").unlink()
    result = run("audit", folder / "images", folder / "masks", "-m", model_path)
    assert result.code == 0
    assert "3 ok, 0 check, 0 bad" in result.err


def test_fix_writes_safe_corrections_and_changes_no_source(run, folder):
    before = {path: path.read_bytes() for path in folder.rglob("*.tif")}
    result = run("audit", folder / "images", folder / "masks", "--no-find", "--fix", folder / "fixed")
    assert result.code == 1
    assert "4 pairs written, 1 of them corrected; 2 left out" in result.err
    assert {path: path.read_bytes() for path in before} == before
    changes = {row["image"]: row for row in rows(folder / "fixed/changes.csv")}
    assert [changes[f"f{n}.tif"]["written"] for n in range(6)] == ["no", "no", "yes", "yes", "yes", "yes"]
    assert "moved by (-4, +3) px" in changes["f2.tif"]["change"]
    image, labels = field(2)
    assert np.array_equal(tifffile.imread(folder / "fixed/images/f2.tif"), image[:-4, 3:])
    moved = tifffile.imread(folder / "fixed/masks/f2.tif")
    assert np.array_equal(moved > 0, labels[:-4, 3:] > 0)
    fixed = run("audit", folder / "fixed/images", folder / "fixed/masks", "--no-find", "--format", "table")
    # No header of a table without rows: the sentence on standard error says that all are ok.
    assert (fixed.code, fixed.out) == (0, "")
    assert " ok, 0 check, 0 bad" in fixed.err
    twice = run("audit", folder / "images", folder / "masks", "--no-find", "--fix", folder / "fixed")
    assert twice.code == 3


@pytest.mark.parametrize("dtype", [np.uint16, np.float64])
def test_a_moved_pair_keeps_the_pixel_size(run, tmp_path, dtype):
    image, labels = field()
    for name, values in (("images", image.astype(dtype)), ("masks", shifted(labels, 4, -3))):
        (tmp_path / name).mkdir()
        size = {"PhysicalSizeX": 0.325, "PhysicalSizeY": 0.325}
        tifffile.imwrite(tmp_path / name / "a.ome.tif", values, metadata={"axes": "YX", **size})
    run("audit", tmp_path / "images", tmp_path / "masks", "--no-find", "--fix", tmp_path / "fixed")
    written = open_image(tmp_path / "fixed/images/a.ome.tif")
    assert written.pixel_size_um == pytest.approx(0.325)
    with written.planes[0].open() as pixels:
        assert np.array_equal(pixels.read_all(), image[:-4, 3:])


def test_a_pair_that_is_right_keeps_the_pixel_size_of_the_text_beside_its_image(run, tmp_path):
    image, labels = field()
    for name, values in (("images", image.astype(np.uint16)), ("masks", labels)):
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "a.tif", values)
    (tmp_path / "images/a.txt").write_text("$$SM_MICRON_BAR 100\n$$SM_MICRON_MARKER 30um\n")
    said = run("audit", tmp_path / "images", tmp_path / "masks", "--no-find", "--fix", tmp_path / "fixed")
    assert "1 pair written, 1 of them corrected; 0 left out" in said.err
    written = open_image(tmp_path / "fixed/images/a.tif")
    assert written.pixel_size_um == pytest.approx(0.3)
    with written.planes[0].open() as pixels:
        assert np.array_equal(pixels.read_all(), image)
    (change,) = rows(tmp_path / "fixed/changes.csv")
    assert change["change"] == "pixel size, of the file beside it, written into the image"


def test_fix_keeps_masks_that_merge_beads_and_says_so(run, tmp_path):
    y, x = np.indices(SHAPE)
    labels = np.zeros(SHAPE, np.uint16)
    for number, (top, left) in enumerate(itertools.product(range(20, 250, 36), repeat=2), start=1):
        labels[np.hypot(y - top, x - left) <= 5] = number
        if number % 3 == 0:
            labels[np.hypot(y - top - 9, x - left - 3) <= 5] = number
    image = 100 + 80.0 * (labels > 0) + np.random.default_rng(0).normal(0, 6, SHAPE)
    for part, plane in (("images", image.astype(np.uint16)), ("masks", labels)):
        (tmp_path / part).mkdir()
        tifffile.imwrite(tmp_path / part / "dimers.tif", plane)
    result = run("audit", tmp_path / "images", tmp_path / "masks", "--no-find", "--fix", tmp_path / "fixed")
    assert result.code == 1
    assert "1 pair written, 0 of them corrected; 0 left out" in result.err
    (change,) = rows(tmp_path / "fixed/changes.csv")
    assert change["change"] == "none (but 16 of 49 marks hold several beads by their shape)"
    assert np.array_equal(tifffile.imread(tmp_path / "fixed/masks/dimers.tif"), labels)


def test_an_image_on_both_sides_of_the_split_is_a_leak(run, folder):
    for number in range(3):
        (folder / f"images/f{number}.tif").unlink()
        (folder / f"masks/f{number}_masks.tif").unlink()
    for name in ("a", "b"):
        image = tifffile.imread(folder / "images/f3.tif")
        tifffile.imwrite(folder / f"images/{name}.tif", image + np.uint16(ord(name) % 2))
        tifffile.imwrite(folder / f"masks/{name}.tif", tifffile.imread(folder / "masks/f3_masks.tif"))
    tiles = folder / "tiles"
    cut = run("tile", folder / "images", folder / "masks", "--size", "256", "-o", tiles)
    assert cut.code == 0
    lines = (tiles / "manifest.csv").read_text().splitlines()
    body = [line.split(",", 1) for line in lines[1:]]
    split = [("val" if "/f3_" in rest else "train") + "," + rest for _, rest in body]
    (tiles / "manifest.csv").write_text("\n".join([lines[0], *split]) + "\n")
    result = run("audit", tiles, "--no-find", "-o", folder / "out")
    assert result.code == 1
    faulty = {row["image"]: row["faults"] for row in rows(folder / "out/audit.csv") if row["faults"]}
    assert set(faulty.values()) == {"leak", "duplicate"}


def test_tile_warns_of_masks_that_do_not_fit(run, folder):
    result = run("tile", folder / "images", folder / "masks", "--size", "128", "-o", folder / "tiles")
    assert result.code == 0
    assert "3 of 6 masks checked are bad, for example f0.tif" in result.err
    assert "beadctl audit" in result.err


def test_the_folder_is_compared_with_itself():
    pairs = [field(seed) for seed in range(8)]
    brighter = [((image * 1.5 + 9).astype(np.uint16), labels) for image, labels in pairs[:2]]
    fingerprints = [image_fingerprint(image, labels) for image, labels in [*pairs, *brighter]]
    assert find_duplicates(fingerprints) == {8: 0, 9: 1}
    assert likely_owners(fingerprints, [0], most=1) == {0: [8]}
    assert likely_owners(fingerprints, []) == find_duplicates([None]) == {}


def test_several_blocks_of_fingerprints_are_compared_with_all():
    count, later = 2 * BLOCK + 7, BLOCK + 5
    parts = np.random.default_rng(5).integers(-99, 99, (count, 3, 32, 32), dtype=np.int8)
    parts[later:, 0] = parts[: count - later, 0]
    parts[-3:, 2] = parts[:3, 1]
    fingerprints = [None] * (3 * count)
    for number, (grey, detail, outline) in enumerate(parts):
        shape = (64, 65) if number < count - 1 else (65, 64)
        # Pairs that cannot be read leave gaps.
        fingerprints[3 * number] = ImageFingerprint(shape, grey, detail, outline)
    assert find_duplicates(fingerprints) == {3 * at: 3 * (at - later) for at in range(later, count - 1)}
    masks = [3 * (count - 3), 3 * (count - 2), 3 * (count - 1)]
    owners = likely_owners(fingerprints, masks, most=2)
    assert [found[:1] for found in owners.values()] == [[0], [3], []]
    assert len(owners[3 * (count - 3)]) == 2
