"""Runs over objects in stores: the results of the same files, under the names of the addresses."""

import json
import zipfile
from pathlib import Path

import pytest
import tifffile
from helpers.images import discs
from helpers.results_folder import table
from helpers.s3 import s3_bucket
from helpers.web import web

from beadctl.results import image_work

fsspec = pytest.importorskip("fsspec", reason="the extra remote is not installed")
pytestmark = pytest.mark.usefixtures("temporary_folder")


@pytest.fixture
def images(tmp_path):
    """A folder of small images, one of them broken, by their places in it."""
    folder = tmp_path / "plate"
    for place, beads in (("a2.tif", 2), ("a10.tif", 3), ("day1/b.tif", 4)):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / place, discs(beads, 96, 96)[0])
    (folder / "day1/words.tif").write_text("Dear microscope,")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.tif")}


@pytest.fixture
def memory(images):
    """These images in a store in memory."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    for place, content in images.items():
        store.pipe_file(f"/bucket/{place}", content)
    yield store
    store.store.clear()


def renamed(rows, before, after=""):
    return [row | {"image": row["image"].removeprefix(before).removesuffix(after)} for row in rows]


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*.tif")}


def test_a_store_gives_the_results_of_the_folder(run, memory, model_path, tmp_path):
    words = ("-m", model_path, "--save", "masks,overlays")
    assert run("segment", "plate", "-o", "here", *words).code == 1
    said = run("segment", "memory://bucket", "-o", "there", *words)
    assert said.code == 1
    assert "memory://bucket/day1/words.tif: not a TIFF" in said.err
    for name in ("counts.csv", "beads.csv"):
        assert renamed(table(f"there/{name}"), "memory://bucket/") == table(f"here/{name}")
    assert files("there/masks/memory:/bucket") == files("here/masks")
    assert json.loads(Path("there/run.json").read_text())["inputs"] == ["memory://bucket"]
    assert not list((tmp_path / "temporary").iterdir())
    # What is done is kept, also where a line of a list names it.
    Path("list.txt").write_text("memory://bucket/a10.tif\n")
    assert run("segment", "@list.txt", "-o", "there", *words).code == 0
    assert [row["status"] for row in table("there/counts.csv")][:1] == ["skipped"]
    assert len(table("there/counts.csv")) == 3
    assert (
        "images that are objects in stores, which are not read again: 3"
        in (said := run("verify", "there")).err
    )
    assert said.code == 0
    # What is never read again has not changed.
    said = run("report", "there")
    assert (
        "planes without picture: 3; their images are objects in stores, which are not read again" in said.err
    )
    assert "warning" not in said.err


def test_members_of_an_archive_are_images(run, images, model_path):
    with zipfile.ZipFile("plate.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for place, content in images.items():
            file.writestr(place, content)
    assert run("count", "plate", "-o", "here", "-m", model_path).code == 1
    assert run("count", "zip://::plate.zip", "-o", "there", "-m", model_path).code == 1
    inside = f"::file://{Path('plate.zip').absolute().as_posix()}"
    assert renamed(table("there/counts.csv"), "zip://", inside) == table("here/counts.csv")


def test_shards_of_a_store_are_one_run(run, memory, model_path):
    words = ("count", "memory://bucket", "-m", model_path)
    assert run(*words, "-o", "whole").code == 1
    for number in (1, 2, 3):
        assert run(*words, "-o", "parts", "--shard", f"{number}/3").code in (0, 1)
    assert run("merge", "parts").code == 1
    for name in ("counts.csv", "beads.csv"):
        assert Path("parts", name).read_bytes() == Path("whole", name).read_bytes()


def test_an_object_that_vanished_is_a_row(run, memory, model_path, monkeypatch):
    """After the search, or while a list still names it."""
    real = image_work.LocalFile

    def opened(item, *others):
        if item.name.name == "a10.tif":
            memory.rm("/bucket/a10.tif")
        return real(item, *others)

    monkeypatch.setattr(image_work, "LocalFile", opened)
    said = run("count", "memory://bucket", "memory://bucket/never.tif", "-o", "out", "-m", model_path)
    assert said.code == 1
    rows = {row["image"]: row for row in table("out/counts.csv")}
    assert len(rows) == 5
    for name in ("a10", "never"):
        row = rows[f"memory://bucket/{name}.tif"]
        assert (row["status"], row["count"]) == ("failed", "")
        assert row["reason"] == "no such object, folder or bucket; check the address"
    assert rows["memory://bucket/a2.tif"]["count"] == "2"


def test_a_signature_is_used_and_kept_nowhere(run, images, model_path, tmp_path):
    pytest.importorskip("aiohttp", reason="the extra remote is not installed")
    names = ["a2.tif", "day1/words.tif", "denied.tif"]
    objects = {f"/{place}": content for place, content in images.items()}
    words = ("-o", "out", "-m", model_path, "--report", "--log-json", "log.jsonl", "-v")
    with web(objects | {"/denied.tif": 403}) as (at, asked):
        said = run("segment", *(f"{at}/{name}?signature=secret" for name in names), *words)
    assert said.code == 1
    assert asked == [f"/{name}?signature=secret" for name in names]
    assert [row["image"] for row in table("out/counts.csv")] == [f"{at}/{name}" for name in names]
    assert f"{at}/denied.tif: access denied" in said.err
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in written if b"secret" in path.read_bytes() or "secret" in str(path)]
    assert "secret" not in said.out + said.err


@pytest.mark.parametrize("command", [("count",), ("segment", "-o", "out")])
def test_a_store_that_cannot_be_used_is_one_line(run, command, model_path):
    for address, words in (
        ("memory://nothing", "no such object, folder or bucket"),
        ("nonsense://a/b.tif", "no kind of store is named nonsense"),
        ("https://me:secret@host/a.tif", "leave them out"),
        ("zip://a.tif", "names no archive; write zip://a.tif::ARCHIVE"),
    ):
        said = run(*command, address, "-m", model_path)
        assert said.code in (1, 2)
        assert words in said.error
        assert "secret" not in said.err
        assert not Path("out").exists()


@pytest.mark.slow
def test_a_bucket_of_s3(run, images, model_path, monkeypatch):
    """Against moto's server."""
    with s3_bucket(monkeypatch) as store:
        for place, content in images.items():
            store.pipe_file(f"bucket/plate/{place}", content)
        assert run("count", "plate", "-o", "here", "-m", model_path).code == 1
        for address, end in (("s3://bucket", ""), ("s3://bucket/plate", ""), ("s3://bucket/plate/", "")):
            out = address.replace("/", "-")
            assert run("count", address, "-o", out, "-m", model_path).code == 1
            assert renamed(table(f"{out}/counts.csv"), "s3://bucket/plate/", end) == table("here/counts.csv")
            assert "of-test" not in Path(out, "run.json").read_text() + Path(out, "settings.toml").read_text()
        said = run("count", "s3://bucket/plate/a2.tif", "s3://bucket/none.tif", "-m", model_path)
        assert (said.code, "s3://bucket/none.tif: no such object" in said.err) == (1, True)
        said = run("count", "s3://none", "-m", model_path)
        assert "s3://none: no such object, folder or bucket" in said.error
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        type(store).clear_instance_cache()
        assert "access denied" in run("count", "s3://bucket", "-m", model_path).error
