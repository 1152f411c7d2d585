"""What has arrived in a folder, look by look."""

from types import SimpleNamespace

import pytest

from beadctl.images import Selection
from beadctl.results import arrivals
from beadctl.results.arrivals import LOOK_S, MOST_SHARE, MOST_WAIT, Arrivals, Folder


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


class Looks:
    """Arrivals in a folder, looked at by hand."""

    def __init__(self, folder):
        self.waited_s = []
        self._arrivals = Arrivals(Folder(folder, [], Selection()), self.waited_s.append)

    def __call__(self, failing=False):
        self._arrivals.look()
        complete = list(self._arrivals.complete())
        for item in complete if failing else ():
            self._arrivals.failed(item)
        return [item.path.name for item in complete]

    @property
    def arrivals(self):
        return self._arrivals


def test_an_image_is_complete_when_two_looks_see_the_same(folder):
    looks, path = Looks(folder), folder / "a.tif"
    assert looks() == []
    for size in (10, 20, 30):
        path.write_bytes(b"x" * size)
        assert looks() == []
    assert [looks() for _ in range(4)] == [["a.tif"], [], [], []]
    path.write_bytes(b"x" * 40)
    assert [looks() for _ in range(3)] == [[], ["a.tif"], []]
    # One that is moved into the place of another has another time or size.
    (folder / "new").write_bytes(b"x" * 50)
    (folder / "new").rename(path)
    assert [looks() for _ in range(3)] == [[], ["a.tif"], []]
    path.unlink()
    assert looks() == []
    assert looks.arrivals.images == ()


def test_one_that_fails_is_tried_again_less_and_less_often(folder):
    looks = Looks(folder)
    (folder / "a.tif").write_bytes(b"x")
    tried = [number for number in range(1, 40) if looks(failing=True)]
    assert tried == [2, 4, 8, 16, 32]
    # What it lacks may be another file, which comes after hours.
    for _ in range(500):
        looks(failing=True)
    assert any(looks(failing=True) for _ in range(MOST_WAIT))


def test_a_folder_out_of_reach_loses_nothing(folder):
    looks = Looks(folder)
    (folder / "a.tif").write_bytes(b"x")
    assert [looks(), looks()] == [[], ["a.tif"]]
    folder.rename(folder.with_name("away"))
    assert looks() == []
    assert "no such file or folder" in looks.arrivals.lost
    assert [item.path.name for item in looks.arrivals.images] == ["a.tif"]
    folder.with_name("away").rename(folder)
    (folder / "b.tif").write_bytes(b"x")
    assert [looks(), looks(), looks()] == [[], ["b.tif"], []]
    assert looks.arrivals.lost == ""


def test_what_is_not_read_is_known_from_the_first_look_on(folder):
    looks = Looks(folder)
    (folder / "a.svs").write_bytes(b"x")
    looks()
    assert "1 .svs" in looks.arrivals.unread
    assert looks.arrivals.lost == ""


def test_looks_at_a_slow_folder_are_rarer(folder, monkeypatch):
    looks = Looks(folder)
    looks.arrivals.pause()
    looks()
    clock = iter([10.0, 13.0])
    monkeypatch.setattr(arrivals, "time", SimpleNamespace(monotonic=clock.__next__))
    looks()
    looks.arrivals.pause()
    assert looks.waited_s == [LOOK_S, 3.0 / MOST_SHARE]
