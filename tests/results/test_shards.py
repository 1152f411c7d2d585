"""Shards that a merge refuses, each in one line, and those that one run may not have."""

import json
import shutil
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from helpers.merging import content
from helpers.results_folder import table

from beadctl import lock
from beadctl.files import TEMPORARY
from beadctl.images import Found
from beadctl.results import shards
from beadctl.shard import Shard
from beadctl.url import Url


def refused(run, *words):
    """Return the one line of a merge that is refused, and that writes nothing."""
    before = content("out") if Path("out").exists() else None
    said = run("merge", "out")
    assert (said.code, said.out) == (3, "")
    assert "Traceback" not in said.err
    assert before == (content("out") if Path("out").exists() else None)
    for word in words:
        assert word in said.error
    return said.error


def test_a_merge_without_shards_is_one_line(run, bead_folder, model_path):
    refused(run, "out: no such folder")
    assert run("segment", bead_folder, "-o", "out", "-m", model_path).code == 0
    refused(run, "out: holds no shards")


@pytest.mark.parametrize(
    ("count", "large"),
    [
        (3, []),
        (4, ["most.tif"]),
        (20, ["half.tif", "most.tif"]),
        (21, ["half.tif", "least.tif", "most.tif"]),
    ],
)
def test_files_of_more_than_an_equal_part_of_all_bytes_are_large(tmp_path, count, large):
    """Of 200 bytes, of which half are an object in a store."""
    found = [Found.of_url(Url("s3", "beads/far.tif"), 100)]
    for name, size in (("half.tif", 30), ("least.tif", 10), ("most.tif", 60)):
        (tmp_path / name).write_bytes(bytes(size))
        found.append(Found(tmp_path / name, PurePosixPath(name)))
    parts = [shards.Part.of(found, Shard(number, count)) for number in range(1, count + 1)]
    for part in parts:
        assert [item.path.name for item in part.large] == large
        assert (part.images, part.all_bytes) == (4, 200)
    assert sum(part.bytes for part in parts) == 200
    assert sorted(place for part in parts for place in part.places) == [0, 1, 2, 3]


def test_missing_and_unfinished_shards_are_named(run, bead_folder, divided):
    divided("count", bead_folder, "-o", "out", count=7, numbers=(4,))
    refused(run, "not finished: 1/7, 2/7, 3/7, 5/7, 6/7 and 1 more")
    shutil.rmtree("out/.beadctl/shards")
    divided("count", bead_folder, "-o", "out", count=2)
    record = Path("out/.beadctl/shards/2-of-2/run.json")
    facts = json.loads(record.read_text())
    incomplete = [
        {key: value for key, value in facts["shard"].items() if key != lost}
        for lost in ("images", "division", "key", "save")
    ]
    of_another = facts["shard"] | {"number": 1}
    for changed in ({"outcome": "running"}, *({"shard": own} for own in (3, of_another, *incomplete))):
        record.write_text(json.dumps(facts | changed))
        refused(run, "not finished: 2/2")
    record.write_text("{")
    refused(run, "not finished: 2/2")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("--threshold", "0.6"), "instances.threshold (None and 0.6)"),
        (("--save", "masks"), "output.save"),
        (("--pixel-size", "0.3"), "data.pixel_size"),
    ],
)
def test_shards_of_other_settings_are_refused(run, bead_folder, divided, words, name):
    divided("segment", bead_folder, "-o", "out", count=2, numbers=(1,))
    divided("segment", bead_folder, "-o", "out", *words, count=2, numbers=(2,))
    refused(run, "shards 1/2 and 2/2 differ in", name)


@pytest.mark.parametrize("flag", ["--region", "--region-exclude"])
def test_shards_of_another_region_in_a_file_of_one_name_are_refused(run, bead_folder, divided, flag):
    for number, rows in ((1, 20), (2, 30)):
        tifffile.imwrite("well.tif", np.indices((96, 128))[0].astype(np.uint8) // rows % 2)
        divided("segment", bead_folder, "-o", "out", flag, "well.tif", count=2, numbers=(number,))
    refused(run, f"shards 1/2 and 2/2 differ in the file of {flag} (")


def test_shards_of_another_model_are_refused(run, bead_folder, model_path, tmp_path):
    other = tmp_path / "other.onnx"
    content = model_path.read_bytes()
    other.write_bytes(content.replace(b"CC0-1.0", b"CC0-9.9"))
    assert run("count", bead_folder, "-o", "out", "-m", model_path, "--shard", "1/2").code == 0
    assert run("count", bead_folder, "-o", "out", "-m", other, "--shard", "2/2").code == 0
    refused(run, "shards 1/2 and 2/2 differ in model")
    # The same model from another place is the same one.
    other.write_bytes(content)
    assert run("count", bead_folder, "-o", "out", "-m", other, "--shard", "2/2", "--overwrite").code == 0
    assert run("merge", "out").code == 0


def changed_record(number, count, **changes):
    path = Path(f"out/.beadctl/shards/{number}-of-{count}/run.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_shards_of_another_version_are_refused(run, bead_folder, divided):
    divided("count", bead_folder, "-o", "out", count=2)
    changed_record(2, 2, beadctl="0.1.0")
    refused(run, "differ in version (", "and 0.1.0)")
    changed_record(1, 2, beadctl="0.1.0")
    refused(run, "are of beadctl 0.1.0, and this is")
    changed_record(1, 2, settings=None)
    refused(run)


def test_images_that_changed_between_shards_are_refused_until_all_are_run_again(
    run, bead_folder, divided, model_path
):
    words = ("count", bead_folder, "-o", "out", "-m", model_path)
    divided(*words[:-2], count=3, numbers=(1, 2))
    tifffile.imwrite(bead_folder / "late.tif", discs(3, 200, 200)[0])
    said = run(*words, "--shard", "3/3")
    assert "changed since shard 1/3 began; run again before the merge: 1/3, 2/3" in said.err
    refused(run, "images were added, removed or changed between the shards 1/3, 2/3 and 3/3")
    divided(*words[:-2], count=3)
    assert run("merge", "out").code == 0
    assert {row["image"] for row in table("out/counts.csv")} >= {"late.tif", "rgb.png"}


def test_a_foreign_shard_is_refused(run, bead_folder, divided, model_path, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(bead_folder, other)
    divided("count", bead_folder, "-o", "out", count=2, numbers=(1,))
    assert run("count", other, "-o", "apart", "-m", model_path, "--shard", "2/2").code == 0
    shutil.copytree("apart/.beadctl/shards/2-of-2", "out/.beadctl/shards/2-of-2")
    refused(run, "between the shards 1/2 and 2/2")


def test_two_divisions_in_one_folder_are_refused(run, bead_folder, divided, model_path):
    divided("count", bead_folder, "-o", "out", count=2)
    said = run("count", bead_folder, "-o", "out", "-m", model_path, "--shard", "1/3")
    assert said.code == 3
    assert "out: is divided into 2 shards, and --shard 1/3 is one of 3; give --shard I/2" in said.error
    shutil.copytree("out/.beadctl/shards/2-of-2", "out/.beadctl/shards/2-of-3")
    refused(run, "is divided into 2 and into 3 shards")


def test_an_image_that_is_missing_or_in_two_shards_is_named(run, bead_folder, divided):
    divided("count", bead_folder, "-o", "out", count=2)
    first, second = (Path(f"out/.beadctl/shards/{number}-of-2/images.jsonl") for number in (1, 2))
    lines = first.read_text(), second.read_text()
    second.write_text(lines[1] + lines[0].splitlines()[-1] + "\n")
    said = run("merge", "out")
    assert (said.code, "is in two shards" in said.error) == (3, True)
    second.write_text("".join(lines[1].splitlines(keepends=True)[1:]))
    said = run("merge", "out")
    assert said.code == 3
    assert "follows one that is in no shard" in said.error
    second.write_text(lines[1])
    last = max(first, second, key=lambda path: json.loads(path.read_text().splitlines()[-1])["place"])
    last.write_text("".join(last.read_text().splitlines(keepends=True)[:-1]))
    assert "the shards have 4 of 5 images" in run("merge", "out").error
    second.write_text("{}\n")
    assert "images.jsonl: cannot be read; run shard 2/2 again" in run("merge", "out").error
    assert not Path("out/counts.csv").exists()


def test_two_jobs_do_not_share_a_shard_and_a_merge_waits_for_none(run, bead_folder, divided, model_path):
    words = ("segment", bead_folder, "-o", "out", "-m", model_path)
    divided(*words[:-2], count=2)
    with lock.held(shards.folder_of(Path("out"), Shard(2, 2)), print):
        for busy in ((*words, "--shard", "2/2"), words, ("merge", "out")):
            said = run(*busy)
            assert said.code == 3
            assert "2-of-2: in use by another job" in said.error
        assert run(*words, "--shard", "1/2").code == 0
    with lock.held(Path("out"), print):
        said = run(*words, "--shard", "1/2")
        assert said.code == 3
        assert "out: in use by another job" in said.error
    assert run("merge", "out").code == 0


def test_a_shard_does_not_replace_what_nobody_made(run, bead_folder, model_path):
    Path("out").mkdir()
    Path("out/counts.csv").write_text("mine")
    said = run("segment", bead_folder, "-o", "out", "-m", model_path, "--shard", "1/2")
    assert said.code == 3
    assert "counts.csv: already exists" in said.error
    assert not Path("out/.beadctl").exists()


def test_a_shard_needs_a_folder_and_a_number(run, bead_folder, model_path, monkeypatch):
    said = run("count", bead_folder, "-m", model_path, "--shard", "1/2")
    assert (said.code, said.out) == (2, "")
    assert "--shard 1/2: give -o" in said.error
    for text in ("3/2", "0/2", "half"):
        assert run("segment", bead_folder, "-o", "out", "--shard", text).code == 2
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "1")
    said = run("segment", bead_folder, "-o", "out", "-m", model_path, "--shard", "auto")
    assert said.code == 0
    assert "shard 1/1 (SLURM_ARRAY_TASK_ID): 5 of 5 images" in said.err
    assert not list(Path("out").rglob(f"{TEMPORARY}*"))
