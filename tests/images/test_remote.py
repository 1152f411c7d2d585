"""Objects in stores: which of them are images, and the file of each while it is read."""

import contextlib
import errno
import gc
import importlib
import shutil
import socketserver
import sys
import threading
import time
import zipfile
from itertools import repeat
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pytest
from helpers.web import web

from beadctl import store
from beadctl.errors import ImageError, MissingExtraError, OutputError
from beadctl.images import Found, Limits, LocalFile, Selection, search
from beadctl.url import Url

fsspec = pytest.importorskip("fsspec", reason="the extra remote is not installed")
pytestmark = pytest.mark.usefixtures("temporary_folder")

TREE = ("a10.tif", "a2.TIF", "b/c.ome.tiff", "b/10/e.png", "b/9/e.png", ".hidden/a.tif", ".b.tif", "x.txt")
SELECTIONS = (
    Selection(),
    Selection(recursive=False),
    Selection(include=("*.png", "a2*")),
    Selection(exclude=("*b/9/*",)),
)


@pytest.fixture
def memory(tmp_path):
    """A store in memory, empty; its folder and that on disk of the same content."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    for name in TREE:
        store.pipe_file(f"/plate/{name}", name.encode())
        (tmp_path / "plate" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "plate" / name).write_text(name)
    yield store
    store.store.clear()


def archive(path, *names):
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, name.removeprefix("plate/"))
    return path


@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_store_is_searched_as_a_folder_is(memory, tmp_path, selection):
    here = search([tmp_path / "plate"], (), selection)
    there = search([Path("memory://plate")], (), selection)
    inside = archive(tmp_path / "plate.zip", *(f"plate/{name}" for name in TREE))
    in_archive = search([Path(f"zip://plate::{inside}")], (), selection)
    names = [str(item.name) for item in here.images]
    assert [item.shown for item in there.images] == [f"memory://plate/{name}" for name in names]
    assert [item.shown for item in in_archive.images] == [
        f"zip://plate/{name}::file://{inside.as_posix()}" for name in names
    ]
    assert there.others == in_archive.others == here.others
    sizes = [item.size for item in here.images]
    assert [item.size for item in there.images] == [item.size for item in in_archive.images] == sizes


def test_objects_are_named_in_lists_and_on_their_own(memory, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_text("memory://plate/b/9/e.png\nplate/a10.tif\nmemory://plate/a10.tif\n")
    found = search([Path("@list.txt"), Path("memory://plate/a10.tif")], (), Selection()).images
    assert [item.shown for item in found] == [
        "memory://plate/b/9/e.png",
        "plate/a10.tif",
        "memory://plate/a10.tif",
    ]
    assert found[1].url is None


def test_a_file_by_its_address_is_the_file(tmp_path):
    (tmp_path / "a.tif").touch()
    (item,) = search([Path(f"file://{tmp_path.as_posix()}/a.tif")], (), Selection()).images
    assert (item.path, item.name, item.url) == (tmp_path / "a.tif", PurePosixPath("a.tif"), None)


@pytest.mark.parametrize("text", ["memory://nothing", "memory://plate/b/9/none", "zip://::{}/none.zip"])
def test_what_is_not_there_is_one_line(memory, tmp_path, text):
    text = text.format(tmp_path.as_posix())
    with pytest.raises(ImageError, match="no such object, folder or bucket; check the address") as caught:
        search([Path(text)], (), Selection())
    assert "\n" not in str(caught.value)


def test_a_folder_without_images_says_what_was_looked_for(memory):
    memory.pipe_file("/other/notes.txt", b"")
    with pytest.raises(ImageError, match=r"memory://other: no images; looked for \.tif"):
        search([Path("memory://other")], (), Selection())


@pytest.mark.parametrize("member", ["../../b.tif", "day1/../../c.tif", "..\\d.tif", "../\n.tif"])
def test_a_member_that_would_leave_the_results_is_said(tmp_path, member):
    """It is not left out in silence, as hidden files are."""
    inside = archive(tmp_path / "evil.zip", "a.tif", ".hidden.tif", member)
    with pytest.raises(ImageError, match=r"evil\.zip: holds .* has a part \.\.") as caught:
        search([Path(f"zip://::{inside}")], (), Selection())
    assert "\n" not in str(caught.value)


def test_a_member_that_would_leave_the_results_and_is_no_image_does_not_matter(tmp_path):
    inside = archive(tmp_path / "odd.zip", "a.tif", "../../notes.txt")
    (item,) = search([Path(f"zip://::{inside}")], (), Selection()).images
    assert item.name.name == "a.tif"
    with pytest.raises(ImageError, match=r"has a part \.\."):
        search([Path(f"zip://../../b.tif::{inside}")], (), Selection())


def test_a_damaged_archive_is_one_line(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"no archive")
    with pytest.raises(ImageError, match="the archive cannot be read"):
        search([Path(f"zip://::{tmp_path / 'a.zip'}")], (), Selection())


def test_an_archive_that_was_replaced_is_read_anew(tmp_path):
    path = tmp_path / "a.zip"
    for name in ("one.tif", "other.tif"):
        archive(path, name)
        (item,) = search([Path(f"zip://::{path}")], (), Selection()).images
        assert LocalFile(item).path.name == name


def test_a_copy_lasts_as_long_as_it_is_needed(memory, tmp_path):
    item = Found.of_url(Url.parse("memory://plate/b/c.ome.tiff"))
    copy = LocalFile(item)
    assert copy.path.read_text() == "b/c.ome.tiff"
    # So notes and messages tell which object it is.
    assert copy.path.parts[-4:] == ("memory", "plate", "b", "c.ome.tiff")
    copy.remove()
    copy.remove()
    assert not list((tmp_path / "temporary").iterdir())
    forgotten = LocalFile(item)
    del forgotten
    gc.collect()
    assert not list((tmp_path / "temporary").iterdir())


def test_the_file_of_a_file_is_itself_and_stays(tmp_path):
    (tmp_path / "a.tif").touch()
    copy = LocalFile(Found(tmp_path / "a.tif", PurePosixPath("a.tif")))
    copy.remove()
    assert copy.path == tmp_path / "a.tif"
    assert copy.path.exists()


OBJECTS = {
    "/a.tif": b"content",
    "/denied.tif": 403,
    "/unknown.tif": 401,
    "/gone.tif": 410,
    "/broken.tif": 503,
    "/silent.tif": None,
}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("denied.tif", "access denied"),
        ("unknown.tif", "access denied"),
        ("gone.tif", "no such object"),
        ("missing.tif", "no such object"),
        ("broken.tif", "the server answers with status 503"),
        ("silent.tif", "no answer in time"),
    ],
)
def test_failures_of_a_web_server_are_one_line(monkeypatch, tmp_path, name, words):
    pytest.importorskip("aiohttp", reason="the extra remote is not installed")
    monkeypatch.setattr(store, "TIMEOUT_S", 0.3)
    store.forget()
    with web(OBJECTS) as (address, _):
        (item,) = search([Path(f"{address}/{name}?signature=secret")], (), Selection()).images
        with pytest.raises(ImageError, match=words) as caught:
            LocalFile(item)
    store.forget()
    assert str(caught.value).startswith(f"{address}/{name}: ")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    del caught
    gc.collect()
    assert not list((tmp_path / "temporary").iterdir())


def test_an_endless_answer_is_given_up(tmp_path):
    """A web server need not tell how long an object is, nor end it."""
    pytest.importorskip("aiohttp", reason="the extra remote is not installed")
    with web({"/endless.tif": repeat(b"x" * 2**16)}) as (address, _):
        (item,) = search([Path(f"{address}/endless.tif?key=1")], (), Selection()).images
        with pytest.raises(ImageError, match=r"endless\.tif: more than the 3,000,000 bytes") as caught:
            LocalFile(item, Limits(max_copy_bytes=3_000_000))
    assert "key" not in str(caught.value)
    del caught
    gc.collect()
    assert not list((tmp_path / "temporary").iterdir())


def test_an_answer_that_trickles_is_given_up(tmp_path, monkeypatch):
    """Each byte comes before the time-out of a silent server, so only the rate tells."""
    pytest.importorskip("aiohttp", reason="the extra remote is not installed")
    monkeypatch.setattr(importlib.import_module("beadctl.images.remote"), "PERIOD_S", 0.05)

    def trickle():
        while True:
            time.sleep(0.02)
            yield b"x"

    with web({"/slow.tif": trickle()}) as (address, _):
        (item,) = search([Path(f"{address}/slow.tif?key=1")], (), Selection()).images
        with pytest.raises(ImageError, match=r"slow\.tif: comes at less than 1 kB a second; check") as caught:
            LocalFile(item)
    assert "key" not in str(caught.value)
    del caught
    gc.collect()
    assert not list((tmp_path / "temporary").iterdir())


def test_headers_that_trickle_are_given_up(monkeypatch):
    """They end after 4 s, by which an object that is not there would be told."""
    pytest.importorskip("aiohttp", reason="the extra remote is not installed")
    monkeypatch.setattr(store, "TIMEOUT_S", 0.5)
    store.forget()

    class Trickle(socketserver.BaseRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):
                self.request.recv(2**16)
                self.request.sendall(b"HTTP/1.1 404 Not Found\r\nX-Slow: ")
                for _ in range(200):
                    time.sleep(0.02)
                    self.request.sendall(b"x")
                self.request.sendall(b"\r\nContent-Length: 0\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Trickle) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/slow.tif"
        with pytest.raises(ImageError, match="no answer in time"):
            LocalFile(Found.of_url(Url.parse(address)))
        server.shutdown()
    store.forget()


def test_an_object_beyond_the_limit_is_refused(memory):
    item = Found.of_url(Url.parse("memory://plate/a2.TIF"))
    assert LocalFile(item, Limits(max_copy_bytes=6)).path.read_text() == "a2.TIF"
    with pytest.raises(ImageError, match=r"images\.max_copy_bytes"):
        LocalFile(item, Limits(max_copy_bytes=5))


def test_what_the_disk_cannot_hold_is_not_begun(monkeypatch, tmp_path):
    """The others of the run would fail too."""
    pytest.importorskip("aiohttp", reason="the extra remote is not installed")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=6))
    with web({"/a.tif": b"content"}) as (address, _):
        (item,) = search([Path(f"{address}/a.tif")], (), Selection()).images
        with pytest.raises(OutputError, match=r"no room for a copy of .*/a\.tif; set TMPDIR"):
            LocalFile(item)


def test_a_server_that_is_not_there_is_one_line():
    pytest.importorskip("aiohttp", reason="the extra remote is not installed")
    with web({}) as (address, _):
        pass
    (item,) = search([Path(f"{address}/a.tif")], (), Selection()).images
    with pytest.raises(ImageError, match="cannot be reached"):
        LocalFile(item)


def test_a_server_that_serves_one_at_a_time_is_refused():
    with pytest.raises(ImageError, match=r"^ftp:.*: ftp servers are not read"):
        search([Path("ftp://example.org/a.tif")], (), Selection())


def test_a_web_server_is_asked_for_what_was_named_and_nothing_else(tmp_path):
    pytest.importorskip("aiohttp", reason="the extra remote is not installed")
    with web(OBJECTS) as (address, asked):
        found = search([Path(f"{address}/a.tif"), Path(f"{address}/a?id=7")], (), Selection()).images
        assert asked == []
        (tmp_path / "list.txt").write_text(f"{address}/folder/\n")
        for folder in (address, f"{address}/", f"@{tmp_path / 'list.txt'}"):
            with pytest.raises(ImageError, match="name them, as in a list"):
                search([Path(folder)], (), Selection())
        assert LocalFile(found[0]).path.read_bytes() == b"content"
        assert asked == ["/a.tif"]


def test_one_place_with_two_signatures_is_refused():
    pytest.importorskip("aiohttp", reason="the extra remote is not installed")
    with pytest.raises(ImageError, match="given twice with different queries") as caught:
        search([Path("https://host/a.tif?key=1"), Path("https://host/a.tif?key=2")], (), Selection())
    assert "key" not in str(caught.value)


def test_a_package_that_lacks_is_named(monkeypatch):
    for scheme, module, words in (
        ("https", "aiohttp", r"beadctl\[remote\]"),
        ("s3", "s3fs", r"\(pip install s3fs\)$"),
        ("gcs", "gcsfs", r"\(pip install gcsfs\)$"),
        ("abfs", "adlfs", "[^)]$"),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        for name in [name for name in sys.modules if name.startswith("fsspec.implementations.http")]:
            monkeypatch.delitem(sys.modules, name)
        registry = importlib.import_module("fsspec.registry")
        monkeypatch.delitem(registry._registry, scheme, raising=False)
        with pytest.raises(MissingExtraError, match=words):
            search([Path(f"{scheme}://bucket/a.tif")], (), Selection())
    with pytest.raises(ImageError, match="no kind of store is named nonsense"):
        search([Path("nonsense://bucket/a.tif")], (), Selection())


def test_a_full_disk_is_an_error_of_the_run_and_not_of_the_object(memory, monkeypatch):
    def fail(self, *words, **others):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(memory), "get_file", fail)
    with pytest.raises(OutputError, match=r"no room for a copy of memory:.*; set TMPDIR"):
        LocalFile(Found.of_url(Url.parse("memory://plate/a.tif")))
