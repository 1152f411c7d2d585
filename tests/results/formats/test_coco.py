"""COCO files of images and of runs, read back by pycocotools and by beadctl's own reader."""

import contextlib
import io
import json
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from helpers.segmented import plane_of, ragged, segmented
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from beadctl.annotations.reading import read
from beadctl.results.formats import Output, coco


def write(path, planes, name="a.tif"):
    """Write label images as a run does."""
    places = [f"Z={number}" for number in range(len(planes))] if len(planes) > 1 else [""]
    coco.write(
        [path],
        [
            coco.encode(
                labels,
                segmented(labels, None, (labels > 0) * np.uint8(204)),
                plane_of(labels, place, index=number, name=name),
            )
            for number, (labels, place) in enumerate(zip(planes, places, strict=True))
        ],
    )


def opened(path):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def check(file, images):
    """Compare what pycocotools reads with label images."""
    assert sorted(file.imgs) == list(range(1, len(images) + 1))
    assert sorted(file.anns) == list(range(1, sum(int(labels.max()) for labels in images) + 1))
    for number, labels in enumerate(images, start=1):
        found = np.zeros(labels.shape, np.uint32)
        for bead in file.loadAnns(file.getAnnIds(imgIds=[number])):
            runs = file.annToRLE(bead)
            found[coco_mask.decode(runs) > 0] = bead["label"]
            assert (bead["area"], bead["bbox"]) == (coco_mask.area(runs), coco_mask.toBbox(runs).tolist())
            assert bead["category_id"] in file.cats
            assert bead["score"] == pytest.approx(0.8)
        np.testing.assert_array_equal(found, labels)


LABELS = st.builds(ragged, st.integers(0, 2**32), st.integers(1, 20), st.integers(1, 20), st.floats(0, 0.9))


@settings(max_examples=20)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@given(st.lists(LABELS, min_size=1, max_size=3))
def test_pycocotools_reads_each_bead(tmp_path_factory, planes):
    path = tmp_path_factory.mktemp("coco") / "a_coco.json"
    write(path, planes)
    check(opened(path), planes)
    if len(planes) == 1:
        np.testing.assert_array_equal(read(path, planes[0].shape).labels, planes[0])


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_files_of_a_run_become_one(tmp_path):
    stack, plane = [ragged(seed, 20, 30, 0.2) for seed in (1, 2, 3)], ragged(4, 50, 10, 0.3)
    write(tmp_path / "one.json", stack, "s.tif")
    write(tmp_path / "two.json", [plane], "=b.png")
    parts = [
        (PurePosixPath("deep/s.ome.tif"), tmp_path / "one.json"),
        (PurePosixPath("=b.png"), tmp_path / "two.json"),
    ]
    coco.join(tmp_path / "whole.json", parts)
    file = opened(tmp_path / "whole.json")
    check(file, [*stack, plane])
    assert [
        (image["file_name"], image["image"], image["plane"]) for image in file.loadImgs([1, 2, 3, 4])
    ] == [
        *((f"deep/s_p000{number}.tif", "deep/s.ome.tif", number) for number in range(3)),
        ("\\x3db.png", "\\x3db.png", 0),
    ]
    coco.join(tmp_path / "empty.json", [])
    assert json.loads((tmp_path / "empty.json").read_text())["annotations"] == []


def joined(folder):
    file = opened(Path(folder) / coco.JOINED)
    return {image["file_name"]: len(file.getAnnIds(imgIds=[key])) for key, image in file.imgs.items()}


def test_the_file_of_a_run_follows_its_tables(run, bead_folder, model_path):
    def segment(*words):
        return run("segment", *words, "-m", model_path, "-o", "out")

    save = ("--save", "coco")
    assert segment(bead_folder / "dark.png", *save).code == 0
    assert joined("out") == {"dark.png": 4}
    assert segment(bead_folder / "dark.png", bead_folder / "stack.tif", *save).code == 0
    every = {"dark.png": 4, "stack_p0000.tif": 2, "stack_p0001.tif": 0, "stack_p0002.tif": 5}
    assert joined("out") == every
    # A run without this output leaves the images of earlier runs in it, and one that does them anew does not.
    assert segment(bead_folder / "rgb.png", "--save", "masks").code == 0
    assert joined("out") == every
    assert run("verify", "out").code == 0
    words = ("--save", "masks", "--overwrite", "--threshold", "0.6")
    assert segment(bead_folder / "dark.png", bead_folder / "stack.tif", *words).code == 0
    assert list(Path("out/coco").iterdir()) == []


def test_a_part_that_was_changed_is_not_joined(run, bead_folder, model_path):
    def segment(*words):
        return run("segment", *words, "-m", model_path, "-o", "out", "--save", "coco")

    assert segment(bead_folder / "dark.png", bead_folder / "rgb.png").code == 0
    Path("out/coco/dark_coco.json").write_text("{}")
    # The image fails in a run that has it; else its part is no longer what the tables say.
    said = segment(bead_folder / "dark.png", bead_folder / "rgb.png")
    assert said.code == 1
    assert said.error.startswith("error: dark.png: ")
    assert joined("out") == {"rgb.png": 3}
    said = segment(bead_folder / "rgb.png")
    assert said.code == 1
    assert "dark_coco.json: is not as beadctl wrote it; run its image again with --overwrite" in said.error
    assert len(Path("out/counts.csv").read_text().splitlines()) == 3


def test_a_file_of_that_name_from_elsewhere_is_kept(run, bead_folder, model_path):
    mine = Path("out") / coco.JOINED
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    said = run("segment", bead_folder, "-m", model_path, "-o", "out", "--save", ",".join(Output))
    assert said.code == 3
    assert f"{mine}: already exists" in said.error
    assert mine.read_text() == "mine"
