"""Folder of simulated images: reproducible, complete, not overwritten."""

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile

from beadctl.errors import OutputError
from beadctl.simulate import render, write


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_seed_determines_the_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write(tmp_path / name, 3, 64, seed)
    first, second, other = (contents(tmp_path / name) for name in "abc")
    assert sorted(first) == [
        *(f"images/sim_0000{i}.tif" for i in range(3)),
        "manifest.csv",
        *(f"masks/sim_0000{i}.tif" for i in range(3)),
    ]
    assert first == second
    assert all(first[name] != other[name] for name in first if name.startswith("images"))


def test_larger_count_keeps_the_first_images(tmp_path: Path) -> None:
    write(tmp_path / "few", 2, 48, 11)
    write(tmp_path / "many", 4, 48, 11)
    few, many = contents(tmp_path / "few"), contents(tmp_path / "many")
    assert all(many[name] == few[name] for name in few if name != "manifest.csv")
    assert many["manifest.csv"].startswith(few["manifest.csv"])


def test_files_contain_the_scene(tmp_path: Path) -> None:
    seen: list[Path] = []
    paths = write(tmp_path, 3, 96, 5, on_image=seen.append)
    assert seen == paths
    with (tmp_path / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for index, (path, row) in enumerate(zip(paths, rows, strict=True)):
        scene = render(np.random.default_rng([5, index]), 96)
        image, mask = tifffile.imread(path), tifffile.imread(tmp_path / "masks" / path.name)
        np.testing.assert_array_equal(image, scene.image)
        np.testing.assert_array_equal(mask, scene.labels)
        assert image.dtype == scene.image.dtype
        assert row["image"] == path.name
        assert int(row["beads"]) == scene.labels.max()
        assert {key: row[key] for key in scene.facts} == {k: str(v) for k, v in scene.facts.items()}


def test_existing_images_are_replaced_only_with_overwrite(tmp_path: Path) -> None:
    write(tmp_path, 1, 32, 1)
    before = contents(tmp_path)
    with pytest.raises(OutputError, match=r"manifest\.csv"):
        write(tmp_path, 1, 32, 2)
    (tmp_path / "manifest.csv").unlink()
    with pytest.raises(OutputError, match=r"sim_00000\.tif"):
        write(tmp_path, 1, 32, 2)
    write(tmp_path, 1, 32, 2, overwrite=True)
    assert contents(tmp_path)["images/sim_00000.tif"] != before["images/sim_00000.tif"]


def test_overwriting_leaves_no_image_of_the_earlier_run(tmp_path: Path) -> None:
    """Images beyond a smaller count stayed, and were no longer in the manifest."""
    write(tmp_path, 4, 32, 1)
    for name in ("sim_notes.tif", "own.tif"):
        (tmp_path / "images" / name).write_bytes(b"not ours")
    write(tmp_path, 2, 32, 2, overwrite=True)
    names = [f"{folder}/sim_0000{i}.tif" for folder in ("images", "masks") for i in range(2)]
    assert sorted(contents(tmp_path)) == sorted(
        [*names, "images/own.tif", "images/sim_notes.tif", "manifest.csv"]
    )


def test_a_run_that_ends_early_leaves_no_manifest_of_an_earlier_one(tmp_path: Path) -> None:
    write(tmp_path, 2, 32, 1)

    def stop(_: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, 2, 32, 2, overwrite=True, on_image=stop)
    assert sorted(contents(tmp_path)) == ["images/sim_00000.tif", "masks/sim_00000.tif"]
