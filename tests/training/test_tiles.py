"""Tiles as they are trained on, and those that cannot be."""

import dataclasses

import numpy as np
import pytest
import tifffile
from helpers.training import TINY, go, one_line, write_tiles

from beadctl.dataset.manifest import read_manifest
from beadctl.errors import AnnotationError, TrainingError
from beadctl.training import tiles as tiles_module
from beadctl.training.tiles import Tiles


def test_tiles_are_normalised_as_their_source_and_the_same_from_memory_or_disk(tiles, monkeypatch):
    rows = read_manifest(tiles)
    kept = Tiles(rows, "train", tiles)
    monkeypatch.setattr(tiles_module, "MEMORY_LIMIT_BYTES", 4000)
    fresh = Tiles(rows, "train", tiles)
    assert len(kept) == len(fresh) == 5
    for row, (image, labels), (again, labels_again) in zip(kept.rows, kept, fresh, strict=False):
        raw = tifffile.imread(row.image).astype(np.float64)
        np.testing.assert_allclose(
            image, (raw - (row.low + row.high) / 2) / ((row.high - row.low) / 2), atol=1e-5
        )
        assert np.array_equal(labels, tifffile.imread(row.mask))
        assert np.array_equal(image, again)
        assert np.array_equal(labels, labels_again)


@pytest.mark.parametrize("limit", [None, 4000])
def test_a_tile_that_rows_repeat_is_decoded_and_kept_once(tiles, monkeypatch, limit):
    """With other levels, or the mask of another tile, it gives what a tile of its own would."""
    first, second, *rest = (row for row in read_manifest(tiles) if row.split == "train")
    rows = [first, second, *rest, dataclasses.replace(first, low=first.low - 9), first]
    rows.append(dataclasses.replace(first, mask=second.mask))
    if limit:
        monkeypatch.setattr(tiles_module, "MEMORY_LIMIT_BYTES", limit)
    opened, real = [], tifffile.imread
    monkeypatch.setattr(tifffile, "imread", lambda path: opened.append(path) or real(path))
    repeated = Tiles(rows, "train", tiles)
    assert len(opened) == 2 * (len(rest) + 3)
    for row, (image, mask) in zip(rows, repeated, strict=True):
        ((alone, mask_alone),) = Tiles([row], "train", tiles)
        np.testing.assert_array_equal(image, alone)
        np.testing.assert_array_equal(mask, mask_alone)


def broken(folder, what):
    manifest = folder / "manifest.csv"
    text = manifest.read_text()
    match what:
        case "no folder":
            return folder / "nowhere"
        case "no manifest":
            manifest.unlink()
        case "no column":
            manifest.write_text(text.replace("median", "shift"))
        case "no number":
            manifest.write_text(text.replace(",40,40,", ",40,wide,"))
        case "unknown split":
            manifest.write_text(text.replace("val,", "validate,"))
        case "no validation":
            manifest.write_text(text.replace("val,", "test,"))
        case "no training":
            manifest.write_text(text.replace("train,", "test,"))
        case "not text":
            manifest.write_bytes(b"\xff\xfe\x00\x80" * 20)
        case "missing tile":
            (folder / "images" / "0.tif").unlink()
        case "empty tile":
            (folder / "images" / "0.tif").write_bytes(b"")
        case "cut tile":
            content = (folder / "images" / "0.tif").read_bytes()
            (folder / "images" / "0.tif").write_bytes(content[: len(content) // 2])
        case "other size":
            tifffile.imwrite(folder / "masks" / "0.tif", np.zeros((40, 41), np.uint8))
        case "empty masks" | "full masks":
            split, value = ("train", 0) if what == "empty masks" else ("val", 7)
            for row in read_manifest(folder):
                if row.split == split:
                    tifffile.imwrite(row.mask, np.full((row.height, row.width), value, np.uint16))
        case "no labels":
            tifffile.imwrite(folder / "masks" / "0.tif", np.zeros((40, 40), np.float32))
    return folder


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("no folder", "beadctl tile"),
        ("no manifest", "beadctl tile"),
        ("no column", "median"),
        ("no number", "wide"),
        ("unknown split", "validate"),
        ("no validation", "no val tiles"),
        ("no training", "no train tiles"),
        ("not text", "manifest.csv"),
        ("missing tile", "0.tif"),
        ("empty tile", "0.tif"),
        ("cut tile", "0.tif"),
        ("other size", "0.tif"),
        ("no labels", "0.tif"),
        ("empty masks", r"no bead in the masks of all train tiles \(1\)"),
        ("full masks", r"nothing but bead in the masks of all val tiles \(1\)"),
    ],
)
def test_tiles_that_cannot_be_used(tmp_path, what, words):
    folder = broken(write_tiles(tmp_path / "tiles", ("train", "val")), what)
    with pytest.raises((TrainingError, AnnotationError), match=words) as error:
        go(TINY, folder, tmp_path / "run")
    one_line(error)
    assert not (tmp_path / "run" / "last.pt").exists()
