"""Tiles of an earlier run: kept, completed, overwritten or refused."""

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.tiles import SIZES, content

from beadctl.dataset.folds import write_fold
from beadctl.dataset.manifest import read_manifest
from beadctl.errors import AnnotationError


def test_tiles_are_kept_until_they_are_overwritten(run, dataset):
    assert run(*dataset).code == 0
    before = content("tiles")
    Path("tiles/images/mine.tif").write_text("mine")
    said = run(*dataset, "--size", "32")
    assert said.code == 3
    assert "--overwrite" in said.error
    assert content("tiles") == before | {"images/mine.tif": b"mine"}
    assert run(*dataset, "--size", "32", "--overwrite").code == 0
    rows = read_manifest(Path("tiles"))
    assert {row.height for row in rows} == {32}
    assert set(Path("tiles/images").iterdir()) == {
        *(row.image for row in rows),
        Path("tiles/images/mine.tif"),
    }


@pytest.mark.parametrize("killed", [False, True])
def test_overwriting_deletes_tiles_that_the_manifest_does_not_list(run, dataset, killed):
    """Empty tiles that were left out, and all tiles where an overwriting run was killed."""
    assert run(*dataset, "--keep-empty", "0").code == 0
    assert len(read_manifest(Path("tiles"))) < len(list(Path("tiles/images").iterdir()))
    if killed:
        Path("tiles/manifest.csv").unlink()
    assert run(*dataset, "--size", "32", "--overwrite").code == 0
    rows = read_manifest(Path("tiles"))
    assert set(Path("tiles").rglob("*.tif")) == {path for row in rows for path in (row.image, row.mask)}


def test_overwriting_leaves_tiles_that_lie_in_another_folder(run, dataset):
    """As the manifest of a fold of cross-validation lists them."""
    assert run(*dataset).code == 0
    rows = read_manifest(Path("tiles"))
    write_fold(rows, {row.source: row.split for row in rows}, Path("fold"))
    before = content("tiles")
    assert run(*dataset[:-1], "fold", "--size", "32", "--overwrite").code == 0
    assert content("tiles") == before
    assert {row.height for row in read_manifest(Path("fold"))} <= {30, 32}


def test_a_manifest_of_an_earlier_beadctl_is_read(run, dataset):
    assert run(*dataset).code == 0
    with Path("tiles/manifest.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    columns = [name for name in lines[0] if name != "cut"]
    with Path("tiles/manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)
    rows = read_manifest(Path("tiles"))
    assert len(rows) == len(lines)
    assert all(row.cut == 0 for row in rows)


@pytest.mark.parametrize("extra", [(), ("--overwrite",)])
def test_tiles_by_offset_and_scale_are_cut_again(run, dataset, extra):
    """As version 0.2 wrote them: they are refused with the command that renews them, and it does."""
    assert run(*dataset).code == 0
    wanted = content("tiles")
    for path in [Path("tiles/manifest.csv"), *Path("tiles/.beadctl").glob("*.json")]:
        text = path.read_text().replace("low", "offset").replace("high", "scale")
        path.write_text(text.replace("median", "earlier"))
    with pytest.raises(AnnotationError, match=r"lacks the column low, median, high; .*: beadctl tile"):
        read_manifest(Path("tiles"))
    assert run(*dataset, *extra).code == 0
    assert content("tiles") == wanted


def times(folder):
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*.tif")}


def test_a_second_run_cuts_only_what_is_missing(run, dataset):
    assert run(*dataset).code == 0
    manifest, before = Path("tiles/manifest.csv").read_bytes(), times("tiles")
    assert run(*dataset).code == 0
    assert times("tiles") == before
    assert Path("tiles/manifest.csv").read_bytes() == manifest
    for folder in ("images", "masks"):
        tifffile.imwrite(Path(folder, "new.tif"), tifffile.imread(Path(folder, "a.tif")))
    gone = next(iter(before))
    gone.unlink()
    assert run(*dataset).code == 0
    after = times("tiles")
    source = gone.name.split("_")[0]
    assert {path for path in before if after[path] != before[path]} == {
        path for path in before if path.name.startswith(f"{source}_")
    }
    assert {row.source for row in read_manifest(Path("tiles"))} == {*SIZES, "new.tif"}
    Path("images/new.tif").unlink()
    said = run(*dataset)
    assert said.code == 3
    assert "new.tif" in said.error


def test_a_source_that_changed_is_not_mixed_with_its_old_tiles(run, dataset):
    assert run(*dataset).code == 0
    tifffile.imwrite("masks/a.tif", np.zeros(SIZES["a.tif"], np.uint16))
    said = run(*dataset)
    assert said.code == 3
    assert "a.tif" in said.error
    assert run(*dataset, "--overwrite").code == 0
    assert all(row.beads == 0 for row in read_manifest(Path("tiles")) if row.source == "a.tif")


def test_where_no_tile_is_left_the_run_fails_and_an_earlier_manifest_goes(run, dataset):
    assert run(*dataset).code == 0
    said = run(*dataset, "--keep-empty", "0", "--min-beads", "99")
    assert said.code == 1
    assert "tiles: no tile is left, as all have fewer beads than --min-beads 99" in said.error
    assert not Path("tiles/manifest.csv").exists()
    assert run(*dataset).code == 0
    assert read_manifest(Path("tiles"))


@pytest.mark.parametrize("extra", [(), ("--overwrite",)])
def test_tiles_are_never_written_beside_their_source_images(run, tmp_path, extra):
    """A simulated data set has the layout of a tile folder; cutting it into itself would destroy it."""
    assert run("simulate", "sim", "-n", "2", "--size", "64").code == 0
    before = content("sim")
    call = ("tile", "sim/images", "sim/masks", "--size", "32", "--overlap", "0", "-o", "sim", *extra)
    said = run(*call)
    assert said.code == 3
    assert "choose another -o" in said.error
    assert content("sim") == before
