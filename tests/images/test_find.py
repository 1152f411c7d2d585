"""Search of files and folders for images."""

import os
import sys
from importlib import import_module
from pathlib import Path, PurePosixPath

import pytest
from helpers.reading import read_error

from beadctl.errors import ImageError
from beadctl.images import Selection, find, search


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
    assert [str(f.name) for f in find([tmp_path], exclude=[tmp_path / "out"])] == ["a/b.tif", "a/self.tif"]


def names(found):
    return [str(item.name) for item in found.images]


def test_masks_and_overlays_of_images_are_left_out_and_named(tmp_path):
    made = [
        "a_masks.tif",
        "a_overlay.png",
        "a_p0001_overlay.png",
        "a_cp_masks.png",
        "Mask of a.tif",
        "masks/a.tif",
    ]
    made += ["results/a_masks.tif", "A_Mask_2.tif", "a_seg.png", "masks/b_labels.tif"]
    touch(tmp_path, "a.ome.tif", "b.tif", "b_segment.tif", "lonely_masks.tif", "masks/other.tif", *made)
    found = search([tmp_path], [], Selection())
    assert names(found) == ["a.ome.tif", "b.tif", "b_segment.tif", "lonely_masks.tif", "masks/other.tif"]
    assert sorted(path.relative_to(tmp_path).as_posix() for path in found.companions) == sorted(made)
    assert [
        note for note in found.notes() if note[0] and "masks or overlays of these images, 10 files" in note[1]
    ]
    given = search([tmp_path / "b.tif", tmp_path / "masks/b_labels.tif"], [], Selection())
    assert names(given) == ["b.tif", "b_labels.tif"]


def test_other_files_are_said_once_a_kind(tmp_path):
    touch(tmp_path, "a.tif", "b.oir", "c.OIR", "d.vsi", "Thumbs.db", "a_seg.npy", ".DS_Store", "x.zarr/0.0")
    notes = list(search([tmp_path], [], Selection()).notes())
    assert notes == [
        (True, "not read: 2 .oir, 1 .vsi, 1 .zarr; export them as OME-TIFF"),
        (False, "left out, no images: 1 .db, 1 .npy"),
    ]


@pytest.mark.parametrize("suffix", [".pgm", ".PPM", ".fit", ".nrrd", ".raw", ".tga", ".mkv"])
def test_pictures_of_plain_cameras_and_films_are_no_other_files(tmp_path, suffix):
    """They were left out among tables and texts, without a warning."""
    touch(tmp_path, "a.tif", f"b{suffix}")
    notes = list(search([tmp_path], [], Selection()).notes())
    assert notes == [(True, f"not read: 1 {suffix.lower()}; export them as OME-TIFF")]


def test_less_usual_suffixes_of_images_are_searched_for(tmp_path):
    files = ["a.stk", "b.LSM", "c.jfif", "d.gif", "e.webp", "f.jp2", "g.tf2"]
    touch(tmp_path, *files)
    assert [item.path.name for item in find([tmp_path])] == files


def test_a_folder_of_other_formats_is_an_error_that_names_them(tmp_path):
    touch(tmp_path, "b.oir")
    with pytest.raises(
        ImageError, match=r"no images; looked for .*; not read: 1 \.oir; export them as OME-TIFF"
    ):
        find([tmp_path])


def test_a_zarr_image_that_is_an_input_is_named_as_a_format_that_is_not_read(tmp_path):
    touch(tmp_path, "x.ome.zarr/0/0.0")
    with pytest.raises(ImageError, match=r"x.ome.zarr: no images; .*; not read: 1 .zarr; export them as OME"):
        search([tmp_path / "x.ome.zarr"], [], Selection())


@pytest.fixture
def without_extra(monkeypatch):
    monkeypatch.setattr("beadctl.images.extra.find_spec", lambda name: None)


def test_formats_of_the_extra_are_named_with_it_once_a_kind(tmp_path, without_extra):
    touch(tmp_path, "a.tif", "b.czi", "c.CZI", "d.nd2", "e.lif", "f.oir")
    assert [line for _, line in search([tmp_path], [], Selection()).notes()] == [
        '2 CZI files not read: pip install "beadctl[formats]"',
        '1 LIF file not read: pip install "beadctl[formats]"',
        '1 ND2 file not read: pip install "beadctl[formats]"',
        "not read: 1 .oir; export them as OME-TIFF",
    ]


def test_an_image_that_needs_the_extra_is_an_error_that_names_it(tmp_path, without_extra):
    touch(tmp_path, "a.czi")
    with pytest.raises(ImageError, match=r"no images; .*; 1 CZI file not read: pip install"):
        find([tmp_path])
    (tmp_path / "a.czi").write_bytes(b"ZISRAWFILE".ljust(100, b"\0"))
    assert r'a.czi: CZI files are not read: pip install "beadctl[formats]"' in read_error(tmp_path / "a.czi")


def test_formats_of_the_extra_are_searched_for_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr("beadctl.images.extra.find_spec", lambda name: object())
    touch(tmp_path, "a.czi", "b.LIF", "c.nd2", "d.tif")
    assert [item.path.name for item in find([tmp_path])] == ["a.czi", "b.LIF", "c.nd2", "d.tif"]
    assert list(search([tmp_path], [], Selection()).notes()) == []


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(include=("*.TIF",)), ["a.tif", "day1/b.tif", "day2/c.tif"]),
        (Selection(include=("day1/*", "a.*")), ["a.png", "a.tif", "day1/b.tif"]),
        (Selection(exclude=("day1", "*.png")), ["a.tif", "day2/c.tif"]),
        (Selection(include=("*.tif",), exclude=("[ab]*",)), ["day2/c.tif"]),
        (Selection(recursive=False), ["a.png", "a.tif"]),
    ],
)
def test_patterns_and_depth_choose_files(tmp_path, selection, expected):
    touch(tmp_path, "a.tif", "a.png", "day1/b.tif", "day2/c.tif")
    assert names(search([tmp_path], [], selection)) == expected


def test_patterns_that_leave_nothing_are_an_error(tmp_path):
    touch(tmp_path, "a.tif")
    with pytest.raises(ImageError, match="no image is left by --include and --exclude, of 1 found"):
        search([tmp_path], [], Selection(include=("b*",)))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\0"])
def test_lists_of_files_keep_their_tree(tmp_path, monkeypatch, end):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "a/1.tif", "b/1.tif", "b/1_masks.tif")
    listed = ["b/1.tif", str(tmp_path / "a/1.tif"), "./b/1_masks.tif"]
    (tmp_path / "list.txt").write_bytes(("\ufeff" * (end != "\0") + end.join(listed) + end).encode())
    assert names(search([Path("@list.txt")], [], Selection())) == ["b/1.tif", "a/1.tif", "b/1_masks.tif"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_list_that_powershell_wrote(tmp_path, monkeypatch, encoding):
    monkeypatch.chdir(tmp_path)
    Path("\u00e4.tif").touch()
    text = "\u00e4.tif\r\n"
    Path("list.txt").write_bytes((text if encoding == "utf-16" else f"\ufeff{text}").encode(encoding))
    assert names(search([Path("@list.txt")], [], Selection())) == ["\u00e4.tif"]


def test_lists_that_cannot_be_used_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "empty.txt")
    with pytest.raises(ImageError, match=r"empty\.txt: names no file"):
        search([Path("@empty.txt")], [], Selection())
    with pytest.raises(ImageError, match=r"nowhere\.txt: cannot be read"):
        search([Path("@nowhere.txt")], [], Selection())
    (tmp_path / "list.txt").write_text("gone.tif\n")
    with pytest.raises(ImageError, match=r"gone\.tif: no such file"):
        search([Path("@list.txt")], [], Selection())


def test_images_of_two_folders_have_names_of_their_own(tmp_path):
    touch(tmp_path, "one/a.tif", "one/deep/b.tif", "two/a.tif", "two/c.tif")
    one, two = tmp_path / "one", tmp_path / "two"
    assert [str(f.name) for f in find([one, two])] == [
        "one/a.tif",
        "one/deep/b.tif",
        "two/a.tif",
        "two/c.tif",
    ]
    # Where no two are equal, names stay below their folders.
    assert [str(f.name) for f in find([one, two / "c.tif"])] == ["a.tif", "deep/b.tif", "c.tif"]
    assert [str(f.name) for f in find([one / "a.tif", two / "a.tif"])] == ["one/a.tif", "two/a.tif"]


def test_a_file_of_two_names_is_one_image_and_the_other_name_is_said(tmp_path):
    touch(tmp_path, "raw/a.tif", "raw/b.tif", "raw/c.tif")
    try:
        (tmp_path / "raw/z.tif").symlink_to("a.tif")
        (tmp_path / "same").symlink_to("raw", target_is_directory=True)
        (tmp_path / "raw/up").symlink_to("..", target_is_directory=True)
        (tmp_path / "selected").mkdir()
        (tmp_path / "selected/b.tif").symlink_to("../raw/b.tif")
    except OSError:
        pytest.skip("no right to make links")
    found = search([tmp_path], [], Selection())
    assert names(found) == ["raw/a.tif", "raw/b.tif", "raw/c.tif"]
    what = "links to what is found by another name"
    assert list(found.notes()) == [(True, f"left out: {what}, 3 files (same, z.tif, b.tif)")]
    # The name that is asked for is taken.
    chosen = search([tmp_path], [], Selection(include=("selected/*", "*/z.tif")))
    assert names(chosen) == ["raw/z.tif", "selected/b.tif"]
    # One path in two spellings is no second name.
    twice = search([tmp_path / "raw/c.tif", tmp_path / "raw/../raw/c.tif"], [], Selection())
    assert (names(twice), list(twice.notes())) == (["c.tif"], [])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders here")
def test_a_broken_link_is_an_image_and_a_pipe_is_none(tmp_path):
    touch(tmp_path, "a.tif")
    (tmp_path / "b.tif").symlink_to("nowhere")
    (tmp_path / "c.tif").symlink_to("c.tif")
    os.mkfifo(tmp_path / "d.tif")
    found = search([tmp_path], [], Selection())
    assert [str(f.name) for f in found.images] == ["a.tif", "b.tif", "c.tif"]
    assert [line for _, line in found.notes()] == ["left out, no images: 1 pipe or device"]


def test_a_folder_that_cannot_be_read_is_not_missed_in_silence(tmp_path, monkeypatch):
    touch(tmp_path, "a.tif", "closed/b.tif", "open/c.tif")
    iterdir = Path.iterdir

    def refused(self):
        if self.name == "closed":
            raise PermissionError(13, "Permission denied", str(self))
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", refused)
    assert [str(f.name) for f in find([tmp_path])] == ["a.tif", "closed", "open/c.tif"]
    with pytest.raises(ImageError, match=r"closed: cannot be read \(Permission denied\)"):
        find([tmp_path / "closed"])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="has no paths of this length")
def test_folders_may_be_nested_more_deeply_than_calls(tmp_path, monkeypatch):
    # Following links in a path takes a time that grows with its length.
    monkeypatch.setattr(import_module("beadctl.images.walk"), "real_path", Path.absolute)
    levels = sys.getrecursionlimit()
    # What is removed below ends here.
    touch(tmp_path, "words.txt")
    for level in range(1, levels + 1):
        os.mkdir(f"{tmp_path}{'/b' * level}")  # noqa: PTH102
    last = f"{tmp_path}{'/b' * levels}"
    try:
        Path(last, "a.tif").touch()
        (found,) = find([tmp_path])
        assert str(found.name) == "b/" * levels + "a.tif"
    finally:
        Path(last, "a.tif").unlink()
        # pytest would remove them by calls within calls.
        os.removedirs(last)


def results_of(folder, *images):
    """Make a folder one of results of these images."""
    touch(folder, *(f".beadctl/parts/{image}.json" for image in images), "counts.csv", "run.json")


def test_what_a_run_wrote_is_left_out_and_said_and_all_else_is_found(tmp_path):
    results_of(tmp_path / "eq", "a.tif", "deep/B.ome.tif", "stack.tif")
    made = ["masks/a_masks.tif", "masks/deep/B_masks.tif", "overlays/deep/B_overlay.png"]
    made += ["overlays/stack_p0001_overlay.png", "masks/stack_masks.tif"]
    made += ["crops/stack_p0001_crops.tif", "probability/deep/B_probability.tif", "pyramids/a_pyramid.tif"]
    mine = ["a.tif", "deep/B.ome.tif", "masks/other_masks.tif", "overlays/a_map.png"]
    touch(tmp_path / "eq", *made, *mine, "notes.oir", "geojson/a.geojson")
    for root in (tmp_path / "eq", tmp_path):
        found = search([root], [], Selection())
        assert {item.path.relative_to(tmp_path / "eq").as_posix() for item in found.images} == set(mine)
        assert sorted(path.relative_to(tmp_path / "eq").as_posix() for path in found.made) == sorted(made)
        assert [line for _, line in found.notes()] == [
            "left out: results of beadctl, 8 files (stack_p0001_crops.tif, a_masks.tif, B_masks.tif, ...); "
            "to use them, give the files or their folder",
            "not read: 1 .oir; export them as OME-TIFF",
        ]
    given = search([tmp_path / "eq/masks", tmp_path / "eq/overlays/stack_p0001_overlay.png"], [], Selection())
    assert {"a_masks.tif", "stack_p0001_overlay.png"} <= set(names(given))


def test_a_folder_of_results_alone_has_no_images_and_says_why(tmp_path):
    results_of(tmp_path, "a.tif")
    touch(tmp_path, "masks/a_masks.tif")
    with pytest.raises(
        ImageError, match=r"no images; .*; left out: results of beadctl, 1 file \(a_masks\.tif\)"
    ):
        search([tmp_path], [], Selection())


def test_annotations_are_searched_for_in_results_that_are_an_input(tmp_path):
    results_of(tmp_path / "out", "a.tif")
    touch(tmp_path, "out/masks/a_masks.tif", "mine.tif")
    assert [f.path.name for f in find([tmp_path / "out"], suffixes=(".tif",))] == ["a_masks.tif"]
    assert [f.path.name for f in find([tmp_path], suffixes=(".tif",))] == ["mine.tif"]
