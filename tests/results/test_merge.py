"""Shards of a run and their merge: the files of a run that was not divided."""

import csv
import json
import os
import shutil
import sys
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import discs

from beadctl import lock
from beadctl.files import TEMPORARY
from beadctl.results import ledger, merge, shards, tables
from beadctl.results.ledger import Entry, ImageResult, Row
from beadctl.results.outputs import Outputs
from beadctl.shard import Shard

COUNT = 7
# Of run.json: what differs between two runs that nobody disturbed, and how many shards there were.
OF_THE_RUN = ("start", "end", "shards")


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


def content(out):
    """Every file of a folder of results, without what only shards have."""
    files = {}
    for path in sorted(Path(out).rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_dir() or name.startswith(f"{ledger.FOLDER}/{shards.FOLDER}/"):
            continue
        data = path.read_bytes()
        if name == "run.json":
            data = {key: value for key, value in json.loads(data).items() if key not in OF_THE_RUN}
        files[name] = data
    return files


def table(path):
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def divided(run, model_path):
    """A function that runs a command as several shards, and returns their exit codes."""

    def call(*words, count=COUNT, numbers=None):
        order = numbers or reversed(range(1, count + 1))
        said = [run(*words, "-m", model_path, "--shard", f"{number}/{count}") for number in order]
        assert not any("Traceback" in one.err for one in said)
        return [one.code for one in said]

    return call


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


def test_missing_and_unfinished_shards_are_named(run, bead_folder, divided):
    divided("count", bead_folder, "-o", "out", count=7, numbers=(4,))
    refused(run, "not finished: 1/7, 2/7, 3/7, 5/7, 6/7 and 1 more")
    shutil.rmtree("out/.beadctl/shards")
    divided("count", bead_folder, "-o", "out", count=2)
    record = Path("out/.beadctl/shards/2-of-2/run.json")
    facts = json.loads(record.read_text())
    for changed in ({"outcome": "running"}, {"shard": 3}, {"shard": facts["shard"] | {"number": 1}}):
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
    assert "is in no shard" in said.error or "of 5 images" in said.error
    second.write_text("{}\n")
    assert "images.jsonl: cannot be read; run shard 2/2 again" in run("merge", "out").error
    assert not Path("out/counts.csv").exists()


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


def simulated(out, images, count):
    """Shards that have done so many images, of one plane and one bead each."""
    records, names = [], [f"plate/i{place:04d}.tif" for place in range(images)]
    for number in range(1, count + 1):
        lines = []
        for place in range(number - 1, images, count):
            entry = Entry("key:0", "", ImageResult((Row(names[place], 0, "", "ok", count=1),)))
            ledger.save(out, Path(names[place]), entry, ["x\n"])
            line = {"place": place, "name": names[place], "path": names[place], "failed": []}
            lines.append(json.dumps(line) + "\n")
        folder = shards.folder_of(out, Shard(number, count))
        folder.mkdir(parents=True)
        (folder / shards.IMAGES).write_text("".join(lines))
        records.append(shards.Record(folder, Shard(number, count), {"shard": {"images": images}}))
    whole = merge.Shards(out, tuple(records))
    return names, lambda: ((image.name, "ok") for image in whole.in_order())


def test_a_merge_keeps_no_rows(tmp_path, monkeypatch):
    """The ledger is read one image at a time: the rows of few are alive at once."""
    out = tmp_path / "out"
    names, states = simulated(out, 60, 3)
    real, results, most = ledger.read, [], 0

    def read(*place):
        nonlocal most
        entry = real(*place)
        results.append(weakref.ref(entry.result))
        most = max(most, sum(result() is not None for result in results))
        return entry

    monkeypatch.setattr(ledger, "read", read)
    left = tables.write_tables(out, states, "key", Outputs(out))
    assert (left.lost, left.others) == ([], [])
    assert [row["image"] for row in table(out / "counts.csv")] == names
    assert most <= 4


def test_a_merge_keeps_no_names(tmp_path, monkeypatch):
    """What it holds at the last image does not grow with the images, whose names take 100 bytes each."""
    monkeypatch.setattr("beadctl.files.os.fsync", lambda _: None)
    monkeypatch.setattr(shards, "READ_BYTES", 512)
    own = tracemalloc.Filter(True, tables.__file__, all_frames=True)
    few, many, held = 60, 240, {}
    for images in (few, many):
        out, sizes = tmp_path / str(images), []
        _, states = simulated(out, images, 3)

        def watched(states=states, images=images, sizes=sizes):
            for number, state in enumerate(states(), 1):
                if number == images:
                    traces = tracemalloc.take_snapshot().filter_traces([own])
                    sizes.append(sum(one.size for one in traces.statistics("filename")))
                yield state

        tracemalloc.start(6)
        tables.write_tables(out, watched, "key", Outputs(out))
        tracemalloc.stop()
        held[images] = max(sizes)
    assert (held[many] - held[few]) / (many - few) < 50


def test_more_shards_are_merged_than_a_process_may_open_files(tmp_path):
    resource = pytest.importorskip("resource", reason="the system has no such limit")
    names, states = simulated(tmp_path, 90, 90)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The least number that a file can have now, and some more.
    with Path(os.devnull).open() as free:
        resource.setrlimit(resource.RLIMIT_NOFILE, (free.fileno() + 20, before[1]))
    try:
        assert [str(name) for name, _ in states()] == names
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
