"""Addresses of objects in stores, and their names in a run."""

import sys
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beadctl.errors import ImageError, SettingsError
from beadctl.text import name_text
from beadctl.url import Url, named

PART = st.text("abAB01 ._-=+%~", min_size=1, max_size=8).filter(lambda part: part not in (".", ".."))
PLACE = st.lists(PART, min_size=1, max_size=4).map("/".join)
STORE = st.builds("{}://{}".format, st.sampled_from(["s3", "https", "memory", "gs"]), PLACE)
ARCHIVE = STORE | PLACE.map(lambda place: f"/data/{place}")
ADDRESS = STORE | st.builds("zip://{}::{}".format, PLACE | st.just(""), ARCHIVE)


@given(ADDRESS)
def test_an_address_survives_a_path_and_is_its_name_in_tables(text):
    url = Url.parse(text)
    assert Url.parse(Path(text).as_posix()) == url
    assert url.text in (text, text.replace("::/", "::file:///"))
    assert url.shown == url.text
    assert named(str(url.name)) == url.shown
    assert Url.parse(url.shown) == url
    assert name_text(url.name) == url.shown
    assert PurePosixPath(name_text(url.name)) == PurePosixPath(url.text)


@given(ADDRESS, ADDRESS)
def test_other_addresses_have_other_names(one, other):
    first, second = Url.parse(one), Url.parse(other)
    assert (first.name == second.name) == (first == second)


@pytest.mark.parametrize(
    "text", ["a.tif", "day 1/a.tif", "/data/a.tif", "C:/a.tif", "C:\\a.tif", "s3:", "@l.txt"]
)
def test_paths_are_no_addresses(text):
    assert Url.parse(text) is None
    assert named(text) == text


def test_a_file_of_such_a_name_goes_before_the_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Url.of(Path("s3://bucket/a.tif")) == Url("s3", "bucket/a.tif")
    Path("s3:/bucket").mkdir(parents=True)
    Path("s3:/bucket/a.tif").touch()
    assert Url.of(Path("s3://bucket/a.tif")) is None


def test_an_address_that_is_longer_than_a_name_of_a_file_is_one():
    assert Url.of(Path(f"https://host/a.tif?signature={'a' * 3000}")).shown == "https://host/a.tif"


def test_a_member_of_an_archive_has_its_own_suffix():
    url = Url.parse("zip://day1/a.tif::https://host/b.zip?key=1")
    assert (url.name.name, url.shown) == ("a.tif", "zip://day1/a.tif::https://host/b.zip")


def test_a_file_of_this_machine_is_its_path():
    assert Url.parse("file:///data/a.tif").file == Path("/data/a.tif")
    assert Url.parse("file:/data/a.tif").file == Path("/data/a.tif")
    assert Url.parse("s3://bucket/a.tif").file is None


def test_a_signature_is_neither_shown_nor_in_the_name():
    url = Url.parse("https://host/a.tif?signature=secret#part")
    assert url.text.endswith("?signature=secret#part")
    assert not [words for words in (url.shown, str(url.name), repr(url), str(url)) if "secret" in words]


@pytest.mark.parametrize("text", ["s3://key:secret@bucket/a.tif", "https://secret@host/a.tif"])
def test_a_password_in_an_address_is_refused_and_not_repeated(text):
    with pytest.raises(SettingsError, match="leave them out") as caught:
        Url.parse(text)
    assert "secret" not in str(caught.value)
    assert Url.parse("s3://bucket/a@2x.tif").name == PurePosixPath("s3:/bucket/a@2x.tif")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("zip://a.tif", "zip://a.tif: names no archive; write zip://a.tif::ARCHIVE, or zip://::ARCHIVE"),
        ("zip://", "zip://: names no archive; write zip://MEMBER::ARCHIVE"),
        ("zip://b.zip", "zip://b.zip: names an archive without a member; write zip://::b.zip for all of it"),
        ("s3://", "s3://: names no place"),
        ("https://", "https://: names no place"),
        ("zip://in.zip::b.zip", "zip://in.zip: an archive in an archive is not read; unpack in.zip"),
        (
            "zip://a.tif::zip://in.zip::b.zip",
            "zip://in.zip: an archive in an archive is not read",
        ),
    ],
)
def test_what_an_address_lacks_is_said(text, words):
    """Of the text itself, and of the path that the command line makes of it."""
    for read in (lambda: Url.parse(text), lambda: Url.of(Path(text))):
        with pytest.raises(SettingsError) as caught:
            read()
        assert words in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="no file has such a name on Windows")
def test_a_file_whose_name_looks_like_a_scheme_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("ab:").touch()
    assert Url.of(Path("ab:")) is None


@pytest.mark.parametrize("text", ["s3://bucket/../../a.tif", "zip://../a.tif::b.zip"])
def test_no_name_leads_out_of_the_results(text):
    with pytest.raises(ImageError, match=r"has a part \.\."):
        _ = Url.parse(text).name


@pytest.mark.parametrize("address", ["zip://::{}", "zip://day1/a.tif::{}", "file://{}"])
def test_a_local_file_may_be_named_by_way_of_the_folder_above(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("work").mkdir()
    plain = Url.parse(address.format(tmp_path / "plate.zip"))
    monkeypatch.chdir("work")
    above = "../plate.zip" if address.startswith("zip") else tmp_path / "work" / ".." / "plate.zip"
    assert Url.parse(address.format(above)) == plain
    assert str(plain.name).startswith("file:/")
