"""Results at an address of a store: those of a folder, also after a failure in the middle."""

import csv
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import tifffile
from helpers.images import discs
from helpers.stored_results import OUT, content, in_folder, objects

from beadctl.results import stored
from beadctl.results.written import Stamp

pytestmark = pytest.mark.usefixtures("plate")

SAVE = ("--save", "masks,overlays,coco")


def table(memory, name="counts.csv"):
    return list(csv.DictReader(memory.cat_file(f"/bucket/run/{name}").decode().splitlines()))


def test_an_address_gets_the_results_of_a_folder(segment, memory, run):
    assert segment("plate", "-o", "here", *SAVE).code == 0
    said = segment("plate", "-o", OUT, *SAVE)
    assert said.code == 0
    there, here = objects(memory), in_folder("here")
    assert content(there) == content(here)
    for name in ("counts.csv", "beads.csv", "masks/day1/b_masks.tif", "coco/coco.json"):
        assert there[name] == here[name]
    assert f"Beads in {OUT}" in said.err
    assert b'out_dir = "memory://bucket/run"' in there["settings.toml"]
    assert json.loads(there["run.json"])["outcome"] == "finished"
    # Again, with one image more; what is done is kept.
    tifffile.imwrite("plate/new.tif", discs(5, 96, 96)[0])
    assert segment("plate", "-o", OUT, *SAVE).code == 0
    assert segment("plate", "-o", "here", *SAVE).code == 0
    assert content(objects(memory)) == content(in_folder("here"))
    assert [row["status"] for row in table(memory)] == ["skipped"] * 3 + ["ok"]
    # Its results are no images.
    assert run("count", "memory://bucket").error.startswith("error: memory://bucket: no images")


def test_verify_and_report_take_an_address(segment, run, memory):
    pytest.importorskip("jinja2", reason="the extra report is not installed")
    assert segment("plate", "-o", OUT).code == 0
    before = objects(memory)
    assert run("verify", OUT).code == 0
    said = run("report", OUT)
    assert said.code == 0
    assert f"{OUT}/report.html" in said.err.replace("\n", "")
    assert "without picture" not in said.err
    assert objects(memory).keys() - before.keys() == {"report.html"}
    memory.pipe_file("/bucket/run/masks/a2_masks.tif", b"other")
    memory.rm_file("/bucket/run/overlays/a2_overlay.png")
    said = run("verify", OUT, "--format", "csv")
    assert said.code == 1
    assert sorted(said.out.splitlines()[1:]) == [
        "masks/a2_masks.tif,masks,changed",
        "overlays/a2_overlay.png,overlays,missing",
    ]
    assert "none of ours" not in said.err
    assert "holds no results" in run("verify", "memory://bucket/nothing").error


def test_a_store_that_fails_in_the_middle_fails_the_run(segment, memory, monkeypatch):
    """Nothing half-written has a name, and the same command goes on."""
    words = ("plate/a2.tif", "plate/a10.tif", "--save", "masks", "-o")
    assert segment(*words, "here").code == 0
    real = type(memory).put_file
    for last in range(1, 14):
        memory.store.clear()
        left = iter(range(last))

        def put_file(self, lpath, rpath, left=left, **words):
            if next(left, None) is None:
                raise ConnectionResetError(104, "Connection reset by peer")
            real(self, lpath, rpath, **words)

        monkeypatch.setattr(type(memory), "put_file", put_file)
        said = segment(*words, OUT)
        monkeypatch.setattr(type(memory), "put_file", real)
        found = objects(memory)
        if said.code == 0:
            break
        assert said.code == 1
        assert "memory://bucket/run: cannot be reached (Connection reset by peer)" in said.err
        assert "temporary" not in said.err
        assert "Traceback" not in said.err
        assert ".beadctl.lock" not in found
        assert "run.json" not in found or json.loads(found["run.json"])["outcome"] != "finished"
        for name, data in found.items():
            if name.startswith("masks/"):
                assert data == Path("here", name).read_bytes()
        assert segment(*words, OUT).code == 0
        assert content(objects(memory)) == content(in_folder("here"))
    assert said.code == 0
    assert last > 8


def test_a_temporary_folder_that_is_removed_removes_nothing_there(segment, memory, monkeypatch, tmp_path):
    assert segment("plate", "-o", OUT).code == 0
    before = objects(memory)
    real = stored.Stored.fits

    def fits(self, stamp, name):
        for path in (tmp_path / "temporary").glob("beadctl-*/run"):
            shutil.rmtree(path)
        return real(self, stamp, name)

    monkeypatch.setattr(stored.Stored, "fits", fits)
    said = segment("plate", "-o", OUT)
    assert said.code == 1
    assert "was removed during the run" in said.err
    assert "Traceback" not in said.err
    found = objects(memory)
    for name in before.keys() - {"run.json", "settings.toml"}:
        assert found[name] == before[name], name
    assert json.loads(found["run.json"])["outcome"] == "running"


def test_what_is_not_ours_is_not_replaced(segment, memory):
    memory.pipe_file("/bucket/run/counts.csv", b"mine")
    said = segment("plate", "-o", OUT)
    assert (said.code, "memory://bucket/run/counts.csv: already exists; use --overwrite" in said.error) == (
        3,
        True,
    )
    memory.rm_file("/bucket/run/counts.csv")
    memory.pipe_file("/bucket/run/masks/a2_masks.tif", b"mine")
    assert "masks/a2_masks.tif: already exists" in segment("plate", "-o", OUT).error
    assert objects(memory) == {"masks/a2_masks.tif": b"mine"}
    assert segment("plate", "-o", OUT, "--overwrite").code == 0
    # One that was changed since, of the same size.
    written = memory.cat_file("/bucket/run/masks/a2_masks.tif")
    other = written[:-1] + bytes([written[-1] ^ 1])
    memory.pipe_file("/bucket/run/masks/a2_masks.tif", other)
    said = segment("plate", "-o", OUT)
    assert said.code == 1
    assert "masks/a2_masks.tif is not as beadctl wrote it" in said.err
    assert memory.cat_file("/bucket/run/masks/a2_masks.tif") == other
    # Another model or other settings.
    assert "other settings" in segment("plate", "-o", OUT, "--min-area", "9").error


def test_a_name_that_no_object_may_have_fails_its_image(segment, memory):
    long = "/".join(["n" * 200] * 5)
    Path("plate", long).mkdir(parents=True)
    tifffile.imwrite(Path("plate", long, "a.tif"), discs(1, 96, 96)[0])
    if sys.platform == "linux":
        tifffile.imwrite(os.fsdecode(b"plate/\xff.tif"), discs(1, 96, 96)[0])
    said = segment("plate", "-o", OUT)
    assert said.code == 1
    reasons = [row["reason"] for row in table(memory) if row["status"] == "failed"]
    assert len(reasons) == 1 + (sys.platform == "linux")
    assert set(reasons) == {"its name is too long, or no UTF-8, for those of its results; rename it"}


def test_an_output_that_is_no_longer_wanted_goes(segment, memory):
    assert segment("plate", "-o", OUT, *SAVE).code == 0
    tifffile.imwrite("plate/a2.tif", discs(5, 96, 96)[0])
    assert segment("plate", "-o", OUT, "--save", "masks", "--overwrite").code == 0
    found = objects(memory)
    assert "overlays/a2_overlay.png" not in found
    stamps = json.loads(found[".beadctl/parts/a2.tif.json"].splitlines()[0])["written"]
    assert stamps == {
        "masks/a2_masks.tif": vars(
            Stamp(len(found["masks/a2_masks.tif"]), stamps["masks/a2_masks.tif"]["sha256"])
        )
    }


def test_shards_at_an_address_are_one_run(run, segment, memory):
    assert segment("plate", "-o", "whole").code == 0
    for number in (1, 2):
        assert segment("plate", "-o", OUT, "--shard", f"{number}/2").code == 0
    assert run("merge", OUT).code == 0
    there = objects(memory)
    for name, data in in_folder("whole").items():
        if name not in ("run.json", "settings.toml"):
            assert there[name] == data, name
    assert run("verify", OUT).code == 0
    assert segment("plate", "-o", OUT).code == 0
    assert {row["status"] for row in table(memory)} == {"skipped"}


def test_a_missing_shard_is_named(run, segment, memory):
    assert segment("plate", "-o", OUT, "--shard", "1/2").code == 0
    said = run("merge", OUT)
    assert said.code == 3
    assert (
        said.error
        == "error: memory://bucket/run: shards that are missing or not finished: 2/2; run them, then merge"
    )


def test_counts_and_statistics_go_there(run, memory, model_path):
    words = ("count", "plate", "--group-by", "(?P<sample>a|b)", "-m", model_path)
    assert run(*words, "-o", "here").code == 0
    assert run(*words, "-o", OUT).code == 0
    assert content(objects(memory)) == content(in_folder("here"))
    # Statistics of counts that have changed go, there too.
    tifffile.imwrite("plate/a3.tif", discs(5, 96, 96)[0])
    assert run("count", "plate", "-m", model_path, "-o", OUT).code == 0
    assert "groups.csv" not in objects(memory)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("segment", "plate", "-o", "zip://out::a.zip"), "cannot be replaced whole"),
        (("count", "plate", "-o", "https://host/out"), "cannot be replaced whole"),
        (("count", "plate", "-o", "s3://me:secret@bucket/run"), "leave them out"),
        (("count", "plate", "-o", "nonsense://bucket"), "cannot be replaced whole"),
        (("segment", "plate", "-o", OUT, "--watch"), "--watch: writes to a folder"),
        (("tile", "plate", "plate", "-o", OUT), f"-o {OUT}: segment, count and merge alone"),
        (("audit", "plate", "plate", "-o", OUT), f"-o {OUT}: segment, count and merge alone"),
    ],
)
def test_what_does_not_go_to_a_store_is_one_line(run, memory, model_path, words, said):
    told = run(*words)
    assert told.code in (2, 3)
    assert said in told.error
    assert "secret" not in told.err
    assert not objects(memory, "/")


def test_a_store_that_takes_nothing_ends_the_run_at_once(segment, memory, monkeypatch):
    def denied(self, *words, **others):
        raise PermissionError(13, "Forbidden: the key secret-key")

    monkeypatch.setattr(type(memory), "pipe_file", denied)
    said = segment("plate", "-o", OUT)
    assert said.code == 3
    assert said.error == (
        "error: memory://bucket/run: access denied; check your credentials and the rights of the object"
    )
