"""Names of files that no text holds: bytes that are no UTF-8, line breaks, leading dashes, backslashes."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tifffile
from helpers.images import discs

from beadctl.results.formats import Output

NAMES = {
    b"a.tif": "a.tif",
    "µ.tif".encode(): "µ.tif",
    b"5\xb5m.tif": r"5\xb5m.tif",
    b"line\nbreak.tif": r"line\x0abreak.tif",
    b"-dash.tif": r"\x2ddash.tif",
    b"=1+1.tif": r"\x3d1+1.tif",
    rb"back\slash\xb5.tif": r"back\slash\x5cxb5.tif",
}


@pytest.fixture
def folder(tmp_path):
    images, masks = tmp_path / "images", tmp_path / "masks"
    images.mkdir()
    masks.mkdir()
    image, labels = discs(3)
    try:
        for name in NAMES:
            tifffile.imwrite(images / os.fsdecode(name), image)
            tifffile.imwrite(masks / os.fsdecode(name), labels)
    except (OSError, UnicodeError):
        pytest.skip("the file system refuses such names")
    return images


def images_in(text):
    return sorted(row["image"] for row in csv.DictReader(io.StringIO(text)))


def test_segment_writes_every_name_on_a_line(run, model_path, folder):
    for expected in ("ok", "skipped"):
        said = run("segment", "images", "-m", model_path, "-o", "out", "--save", ",".join(Output))
        assert said.code == 0
        text = Path("out/counts.csv").read_text(encoding="utf-8")
        assert images_in(text) == sorted(NAMES.values())
        assert len(text.splitlines()) == 1 + len(NAMES)
        assert {row["status"] for row in csv.DictReader(io.StringIO(text))} == {expected}
    beads = Path("out/beads.csv").read_text(encoding="utf-8")
    assert set(images_in(beads)) == set(NAMES.values())
    assert len(list(Path("out/masks").iterdir())) == len(NAMES)
    json.loads(Path("out/run.json").read_text(encoding="utf-8"))
    whole = json.loads(Path("out/coco/coco.json").read_text(encoding="ascii"))
    assert sorted(image["file_name"] for image in whole["images"]) == sorted(NAMES.values())


def test_names_can_be_turned_back(folder):
    for name, text in NAMES.items():
        back = os.fsencode(text).decode("latin-1")
        for escape in ("x0a", "xb5", "x2d", "x3d", "x5c"):
            back = back.replace(rf"\{escape}", chr(int(escape[1:], 16)))
        assert back.encode("latin-1") == name


@pytest.mark.parametrize(("form", "encoding"), [("csv", "utf-8"), ("json", "ascii"), ("table", "ascii")])
def test_count_prints_every_name(model_path, folder, form, encoding):
    # In a process of its own: what a pipe encodes differs from the streams of the tests.
    command = [sys.executable, "-m", "beadctl", "count", "images", "-m", model_path, "--format", form]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, cwd=folder.parent, capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    if form == "csv":
        assert images_in(done.stdout.decode()) == sorted(NAMES.values())
    elif form == "json":
        assert {row["image"] for row in json.loads(done.stdout)} == set(NAMES.values())


def test_a_failure_is_one_line(run, model_path, folder):
    (folder / os.fsdecode(b"bad\n\xb5.tif")).write_bytes(b"words")
    said = run("segment", "images", "-m", model_path, "-o", "out")
    assert said.code == 1
    assert r"bad\x0a\xb5.tif: " in said.error
    said = run("segment", os.fsdecode(b"no\xb5where"), "-m", model_path)
    assert r"no\xb5where: no such file" in said.error


def test_tile_writes_its_manifest_and_knows_it_again(run, folder):
    for _ in range(2):
        said = run("tile", "images", "masks", "-o", "tiles", "--size", "128", "--overlap", "0")
        assert said.code == 0, said.err
        with Path("tiles/manifest.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["source"] for row in rows} == set(NAMES.values())
        assert all((Path("tiles") / row["image"]).is_file() for row in rows)


def test_eval_and_audit_write_their_tables(run, model_path, folder):
    assert run("eval", "images", "masks", "-m", model_path, "-o", "scores").code == 0
    assert images_in(Path("scores/eval.csv").read_text(encoding="utf-8")) == sorted(NAMES.values())
    run("audit", "images", "masks", "-o", "audited")
    assert images_in(Path("audited/audit.csv").read_text(encoding="utf-8")) == sorted(NAMES.values())
