"""Search of files and folders for images."""

from pathlib import Path, PurePosixPath

import pytest

from beadctl.errors import ImageError
from beadctl.images import find


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_names_keep_the_tree_in_natural_order(tmp_path):
    touch(
        tmp_path,
        "a10.tif",
        "a2.TIF",
        "b/c.ome.tiff",
        "b/d/e.PNG",
        "notes.txt",
        "x.jpeg",
        "y.bmp",
        "z.Jpg",
        "f.btf",
    )
    names = [str(f.name) for f in find([tmp_path])]
    assert names == ["a2.TIF", "a10.tif", "b/c.ome.tiff", "b/d/e.PNG", "f.btf", "x.jpeg", "y.bmp", "z.Jpg"]
    assert all(f.path == tmp_path / f.name for f in find([tmp_path]))
    assert all(isinstance(f.name, PurePosixPath) for f in find([tmp_path]))


def test_hidden_and_excluded_entries_are_skipped(tmp_path):
    touch(tmp_path, "a.tif", ".b.tif", ".git/c.tif", "out/masks/d.tif", "outer/e.tif")
    assert [str(f.name) for f in find([tmp_path], exclude=[tmp_path / "out"])] == ["a.tif", "outer/e.tif"]


def test_input_below_an_excluded_folder_is_searched(tmp_path):
    touch(tmp_path, "in/a.tif", "in/masks/b.tif")
    assert [str(f.name) for f in find([tmp_path / "in"], exclude=[tmp_path])] == ["a.tif", "masks/b.tif"]
    found = find([tmp_path / "in"], exclude=[tmp_path / "in"])
    assert [str(f.name) for f in found] == ["a.tif", "masks/b.tif"]


def test_named_files_of_any_suffix_are_found_once(tmp_path):
    touch(tmp_path, "a.tif", "b.dat")
    found = find([tmp_path / "b.dat", tmp_path, tmp_path / "a.tif"])
    assert [str(f.name) for f in found] == ["b.dat", "a.tif"]


def test_error_names_the_suffixes_searched_for(tmp_path):
    touch(tmp_path, "a.txt", "folder.tif/b.txt")
    with pytest.raises(ImageError, match=r"no images; looked for \.tif .*\.bmp") as caught:
        find([tmp_path])
    assert str(tmp_path) in str(caught.value)
    with pytest.raises(ImageError, match="no such file or folder"):
        find([tmp_path / "nowhere"])


def test_cyclic_links_are_followed_once(tmp_path, monkeypatch):
    touch(tmp_path, "a/b.tif")
    try:
        (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "a" / "other loop").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "a" / "self.tif").symlink_to(tmp_path / "a" / "self.tif")
    except OSError:
        pytest.skip("no right to make links")
    iterdir, listed = Path.iterdir, []

    def counted(self):
        listed.append(self)
        assert len(listed) <= 2, "a folder was listed twice"
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", counted)
    assert [str(f.name) for f in find([tmp_path], exclude=[tmp_path / "out"])] == ["a/b.tif"]


def test_unreadable_folder_is_an_image_error(tmp_path, monkeypatch):
    touch(tmp_path, "a.tif", "closed/b.tif")
    iterdir = Path.iterdir

    def refuse(self):
        if self.name == "closed":
            raise PermissionError(13, "Permission denied", str(self))
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(ImageError, match=r"closed: cannot be read \(Permission denied\)"):
        find([tmp_path])
