"""Blocks of large images that shards share: what is merged is the undivided run, to the byte."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from hypothesis import given, settings
from hypothesis import strategies as st

from beadctl.images import InMemory, open_image
from beadctl.model.session import Model
from beadctl.results import block_store, ledger, shards
from beadctl.results.block_store import BlockStore
from beadctl.segmentation import scale
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.prediction import predict_plane, scaled_plane
from beadctl.segmentation.scale import ScaleLimits
from beadctl.shard import Shard

OPTIONS = SegmentOptions(0.5, 0.3, 12, tile_size=64)
OF_THE_RUN = ("start", "end", "shards")


@pytest.fixture(scope="module", autouse=True)
def _small_limits():
    """Planes of a few hundred pixels are large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scale, "LIMITS", ScaleLimits(sample_edge_px=64, whole_edge_px=128))
        patch.setattr(block_store, "BLOCK_PX", 96)
        yield


@pytest.fixture(scope="module")
def model(model_path):
    return Model(model_path, "cpu", 1)


def crowded(height, width, seed=0):
    """Discs of which many touch, so that clumps lie across the borders of blocks."""
    image = discs(height * width // 1000, height, width, seed=seed)[0]
    return np.maximum(image, np.roll(image, (3, 8), (0, 1)))


@pytest.fixture
def giant(tmp_path):
    """A folder with an image that is far larger than the other two."""
    folder = tmp_path / "images"
    folder.mkdir()
    tifffile.imwrite(folder / "giant.tif", crowded(230, 310), tile=(64, 64))
    for name in ("a.tif", "z.tif"):
        tifffile.imwrite(folder / name, discs(3, 64, 64)[0])
    return folder


@pytest.fixture
def computed(monkeypatch):
    """The blocks that are computed, by shard, in their order."""
    by_shard, real = {}, BlockStore._computed

    def counting(self, scaled, core):
        by_shard.setdefault(self.shard.number, []).append((core.top, core.left))
        return real(self, scaled, core)

    monkeypatch.setattr(BlockStore, "_computed", counting)
    return by_shard


class Unpickled:
    """An object that fails the test where a file of it is loaded."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


def content(out):
    """Every file of a folder of results, without what only shards have."""
    files = {}
    for path in sorted(path for path in Path(out).rglob("*") if path.is_file()):
        name, data = path.relative_to(out).as_posix(), path.read_bytes()
        if name == "run.json":
            data = {key: value for key, value in json.loads(data).items() if key not in OF_THE_RUN}
        if not name.startswith(f"{ledger.FOLDER}/{shards.FOLDER}/") or "/blocks/" in name:
            files[name] = data
    return files


def owner(count):
    """The shard that has the image, which outweighs all others."""
    return next(number for number in range(1, count + 1) if Shard(number, count).members([1, 9, 1]).count(1))


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("first", ["owner", "others"])
def test_shards_of_a_giant_image_are_one_run(run, giant, model_path, computed, count, first):
    words = ("segment", giant, "-o", "out", "-m", model_path)
    assert run(*words).code == 0
    files = content("out")
    shutil.rmtree("out")
    assert not computed
    one = owner(count)
    numbers = sorted(range(1, count + 1), key=lambda number: (number != one) == (first == "owner"))
    for number in numbers:
        assert run(*words, "--shard", f"{number}/{count}").code == 0
    assert run("merge", "out").code == 0
    assert content("out") == files
    # Each block once, by who came first; a single shard shares nothing.
    done = [block for blocks in computed.values() for block in blocks]
    assert len(done) == len(set(done)) == (12 if count > 1 else 0)
    assert set(computed) == ({numbers[0]} if count > 1 else set())


def test_more_shards_than_images_share_the_only_one(run, giant, model_path, computed):
    (giant / "a.tif").unlink()
    (giant / "z.tif").unlink()
    words = ("count", giant, "-o", "out", "-m", model_path)
    said = run(*words, "--shard", "2/2")
    assert said.code == 0
    assert "giant.tif: computing blocks of it for another shard" in said.err
    assert len(computed[2]) == 12
    assert run(*words, "--shard", "1/2").code == 0
    assert set(computed) == {2}
    assert run("merge", "out").code == 0
    assert not block_store.folder_of(Path("out")).exists()


def test_a_shard_that_was_killed_leaves_its_blocks_to_others(run, giant, model_path, computed):
    words = ("segment", giant, "-o", "out", "-m", model_path)
    assert run(*words).code == 0
    files = content("out")
    shutil.rmtree("out")
    one = owner(2)
    assert run(*words, "--shard", f"{3 - one}/2").code == 0
    blocks = sorted(block_store.folder_of(Path("out")).rglob("*.npy"))
    assert len(blocks) == 12
    # Its mark alone, half of a block, another file, and what is none.
    blocks[0].unlink()
    blocks[1].write_bytes(blocks[1].read_bytes()[:200])
    blocks[2].write_text("Dear microscope,")
    blocks[3].write_bytes(b"")
    # Arrays of another shape and type, of objects, an archive of them, and headers that are none.
    np.save(blocks[4], np.zeros((3, 3, 3), np.uint8))
    np.save(blocks[5], np.load(blocks[5]).astype(float))
    np.save(blocks[6], np.array([Unpickled()], object))
    with zipfile.ZipFile(blocks[7], "w") as archive:
        archive.writestr("maps.npy", blocks[8].read_bytes())
    blocks[8].write_bytes(b"PK\x03\x04 and no more")
    blocks[9].write_bytes(b"\x93NUMPY\x01\x00v\x00" + b"{'descr': (((, ".ljust(117) + b"\n")
    assert run(*words, "--shard", f"{one}/2").code == 0
    assert len(computed[one]) == 10
    assert run("merge", "out").code == 0
    assert content("out") == files


def test_a_shard_helps_with_what_is_not_done_alone(run, giant, model_path, computed):
    words = ("count", giant, "-o", "out", "-m", model_path)
    one = owner(2)
    assert run(*words, "--shard", f"{one}/2").code == 0
    shutil.rmtree(block_store.folder_of(Path("out")))
    said = run(*words, "--shard", f"{3 - one}/2")
    assert "computing blocks" not in said.err
    assert set(computed) == {one}


def test_an_image_that_cannot_be_read_fails_once(run, giant, model_path):
    (giant / "giant.tif").write_bytes(b"Dear microscope," * 9000)
    words = ("count", giant, "-o", "out", "-m", model_path)
    one = owner(2)
    assert run(*words, "--shard", f"{3 - one}/2").code == 0
    said = run(*words, "--shard", f"{one}/2")
    assert (said.code, len(said.errors)) == (1, 1)
    assert run("merge", "out").code == 1


def test_blocks_of_an_image_that_changed_are_not_used(run, giant, model_path, computed):
    words = ("count", giant, "-o", "out", "-m", model_path)
    one = owner(2)
    assert run(*words, "--shard", f"{3 - one}/2").code == 0
    tifffile.imwrite(giant / "giant.tif", crowded(230, 310, seed=1), tile=(64, 64))
    assert run(*words, "--shard", f"{one}/2").code == 0
    assert len(computed[one]) == 12


@settings(max_examples=15)
@given(data=st.data())
def test_maps_are_those_of_the_plane_whoever_computed_the_blocks(data, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plane")
    height, width = (data.draw(st.integers(129, 240)) for _ in range(2))
    image = crowded(height, width, seed=data.draw(st.integers(0, 9)))
    tifffile.imwrite(folder / "a.tif", image)
    (plane,) = open_image(folder / "a.tif").planes
    whole = predict_plane(InMemory(image), model, OPTIONS)
    scaled = scaled_plane(InMemory(image), model, OPTIONS)
    count = data.draw(st.integers(1, 5))
    tiles = st.sampled_from([32, 64, 0])
    stores = [
        BlockStore(folder, Shard(number, count), frozenset([plane.path]), "key", model, data.draw(tiles))
        for number in range(1, count + 1)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block_store, "BLOCK_PX", data.draw(st.sampled_from([32, 72, 96, 256])))
        for store in data.draw(st.lists(st.sampled_from(stores), max_size=2)):
            left = iter(range(data.draw(st.integers(0, 9))))
            store.fill(plane, scaled, lambda left=left: next(left, None) is None)
        found = scaled.predicted(data.draw(st.sampled_from(stores)).maps(plane, scaled))
    assert np.array_equal(found.maps.probability, whole.maps.probability)
    assert np.array_equal(found.maps.marker, whole.maps.marker)
