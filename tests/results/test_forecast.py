"""What `segment --dry-run` tells is what a run takes."""

import csv
import io

import numpy as np
import pytest
import tifffile

from beadctl.memory import MemoryPlan, parsed
from beadctl.model.blocks import blocks
from beadctl.model.session import Model
from beadctl.results.forecast import forecast


@pytest.fixture
def images(tmp_path):
    (tmp_path / "in").mkdir()
    tifffile.imwrite(tmp_path / "in/a.tif", np.zeros((3, 300, 700), np.uint16), photometric="minisblack")
    tifffile.imwrite(tmp_path / "in/b.tif", np.zeros((40, 50), np.uint8))
    (tmp_path / "in/c.tif").write_bytes(b"II*\0 broken")
    return tmp_path / "in"


def test_it_names_tiles_memory_and_time_and_writes_nothing(run, images, model_path, tmp_path):
    said = run("segment", images, "-m", model_path, "--dry-run", "--tile-size", "256", "-o", tmp_path / "out")
    table = dict(csv.reader(io.StringIO(said.out)))
    assert said.code == 1
    assert (table["images"], table["unreadable images"], table["planes"]) == ("3", "1", "4")
    assert float(table["megapixels"]) == pytest.approx((3 * 300 * 700 + 40 * 50) / 1e6)
    facts = Model(model_path, "cpu").facts
    cut = [
        list(blocks(*size, tile_size=256, halo=facts.halo, stride=facts.stride))
        for size in ((300, 700), (40, 50))
    ]
    assert int(table["tiles"]) == 3 * len(cut[0]) + len(cut[1])
    assert parsed(table["memory"]) > 400 * 2**20
    assert table["temporary files"] == "0M"
    assert not (tmp_path / "out").exists()
    (images / "c.tif").unlink()
    assert run("segment", images, "-m", model_path, "--dry-run", "-o", tmp_path / "out").code == 0


def test_what_does_not_fit_into_memory_is_files(images, model_path):
    from beadctl.images import ReadOptions, find

    found, model = find([images]), Model(model_path, "cpu")
    ample = forecast(found, ReadOptions(), model, MemoryPlan(256, 2**30))
    scarce = forecast(found, ReadOptions(), model, MemoryPlan(256, 0))
    assert ample.disk_bytes == 0
    # Pixels of two bytes, two maps, two label images and where beads are.
    assert scarce.disk_bytes == 300 * 700 * (2 + 2 + 8 + 1)
    assert ample.memory_bytes - scarce.memory_bytes == scarce.disk_bytes
    assert ample.seconds > 0
    assert ample.network_pixels >= ample.pixels


def test_processes_that_share_the_images_need_memory_each(run, images, model_path, monkeypatch):
    (images / "c.tif").unlink()
    words = ("segment", images, "-m", model_path, "--dry-run", "--max-memory", "9G", "--threads", "2")
    monkeypatch.setattr("beadctl.cpus._present_cpus", lambda: 2)
    tables = []
    for each in (2, 1):
        monkeypatch.setattr("beadctl.cluster.place.IMAGES_EACH", each)
        tables.append(dict(csv.reader(io.StringIO(run(*words).out))))
    alone, shared = tables
    assert (alone["processes"], shared["processes"]) == ("1", "2")
    assert parsed(shared["memory"]) == pytest.approx(2 * parsed(alone["memory"]), rel=0.05)


def test_images_that_an_earlier_run_has_done_take_nothing(run, images, model_path, tmp_path):
    (images / "c.tif").unlink()
    words = ("-m", model_path, "-o", tmp_path / "out")
    run("segment", images / "a.tif", *words)
    before = [
        dict(csv.reader(io.StringIO(run("segment", images, *words, *more, "--dry-run").out)))
        for more in ((), ("--overwrite",))
    ]
    assert [(one["images"], one["done by an earlier run"], one["planes"]) for one in before] == [
        ("2", "1", "1"),
        ("2", "0", "4"),
    ]
    run("segment", images, *words)
    done = dict(csv.reader(io.StringIO(run("segment", images, *words, "--dry-run").out)))
    assert (done["done by an earlier run"], done["tiles"], done["time"]) == ("2", "0", "0:00:00")
