"""Archives of regions of ImageJ: read one by one, within limits."""

import json
import struct
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from helpers import annotating
from helpers.refusals import SHAPE, document, oval, refused

from beadctl.annotations import archive
from beadctl.annotations.reading import read


def circles(path, places, vertices):
    """Write circles of 8 px as regions."""
    turn = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    circle = np.column_stack([4 * np.cos(turn), 4 * np.sin(turn)])
    annotating.region_set(
        path,
        (annotating.region(annotating.FREEHAND, points=circle + place, fractions=True) for place in places),
    )


def test_ten_thousand_regions_are_read(tmp_path):
    circles(tmp_path / "a.zip", [(x, y) for y in range(5, 1000, 10) for x in range(5, 1000, 10)], 24)
    labels = read(tmp_path / "a.zip", (1000, 1000)).labels
    assert len(np.unique(labels)) == 10_001
    np.testing.assert_array_equal(labels[5::10, 5::10], np.arange(1, 10_001).reshape(100, 100))


def test_regions_are_read_one_by_one(tmp_path):
    """At most one region is in memory at a time."""
    places = [(x, y) for y in range(5, 100, 10) for x in range(5, 100, 10)]
    circles(tmp_path / "a.zip", places * 3, 5000)
    unpacked = sum(info.file_size for info in zipfile.ZipFile(tmp_path / "a.zip").infolist())
    assert unpacked > 15e6
    tracemalloc.start()
    try:
        read(tmp_path / "a.zip", (100, 100))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < unpacked / 5


@pytest.mark.parametrize(
    "name", ["../escape.roi", "a/../../escape.roi", "/etc/escape.roi", "..\\escape.roi", "C:/a.roi"]
)
def test_an_archive_with_names_that_lead_out_of_it_is_refused(tmp_path, name):
    inside = tmp_path / "deep"
    inside.mkdir()
    with zipfile.ZipFile(inside / "a.zip", "w") as file:
        file.writestr("good.roi", oval())
        file.writestr(name, oval())
    refused(inside / "a.zip", "leads out of the archive")
    assert [path.name for path in tmp_path.rglob("*")] == ["deep", "a.zip"]


def test_an_archive_that_exceeds_the_limits_is_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.roi", b"\0" * (archive.LIMITS.region_bytes + 1))
    assert (tmp_path / "a.zip").stat().st_size < 50_000
    refused(tmp_path / "a.zip", "bomb.roi", "larger than")
    limits = archive.LIMITS
    monkeypatch.setattr(archive, "LIMITS", replace(limits, total_bytes=limits.region_bytes))
    refused(tmp_path / "a.zip", "would unpack to", "too much")
    monkeypatch.setattr(archive, "LIMITS", replace(limits, members=0))
    refused(tmp_path / "a.zip", "in 1 file,")


def test_an_archive_whose_header_has_a_wrong_size_is_not_unpacked(tmp_path):
    """At most the 64 bytes of the header are unpacked, whose checksum then fails."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.roi", b"Iout" + b"\0" * 10_000_000)
    content = bytearray((tmp_path / "a.zip").read_bytes())
    central = content.index(b"PK\1\2")
    content[central + 24 : central + 28] = struct.pack("<I", 64)
    (tmp_path / "a.zip").write_bytes(content)
    tracemalloc.start()
    try:
        refused(tmp_path / "a.zip")
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


def test_archives_without_an_annotation_are_refused(tmp_path):
    cases = {
        "empty.txt": ["neither ImageJ regions"],
        "masks.npy": ["NumPy and pickle files", "save the masks as TIFF"],
    }
    for member, words in cases.items():
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
            file.writestr(member, b"words")
        refused(tmp_path / "a.zip", *words)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for member in ("one.json", "two.json"):
            file.writestr(member, json.dumps(document()))
    refused(tmp_path / "a.zip", "holds 2 JSON files")
    whole = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "a.zip", "damaged, or no ZIP archive")


def test_files_that_macos_adds_to_an_archive_are_ignored(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("set/good.roi", oval())
        file.writestr("__MACOSX/set/._good.roi", b"rubbish")
        file.writestr("set/.DS_Store", b"rubbish")
        file.writestr("set/._good.roi", b"rubbish")
    assert read(tmp_path / "a.zip", SHAPE).labels.max() == 1
