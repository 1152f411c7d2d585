"""Annotation files of any kind: each is read, or refused in one line that names it and a remedy."""

import json
import pickle
import zipfile

import numpy as np
import pytest
import tifffile
from helpers import annotating
from helpers.images import discs
from helpers.refusals import document, labels_or_one_line, refused

from beadctl.annotations import AnnotationFormat


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_members_of_each_compression(tmp_path, compression):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", compression) as file:
        file.writestr("a.json", json.dumps(document()))
        start = file.infolist()[0].header_offset + 30 + len("a.json")
    whole = (tmp_path / "a.zip").read_bytes()
    # LZMA begins with 9 bytes of version and dictionary size, which may be others.
    for place in range(start + 9, start + 40):
        (tmp_path / "a.zip").write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        refused(tmp_path / "a.zip")


class Explosive:
    """Unpickling it would write a file."""

    def __reduce__(self):
        return (open, ("unpickled", "w"))


@pytest.mark.parametrize("form", list(AnnotationFormat))
def test_pickles_are_never_loaded(tmp_path, monkeypatch, form):
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "a_seg.npy", np.array({"masks": Explosive()}, dtype=object), allow_pickle=True)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Explosive()))
    for name in ("a_seg.npy", "a.pkl"):
        refused(tmp_path / name, "may run code", "save the masks as TIFF or PNG", form=form, diameter_px=5)
    assert not (tmp_path / "unpickled").exists()


def test_files_that_cannot_be_read_are_refused_in_one_line(tmp_path):
    refused(tmp_path / "absent.json", "cannot be read")
    refused(tmp_path, "cannot be read")
    (tmp_path / "a.dat").write_bytes(bytes(range(256)))
    refused(tmp_path / "a.dat", "not an annotation that beadctl knows")


def test_a_label_image_of_another_size_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", discs(3)[1])
    refused(tmp_path / "a.tif", "96x128 px", "its image 128x96", shape=(128, 96))


@pytest.mark.parametrize("form", [form for form in AnnotationFormat if form is not AnnotationFormat.AUTO])
def test_a_file_of_another_format_than_the_named_one_is_read_or_refused_in_one_line(tmp_path, form):
    """Every format on every file gives a label image or an error of one line."""
    files = {
        "a.tif": None,
        "a.json": json.dumps(document()),
        "a.geojson": json.dumps(annotating.geojson(discs(2)[1])),
        "a.csv": "y,x\n5,5\n",
        "a_cp_outlines.txt": "10,10,20,10,20,20\n",
        "a.txt": "0 0.5 0.5 0.1 0.1\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        if content is None:
            tifffile.imwrite(path, discs(2)[1])
        else:
            path.write_text(content)
        labels_or_one_line(path, form=form, diameter_px=5)
