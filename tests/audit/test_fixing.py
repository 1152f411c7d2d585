"""Safe corrections, written beside the source."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.audited import SHAPE, field
from helpers.faults import shifted
from helpers.results_folder import table

from beadctl.images import open_image


def test_fix_writes_safe_corrections_and_changes_no_source(run, folder):
    before = {path: path.read_bytes() for path in folder.rglob("*.tif")}
    result = run("audit", folder / "images", folder / "masks", "--no-find", "--fix", folder / "fixed")
    assert result.code == 1
    assert "4 pairs written, 1 of them corrected; 2 left out" in result.err
    assert {path: path.read_bytes() for path in before} == before
    changes = {row["image"]: row for row in table(folder / "fixed/changes.csv")}
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
    (change,) = table(tmp_path / "fixed/changes.csv")
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
    (change,) = table(tmp_path / "fixed/changes.csv")
    assert change["change"] == "none (but 16 of 49 marks hold several beads by their shape)"
    assert np.array_equal(tifffile.imread(tmp_path / "fixed/masks/dimers.tif"), labels)


def test_images_whose_copies_would_have_one_name_are_refused_before_the_audit(run):
    """On some file systems the second of two that differ in case would replace the first."""
    image, labels = field(0)
    for name, content in (("images", image), ("masks", labels)):
        Path(name).mkdir()
        for number in ("f0.tif", "F0.tif"):
            tifffile.imwrite(Path(name, number), content)
    said = run("audit", "images", "masks", "--no-find", "--fix", "fixed")
    assert said.code == 3
    assert "would both be" in said.error
    assert "auditing" not in said.err
