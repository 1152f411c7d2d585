"""Shards of an audit and their merge: the findings of an audit that was not divided."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.fields import field

COUNT = 3
FILES = ("audit.csv", "audit.html")


@pytest.fixture
def pairs(tmp_path):
    """Eight pairs: two with swapped masks, one shifted, a copy of an image, one unreadable, three right."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    masks = [field(np.random.default_rng(seed)) for seed in range(7)]
    masks.append(masks[3])
    noise = np.random.default_rng(7).normal(0, 6, masks[0].shape)
    images = [(100 + 80 * (labels > 0) + noise).astype(np.uint8) for labels in masks]
    masks[0], masks[1] = masks[1], masks[0]
    masks[2] = np.roll(masks[2], (6, -5), (0, 1))
    for place, (image, mask) in enumerate(zip(images, masks, strict=True)):
        tifffile.imwrite(tmp_path / f"images/f{place}.tif", image)
        tifffile.imwrite(tmp_path / f"masks/f{place}.tif", mask)
    (tmp_path / "images/f6.tif").write_text("Dear microscope,")
    return "audit", "images", "masks", "-o", "out"


@pytest.fixture
def divided(run, pairs):
    def call(*words, numbers=range(1, COUNT + 1)):
        said = [run(*pairs, *words, "--shard", f"{number}/{COUNT}") for number in numbers]
        assert [(one.code, one.out) for one in said] == [(0, "")] * len(said)
        return said

    return call


def content(out):
    return {name: (Path(out) / name).read_bytes() for name in FILES}


def test_shards_and_a_merge_find_what_one_audit_finds(run, pairs, divided, model_path):
    words = ("-m", model_path)
    whole = run(*pairs, *words)
    files = content("out")
    shutil.rmtree("out")
    divided(*words)
    assert not Path("out/audit.csv").exists()
    for _ in range(2):
        said = run("merge", "out")
        assert (said.code, said.out) == (whole.code, whole.out) == (1, whole.out)
        assert content("out") == files
    # What only the comparison of all images finds.
    for words in (b"the mask belongs to f1.tif", b"the image equals f3.tif"):
        assert words in files["audit.csv"]


def refused(run, *words):
    said = run("merge", "out")
    assert (said.code, said.out) == (3, "")
    for word in words:
        assert word in said.error
    assert not Path("out/audit.csv").exists()


def test_a_merge_that_does_not_fit_is_one_line(run, pairs, divided):
    divided("--no-find", numbers=(1, 3))
    refused(run, "out: shards that are missing or not finished: 2/3")
    divided("--no-find", "--centre-diameter", "9", numbers=(2,))
    refused(run, "shards 1/3 and 2/3 differ in settings")
    divided("--no-find", numbers=(2,))
    file = Path("out/.beadctl/audit/2-of-3.jsonl")
    lines = file.read_text().splitlines(keepends=True)
    facts = json.loads(lines[0])
    for changed, words in (
        ({"beadctl": "0.1.0"}, "differ in beadctl"),
        ({"model_sha256": "0"}, "differ in model_sha256"),
        ({"settings": 3}, "differ in settings"),
    ):
        file.write_text(json.dumps(facts | changed) + "\n" + "".join(lines[1:]))
        refused(run, words)
    for text in ("", "[]\n", "{}\n"):
        file.write_text(text)
        refused(run, "2-of-3.jsonl: cannot be read; run this shard again")
    file.write_text(lines[0] + '{"place": 1}\n')
    refused(run, "2-of-3.jsonl: cannot be read")
    file.write_text("".join(lines[:-1]))
    refused(run, "images were added, removed or changed since")
    file.write_text("".join(lines))
    shutil.copy(file, file.with_name("2-of-4.jsonl"))
    refused(run, "is divided into 3 and into 4 shards")


def test_pairs_that_changed_are_refused(run, pairs, divided):
    divided("--no-find")
    shutil.copy("images/f4.tif", "images/f9.tif")
    shutil.copy("masks/f4.tif", "masks/f9.tif")
    refused(run, "images were added, removed or changed since; run the shards again")


def test_a_shard_of_an_audit_needs_a_folder_and_corrects_nothing(run, pairs):
    said = run(*pairs, "--shard", "1/2", "--fix", "fixed", "--no-find")
    assert (said.code, "leave out --fix" in said.error) == (2, True)
    said = run(*pairs[:3], "--shard", "1/2", "--no-find")
    assert (said.code, "give -o too" in said.error) == (2, True)


def test_shards_of_a_run_and_of_an_audit_in_one_folder_are_both_merged(run, pairs, divided, model_path):
    Path("images/f6.tif").unlink()
    Path("masks/f6.tif").unlink()
    divided("--no-find")
    assert run("count", "images", "-o", "out", "-m", model_path, "--shard", "1/1").code == 0
    assert run("merge", "out").code == 1
    assert {"audit.csv", "counts.csv"} < {path.name for path in Path("out").iterdir()}
