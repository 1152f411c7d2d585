"""A folder of pairs is audited: the table, the page, the exit code."""

import numpy as np
import pytest
import tifffile
from helpers.audited import SHAPE
from helpers.results_folder import table


def test_the_table_names_the_owner_of_a_swapped_mask(run, folder):
    result = run("audit", folder / "images", folder / "masks", "--no-find", "-o", folder / "out")
    assert result.code == 1
    found = {row["image"]: row for row in table(folder / "out/audit.csv")}
    assert [row["verdict"] for row in found.values()] == ["bad", "bad", "bad", "ok", "ok", "ok"]
    assert "belongs to f1.tif" in found["f0.tif"]["findings"]
    assert "belongs to f0.tif" in found["f1.tif"]["findings"]
    assert float(found["f2.tif"]["shift_y_px"]) == pytest.approx(-4, abs=0.3)
    assert float(found["f2.tif"]["shift_x_px"]) == pytest.approx(3, abs=0.3)
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
    found = {row["image"]: row for row in table(folder / "out/audit.csv")}
    assert len(found) == 6
    assert found["f3.tif"]["faults"] == found["f4.tif"]["faults"] == "unreadable"
    assert "9x9" in found["f4.tif"]["findings"]


@pytest.mark.parametrize("value", [np.nan, 1e31])
def test_an_image_that_no_network_is_shown_is_a_row(run, folder, model_path, value):
    image = np.full(SHAPE, value, np.float32)
    image[:9] *= 0.5
    tifffile.imwrite(folder / "images/f5.tif", image)
    tifffile.imwrite(folder / "masks/f5_masks.tif", np.zeros(SHAPE, np.uint16))
    result = run("audit", folder / "images", folder / "masks", "-m", model_path, "-o", folder / "out")
    assert result.code == 1
    row = table(folder / "out/audit.csv")[5]
    assert (row["image"], row["faults"]) == ("f5.tif", "unreadable")
    assert row["findings"].startswith(f"{folder / 'images/f5.tif'}: ")


def test_right_pairs_exit_with_0_and_are_compared_with_a_model(run, folder, model_path):
    for number in range(3):
        (folder / f"images/f{number}.tif").unlink()
        (folder / f"masks/f{number}_masks.tif").unlink()
    result = run("audit", folder / "images", folder / "masks", "-m", model_path)
    assert result.code == 0
    assert "3 ok, 0 check, 0 bad" in result.err


def test_tile_warns_of_masks_that_do_not_fit(run, folder):
    result = run("tile", folder / "images", folder / "masks", "--size", "128", "-o", folder / "tiles")
    assert result.code == 0
    assert "3 of 6 masks checked are bad, for example f0.tif" in result.err
    assert "beadctl audit" in result.err
