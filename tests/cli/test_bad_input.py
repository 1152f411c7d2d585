"""Wrong input: one line that names the file, the right exit code, and results of the other files."""

import csv
import io
import os
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tifffile
from helpers.images import discs
from helpers.model import write_model
from PIL import Image

from beadctl.dataset import manifest

HAS_CUDA = "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def one_line(said, code, *words):
    assert said.code == code
    assert said.out == ""
    for word in words:
        assert str(word) in said.error
    assert said.err.splitlines()[-1] == said.error


@pytest.fixture
def good(tmp_path):
    folder = tmp_path / "good"
    folder.mkdir()
    tifffile.imwrite(folder / "good.tif", discs(3)[0])
    return folder


@pytest.fixture(params=["segment", "count"])
def work(request, run, model_path):
    def call(*arguments, model=model_path):
        return run(request.param, *arguments, "-m", model)

    return call


def test_missing_folder(work, tmp_path):
    one_line(work("nowhere"), 1, "nowhere", "no such file or folder")
    assert not list(tmp_path.iterdir())


def test_empty_folder(work, tmp_path):
    (tmp_path / "empty").mkdir()
    one_line(work("empty"), 1, "empty", "no images", ".tif")


def test_folder_without_an_image(work, tmp_path):
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers/notes.txt").write_text("beads")
    one_line(work("papers"), 1, "papers", "no images")


def bad_files(folder):
    tifffile.imwrite(folder / "cut.tif", np.tile(discs(3)[0], (4, 4)))
    whole = (folder / "cut.tif").read_bytes()
    (folder / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (folder / "words.tif").write_text("Dear microscope,\n")
    (folder / "nothing.tif").write_bytes(b"")
    Image.fromarray(discs(3)[0]).save(folder / "cut.png")
    whole = (folder / "cut.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    return ["cut.png", "cut.tif", "nothing.tif", "words.tif"]


def test_bad_files_among_good_ones(run, model_path, good):
    names = bad_files(good)
    # Otherwise both would write cut_masks.tif, which is refused.
    (good / "cut.png").rename(good / "torn.png")
    names = ["cut.tif", "nothing.tif", "torn.png", "words.tif"]
    said = run("segment", good, "-m", model_path, "-o", "out")
    assert said.code == 1
    assert [line.split(": ")[1] for line in said.errors] == names
    rows = {row["image"]: row for row in csv.DictReader(Path("out/counts.csv").open())}
    assert {name: rows[name]["status"] for name in names} == dict.fromkeys(names, "failed")
    assert all(rows[name]["reason"] for name in names)
    assert (rows["good.tif"]["status"], rows["good.tif"]["count"]) == ("ok", "3")
    assert [path.name for path in Path("out/masks").iterdir()] == ["good_masks.tif"]


def test_good_files_are_counted_beside_bad_ones(run, model_path, good):
    bad_files(good)
    said = run("count", good, "-m", model_path)
    assert said.code == 1
    assert len(said.errors) == 4
    assert len(said.out.splitlines()) == 1 + 5


# Not the cut PNG: its header is whole, and info decodes no pixel.
@pytest.mark.parametrize("name", ["cut.tif", "nothing.tif", "words.tif"])
def test_info_of_a_bad_file_is_one_line(run, tmp_path, name):
    bad_files(tmp_path)
    one_line(run("info", name), 1, name)


def models(folder):
    write_model(folder / "foreign.onnx", metadata=False)
    whole = (folder / "foreign.onnx").read_bytes()
    (folder / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    (folder / "words.onnx").write_text("not a network")
    (folder / "nothing.onnx").write_bytes(b"")


@pytest.mark.parametrize("name", ["foreign.onnx", "cut.onnx", "words.onnx", "nothing.onnx", "absent.onnx"])
def test_a_file_that_is_no_beadctl_model(work, good, tmp_path, name):
    models(tmp_path)
    one_line(work(good, "-o", "out", model=name), 3, name)
    assert not Path("out").exists()


@pytest.mark.skipif(HAS_CUDA, reason="CUDA is here")
def test_cuda_that_is_missing(work, good):
    one_line(work(good, "--device", "cuda", "-o", "out"), 3, "--device cuda", "--device cpu")
    assert not Path("out").exists()


def test_an_output_folder_that_is_a_file(work, good, tmp_path):
    (tmp_path / "out").write_text("mine")
    one_line(work(good, "-o", "out"), 3, "out", "cannot be written")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="may write anywhere")
def test_an_output_folder_that_is_read_only(work, good, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    one_line(work(good, "-o", "locked/out"), 3, "locked", "cannot be written")


def test_results_that_cannot_be_read(work, good):
    assert work(good, "-o", "out").code == 0
    Path("out/.beadctl/parts/good.tif.json").write_text("{")
    one_line(work(good, "-o", "out"), 3, "good.tif.json", "--overwrite")
    assert work(good, "-o", "out", "--overwrite").code == 0


def test_an_unknown_loss_from_every_source(run, monkeypatch, tmp_path):
    one_line(run("train", "--loss", "hinge"), 2, "hinge", "dice")
    monkeypatch.setenv("BEADCTL_LOSS__NAME", "hinge")
    one_line(run("train"), 2, "hinge", "BEADCTL_LOSS__NAME", "dice")
    monkeypatch.delenv("BEADCTL_LOSS__NAME")
    (tmp_path / "beadctl.toml").write_text('[loss]\nname = "hinge"\n')
    one_line(run("train"), 2, "hinge", "beadctl.toml", "dice")


@pytest.fixture
def pairs(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for name, count in (("a", 2), ("b", 4)):
        image, labels = discs(count)
        tifffile.imwrite(tmp_path / f"images/{name}.tif", image)
        tifffile.imwrite(tmp_path / f"masks/{name}_masks.tif", labels)
    return tmp_path


@pytest.mark.parametrize("command", ["tile", "eval"])
def test_masks_of_other_names(run, model_path, pairs, command):
    for name in ("a", "b"):
        (pairs / f"masks/{name}_masks.tif").rename(pairs / f"masks/z{name}.tif")
    extra = ("-m", model_path) if command == "eval" else ("-o", "out")
    one_line(run(command, "images", "masks", *extra), 1, "masks", "no mask has the name")
    assert not Path("out").exists()


@pytest.mark.parametrize("command", ["tile", "eval"])
def test_a_mask_of_another_shape(run, model_path, pairs, command):
    tifffile.imwrite(pairs / "masks/b_masks.tif", np.zeros((10, 12), np.uint8))
    extra = ("-m", model_path) if command == "eval" else ("-o", "out", "--size", "64", "--overlap", "8")
    said = run(command, "images", "masks", *extra)
    assert said.code == 1
    for words in ("b_masks.tif", "10x12", "96x128"):
        assert words in said.error


@pytest.mark.parametrize("command", ["tile", "eval"])
def test_images_and_masks_without_partner_are_warnings(run, model_path, pairs, command):
    tifffile.imwrite(pairs / "images/lonely.tif", discs(1)[0])
    tifffile.imwrite(pairs / "masks/orphan.tif", discs(1)[1])
    extra = ("-m", model_path) if command == "eval" else ("-o", "out", "--size", "64", "--overlap", "8")
    said = run(command, "images", "masks", *extra)
    assert said.code == 0
    assert "warning: 1 image without a mask: lonely.tif" in said.err
    assert "warning: 1 mask without an image: orphan.tif" in said.err


def test_training_without_tiles(run):
    one_line(run("train", "--tiles", "absent", "-o", "out"), 3, "absent", "beadctl tile")
    one_line(run("eval", "--tiles", "absent"), 3, "absent")


def test_auditing_a_manifest_without_tiles(run, tmp_path):
    (tmp_path / "manifest.csv").write_text(",".join(manifest.COLUMNS) + "\n")
    one_line(run("audit", tmp_path), 1, "manifest.csv: lists no tile; write it again with: beadctl tile")


def test_exporting_something_other_than_a_run(run, tmp_path):
    (tmp_path / "words.pt").write_text("weights")
    one_line(run("export", "absent"), 3, "absent")
    one_line(run("export", "words.pt"), 3, "words.pt")
    assert not (tmp_path / "bead.onnx").exists()


def test_a_stack_that_needs_a_choice(run, model_path, pairs):
    stack = np.stack([discs(2)[0]] * 3)
    tifffile.imwrite(pairs / "images/a.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    said = run("eval", "images", "masks", "-m", model_path)
    assert said.code == 1
    assert "--plane" in said.error
    assert run("eval", "images/", "masks", "-m", model_path, "--plane", "0").code == 0


def test_a_plane_or_channel_that_is_not_there(work, good):
    for option in ("--plane", "--channel"):
        said = work(good, option, "9")
        assert said.code == 1
        assert option.strip("-") in said.error


def test_a_path_below_a_closed_folder(run, good, monkeypatch):
    is_file = Path.is_file

    def refused(self):
        if "closed" in self.parts:
            raise PermissionError(13, "Permission denied", str(self))
        return is_file(self)

    monkeypatch.setattr(Path, "is_file", refused)
    one_line(run("count", good, "-m", "closed/m.onnx"), 3, "closed/m.onnx: Permission denied")


def test_an_output_folder_with_an_impossible_name(work, good):
    one_line(work(good, "-o", 300 * "x"), 3, 300 * "x", "check the path")


@pytest.mark.skipif(sys.platform == "win32", reason="no right to make links")
def test_a_link_to_itself_as_output_or_region(work, good):
    Path("loop").symlink_to("loop")
    one_line(work(good, "-o", "loop"), 3, "loop: cannot be written")
    one_line(work(good, "--region", "loop"), 2, "loop")


@pytest.mark.skipif(sys.platform == "win32", reason="no right to make links")
@pytest.mark.parametrize(
    "words", ["eval loop good", "eval good loop", "tile good loop -o out", "audit loop loop"]
)
def test_a_link_to_itself_as_images_or_annotations(run, good, words):
    Path("loop").symlink_to("loop")
    one_line(run(*words.split()), 1, "loop: no such file or folder")


@pytest.mark.skipif(sys.platform == "win32", reason="the folder of a process cannot be removed there")
def test_a_working_folder_that_was_removed(run, good, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    one_line(run("count", good), 2, "the working folder is gone")


@pytest.mark.parametrize("content", [None, b"\n"])
def test_a_standard_input_without_names(work, monkeypatch, content):
    monkeypatch.setattr("sys.stdin", content and io.TextIOWrapper(io.BytesIO(content)))
    one_line(work("-"), 1, "standard input: ")


def test_a_list_of_an_impossible_name(work):
    one_line(work("@" + 300 * "x"), 1, 300 * "x", "cannot be read")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders here")
def test_a_pipe_is_no_image(run, model_path):
    os.mkfifo("pipe")
    for command in (("segment", "-o", "out"), ("count",)):
        said = run(command[0], "pipe", "-m", model_path, *command[1:])
        assert said.code == 1
        assert said.error == "error: pipe: a pipe or a device; save what it gives as a file"


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (("simulate", "s3://bucket/scenes", "-n", "1"), ""),
        (("audit", "good", "good", "--fix", "s3://bucket/scenes"), "--fix "),
        (("export", "default", "--int8", "-o", "s3://bucket/scenes"), "-o "),
        (("export", "default", "--bioimageio", "s3://bucket/scenes"), "--bioimageio "),
        (("eval", "good", "good", "--calibrate", "s3://bucket/scenes"), "--calibrate "),
        (("eval", "good", "good", "--bands", "s3://bucket/scenes"), "--bands "),
    ],
)
def test_an_address_is_no_place_for_what_a_store_does_not_take(run, good, words, flag):
    """It was made a folder ``s3:`` of this computer."""
    one_line(
        run(*words), 2, f"error: {flag}s3://bucket/scenes: segment, count and merge alone write to a store"
    )
    assert [path.name for path in Path().iterdir()] == ["good"]
