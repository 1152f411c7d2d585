"""Shards of a run and their merge: the files of a run that was not divided."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import tifffile
from helpers.images import discs
from helpers.merging import content
from helpers.results_folder import table


@pytest.fixture
def many(bead_folder):
    """Images of several sizes, two that are broken, and two with strange names."""
    for index in range(6):
        image = discs(index, 96, 128 + 40 * index, seed=index)[0]
        tifffile.imwrite(bead_folder / f"i{index}.tif", image, compression="zlib" if index % 2 else None)
    (bead_folder / "words.tif").write_text("Dear microscope,")
    (bead_folder / "empty.tif").touch()
    tifffile.imwrite(bead_folder / "=1+2.tif", discs(3)[0])
    if sys.platform == "linux":
        name = os.fsencode(bead_folder) + b"/\xff\n.tif"
        tifffile.imwrite(os.fsdecode(name), discs(2)[0])
    return bead_folder


@pytest.fixture
def whole(run, many, model_path):
    """The files of a run that is not divided, into ``out``, which is then gone."""

    def call(command, *words):
        said = run(command, many, "-o", "out", "-m", model_path, *words)
        assert said.code == 1
        files = content("out")
        shutil.rmtree("out")
        return files, said

    return call


def test_seven_shards_and_a_merge_are_one_run(run, many, divided, whole):
    files, _ = whole("segment")
    assert set(divided("segment", many, "-o", "out")) == {0, 1}
    assert not Path("out/counts.csv").exists()
    said = run("merge", "out")
    assert (said.code, said.out) == (1, "")
    assert [line.split(": ")[1] for line in said.errors] == ["empty.tif", "words.tif"]
    assert content("out") == files
    record = json.loads(Path("out/run.json").read_text())
    assert (record["images"], record["shards"], record["outcome"]) == (
        len(table("out/counts.csv")) - 2,
        7,
        "finished",
    )
    assert run("verify", "out").code == 0
    # Again, to the byte of the record too.
    before = Path("out/run.json").read_bytes()
    assert run("merge", "out").code == 1
    assert content("out") == files
    assert Path("out/run.json").read_bytes() == before


def test_merged_counts_have_the_statistics_of_all_shards(run, many, divided, whole):
    words = ("--group-by", r"(?P<sample>i|s)\d*.*tif", "--sizes", "--depth-um", "100")
    files, undivided = whole("count", *words)
    assert {"groups.csv", "sizes.csv", "size_histogram.csv"} < set(files)
    divided("count", many, "-o", "out", *words, count=2)
    assert not {"groups.csv", "sizes.csv"} & {path.name for path in Path("out").iterdir()}
    said = run("merge", "out")
    assert content("out") == files
    # The same words on the groups and failures.
    assert [line for line in said.errors if line in undivided.errors] == said.errors
    assert said.errors


def test_label_images_are_divided_too(run, bead_folder, tmp_path):
    for index in range(3):
        tifffile.imwrite(tmp_path / f"l{index}.tif", discs(index + 2)[1])
    words = ("count", *(word for index in range(3) for word in ("--labels", f"l{index}.tif")), "-o", "out")
    assert run(*words).code == 0
    files = content("out")
    shutil.rmtree("out")
    for number in (1, 2):
        assert run(*words, "--shard", f"{number}/2").code == 0
    assert run("merge", "out").code == 0
    assert content("out") == files


def test_shards_that_were_stopped_go_on_and_are_told_as_done(run, many, divided, whole):
    """Also after the division into another number, which is asked for by removing the first one."""
    files, _ = whole("segment", "--save", "masks,coco")
    words = ("segment", many, "-o", "out", "--save", "masks,coco")
    divided(*words, count=2, numbers=(2,))
    assert run(*words, "--shard", "1/3").code == 3
    shutil.rmtree("out/.beadctl/shards")
    divided(*words, count=3)
    run("merge", "out")
    assert content("out") == files
    assert {row["status"] for row in table("out/counts.csv")} == {"ok", "failed"}


def test_a_merged_folder_is_one_of_a_run(run, many, divided, model_path):
    divided("count", many, "-o", "out", count=2)
    assert run("merge", "out").code == 1
    said = run("count", many, "-o", "out", "-m", model_path)
    assert said.code == 1
    assert {row["status"] for row in table("out/counts.csv")} == {"skipped", "failed"}
    assert run("merge", "out").code == 1
    assert {row["status"] for row in table("out/counts.csv")} == {"ok", "failed"}


def test_images_of_earlier_runs_are_kept_as_in_a_run(run, bead_folder, divided, model_path, tmp_path):
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    for name in ("z.tif", "gone.tif"):
        tifffile.imwrite(earlier / name, discs(3)[0])
    assert run("segment", earlier, "-o", "out", "-m", model_path).code == 0
    (earlier / "gone.tif").unlink()
    divided("segment", bead_folder, "-o", "out", count=2)
    said = run("merge", "out")
    assert said.code == 0
    assert "images of earlier runs kept: 1" in said.err
    assert "no longer there left out: 1, such as gone.tif" in said.err
    assert [row["image"] for row in table("out/counts.csv")][-1] == "z.tif"


def test_more_shards_than_images(run, bead_folder, divided, model_path):
    assert run("segment", bead_folder, "-o", "out", "-m", model_path).code == 0
    files = content("out")
    shutil.rmtree("out")
    assert set(divided("segment", bead_folder, "-o", "out", count=6)) == {0}
    assert run("merge", "out").code == 0
    assert content("out") == files


def test_results_that_were_removed_are_rows(run, bead_folder, divided):
    divided("segment", bead_folder, "-o", "out", count=2)
    Path("out/masks/dark_masks.tif").unlink()
    said = run("merge", "out")
    assert said.code == 1
    assert "results that shards had written are gone: 1, such as dark.png" in said.err
    assert json.loads(Path("out/run.json").read_text())["outcome"] == "stopped"
    (row,) = [row for row in table("out/counts.csv") if row["image"] == "dark.png"]
    assert (row["status"], row["count"]) == ("failed", "")
    divided("segment", bead_folder, "-o", "out", count=2)
    assert run("merge", "out").code == 0


def test_shards_of_other_devices_are_merged_with_a_warning(run, bead_folder, divided):
    divided("count", bead_folder, "-o", "out", count=3)
    assert "shards differ" not in run("merge", "out").err
    paths = [Path(f"out/.beadctl/shards/{number}-of-3/run.json") for number in (1, 2, 3)]
    first, second, third = (json.loads(path.read_text()) for path in paths)
    second |= {"device_used": "cuda", "model": "elsewhere.onnx", "start": "2001-01-01T00:00:00+00:00"}
    third |= {"onnxruntime": "1.0", "end": "2999-01-01T00:00:00+00:00"}
    for path, record in zip(paths, (first, second, third), strict=True):
        path.write_text(json.dumps(record))
    said = run("merge", "out")
    assert said.code == 0
    assert "out: shards differ in device_used and onnxruntime, which may change a few counts" in said.err
    record = json.loads(Path("out/run.json").read_text())
    assert record["device_used"] == [first["device_used"], "cuda"]
    assert record["onnxruntime"] == [first["onnxruntime"], "1.0"]
    assert record["model"] == first["model"]
    assert (record["start"], record["end"]) == (second["start"], third["end"])
