"""The contract of a folder of results: one row a plane, reruns, refusals, interruptions."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import COUNTS, discs
from PIL import Image

from beadctl.cli import main
from beadctl.images import open_image
from beadctl.results.formats import Output
from beadctl.results.ledger import COLUMNS

# Functions that an image goes through -> the module that calls them.
STAGES = {
    "open_image": "beadctl.results.run",
    "predict_plane": "beadctl.results.sources",
    "label_plane": "beadctl.results.sources",
}


def table(path):
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def counts(path):
    return {(row["image"], int(row["plane"])): int(row["count"]) for row in table(path)}


def files(folder):
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture
def segment(run, model_path):
    return lambda *arguments: run("segment", *arguments, "-m", model_path)


def test_a_folder_of_results(segment, bead_folder):
    said = segment(bead_folder, "-o", "out")
    assert said.code == 0
    assert said.out == ""
    rows = table("out/counts.csv")
    assert tuple(rows[0]) == COLUMNS
    assert {row["status"] for row in rows} == {"ok"}
    found = counts("out/counts.csv")
    simulated = found.pop(("deep/sim.tif", 0))
    assert found == COUNTS
    # A row a bead, of the right image and plane.
    beads = Counter((bead["image"], int(bead["plane"])) for bead in table("out/beads.csv"))
    assert beads == Counter(COUNTS | {("deep/sim.tif", 0): simulated}) - Counter()
    names = ["dark", "rgb", "deep/sixteen", "deep/sim"]
    pictures = {f"overlays/{name}_overlay.png" for name in names}
    pictures |= {f"overlays/stack_p000{plane}_overlay.png" for plane in range(3)}
    assert {name for name in files("out") if not name.startswith(".beadctl/")} == {
        "counts.csv",
        "beads.csv",
        "run.json",
        "settings.toml",
        *pictures,
        *(f"masks/{name}_masks.tif" for name in [*names, "stack"]),
    }
    for image, planes in (("dark", [4]), ("stack", [2, 0, 5]), ("deep/sixteen", [7])):
        with tifffile.TiffFile(f"out/masks/{image}_masks.tif") as tiff:
            assert tiff.is_ome
            labels = tiff.asarray()
        assert labels.dtype == np.uint32
        stack = labels.reshape(-1, *labels.shape[-2:])
        assert [len(np.unique(plane[plane > 0])) for plane in stack] == planes
    assert open_image(Path("out/masks/deep/sixteen_masks.tif")).pixel_size_um == pytest.approx(0.5)
    sixteen = next(row for row in rows if row["image"] == "deep/sixteen.tif")
    assert float(sixteen["mean_diameter_um"]) == pytest.approx(
        float(sixteen["mean_diameter_px"]) / 2, rel=1e-4
    )
    assert float(sixteen["mean_diameter_px"]) == pytest.approx(10, abs=0.5)
    record = json.loads(Path("out/run.json").read_text())
    assert (record["outcome"], record["images"], record["device_used"]) == ("finished", 5, "cpu")
    assert record["end"] >= record["start"]


def test_labels_lie_on_the_beads(segment, tmp_path):
    image, truth = discs(9)
    tifffile.imwrite(tmp_path / "nine.tif", image)
    assert segment("nine.tif", "-o", "out").code == 0
    labels = tifffile.imread("out/masks/nine_masks.tif")
    for label in range(1, 10):
        inside = labels[truth == label]
        assert np.bincount(inside).argmax() > 0
        assert (inside == np.bincount(inside).argmax()).mean() > 0.9
    beads = table("out/beads.csv")
    for bead in beads:
        assert labels[round(float(bead["y_px"])), round(float(bead["x_px"]))] == int(bead["label"])


def test_results_do_not_depend_on_tiles_and_threads(segment, bead_folder):
    whole = None
    for name, options in {
        "whole": ("--tile-size", "0"),
        "small": ("--tile-size", "16"),
        "two": ("--tile-size", "64", "--threads", "2"),
    }.items():
        assert segment(bead_folder, "-o", name, "--save", "masks", *options).code == 0
        result = {
            path: Path(name, path).read_bytes()
            for path in sorted(files(name))
            if path.endswith(".csv") or path.startswith("masks/")
        }
        masks = {k: tifffile.imread(Path(name, k)).tobytes() for k in result if k.startswith("masks/")}
        result |= masks
        whole = whole or result
        assert result == whole


def test_a_rerun_skips_what_is_done(segment, bead_folder):
    assert segment(bead_folder, "-o", "out").code == 0
    before = {path: Path("out", path).stat().st_mtime_ns for path in files("out")}
    first = table("out/counts.csv")
    assert segment(bead_folder, "-o", "out").code == 0
    again = table("out/counts.csv")
    assert {row["status"] for row in again} == {"skipped"}
    assert {row["reason"] for row in again} == {"done by an earlier run"}
    same = [name for name in COLUMNS if name not in ("status", "reason")]
    assert [[row[name] for name in same] for row in again] == [[row[name] for name in same] for row in first]
    for path, stamp in before.items():
        if path.startswith(("masks/", "overlays/", ".beadctl/parts")):
            assert Path("out", path).stat().st_mtime_ns == stamp, path


def test_two_runs_write_the_same_bytes(segment, bead_folder):
    for name in ("one", "two"):
        assert segment(bead_folder, "-o", name, "--save", ",".join(Output)).code == 0
    made = [path for path in files("one") if not path.startswith((".beadctl", "run.json", "settings.toml"))]
    assert len(made) > 10
    for path in made:
        assert Path("one", path).read_bytes() == Path("two", path).read_bytes(), path


def test_a_new_image_joins_the_table(segment, bead_folder):
    segment(bead_folder, "-o", "out")
    Image.fromarray(discs(6)[0]).save(bead_folder / "later.png")
    assert segment(bead_folder, "-o", "out").code == 0
    assert counts("out/counts.csv")[("later.png", 0)] == 6
    status = {row["image"]: row["status"] for row in table("out/counts.csv")}
    assert Counter(status.values()) == {"skipped": 5, "ok": 1}
    # What an earlier run left there is told too, also when this run asks for one image.
    assert segment(bead_folder / "later.png", "-o", "out").code == 0
    assert {row["image"] for row in table("out/counts.csv")} == set(status)
    assert len(table("out/beads.csv")) == sum(counts("out/counts.csv").values())


@pytest.mark.parametrize("stage", STAGES)
def test_an_internal_error_of_one_image_is_its_row(segment, bead_folder, monkeypatch, stage):
    module = import_module(STAGES[stage])
    real, calls = getattr(module, stage), []

    def broken(*arguments, **named):
        calls.append(arguments)
        if len(calls) == 2:
            raise ZeroDivisionError("a bug\nof two lines")
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(module, stage, broken)
        said = segment(bead_folder, "-o", "out")
    assert said.code == 1
    assert (
        "internal error, please report it: ZeroDivisionError: a bug of two lines (broken, line " in said.error
    )
    rows = table("out/counts.csv")
    (failed,) = [row for row in rows if row["status"] == "failed"]
    assert failed["reason"] in said.error
    assert len(rows) >= 5
    assert segment(bead_folder, "-o", "out").code == 0


def test_planes_of_a_stack_and_an_image_named_like_one_share_no_file(segment, tmp_path):
    folder = tmp_path / "stacks"
    folder.mkdir()
    plane = discs(3)[0]
    tifffile.imwrite(folder / "a.tif", np.stack([plane, plane]), imagej=True, metadata={"axes": "ZYX"})
    tifffile.imwrite(folder / "a_p0001.tif", plane)
    said = segment(folder, "-o", "out")
    assert said.code == 3
    assert "may both write a_p0001_overlay.png" in said.error
    assert not Path("out").exists()


@pytest.mark.parametrize("length", [246, 250])
def test_a_name_that_is_too_long_for_results_is_a_row(segment, bead_folder, length):
    """Of the mask alone, and of the record too."""
    Image.fromarray(discs(3)[0]).save(bead_folder / f"{'n' * length}.png")
    said = segment(bead_folder, "-o", "out")
    assert said.code == 1
    assert "too long" in said.error
    assert Counter(row["status"] for row in table("out/counts.csv"))["failed"] == 1
    assert segment(bead_folder, "-o", "out").code == 1


def test_a_renamed_image_is_counted_once_and_said(segment, bead_folder):
    segment(bead_folder, "-o", "out")
    total = sum(counts("out/counts.csv").values())
    (bead_folder / "dark.png").rename(bead_folder / "darker.png")
    said = segment(bead_folder, "-o", "out")
    assert said.code == 0
    assert "images that are no longer there left out: 1, such as dark.png" in said.err
    found = counts("out/counts.csv")
    assert ("dark.png", 0) not in found
    assert sum(found.values()) == total
    assert "dark.png" not in {bead["image"] for bead in table("out/beads.csv")}


def test_an_image_in_a_folder_that_was_closed_is_left_out_and_said(segment, bead_folder, monkeypatch):
    segment(bead_folder, "-o", "out")
    exists = Path.exists

    def refused(self, **named):
        if self.name == "dark.png":
            raise PermissionError(13, "Permission denied", str(self))
        return exists(self, **named)

    monkeypatch.setattr(Path, "exists", refused)
    said = segment(bead_folder / "rgb.png", "-o", "out")
    assert said.code == 0
    assert "images that are no longer there left out: 1, such as dark.png" in said.err
    assert ("dark.png", 0) not in counts("out/counts.csv")


def test_images_of_a_renamed_folder_are_known_by_their_new_place(segment, run, bead_folder):
    segment(bead_folder, "-o", "out")
    moved = bead_folder.rename(bead_folder.with_name("moved"))
    assert segment(moved, "-o", "out").code == 0
    assert run("verify", "out").code == 0
    said = segment(moved / "rgb.png", "-o", "out")
    assert "no longer there" not in said.err
    assert len(counts("out/counts.csv")) == len(COUNTS) + 1


def test_another_folder_with_the_same_names_is_refused_before_any_work(segment, bead_folder, tmp_path):
    segment(bead_folder, "-o", "out")
    before = {path: Path("out", path).read_bytes() for path in files("out")}
    other = tmp_path / "other"
    other.mkdir()
    Image.fromarray(discs(8, dark=True)[0]).save(other / "dark.png")
    said = segment(other, "-o", "out")
    assert said.code == 3
    assert "holds the result of another dark.png" in said.error
    assert {path: Path("out", path).read_bytes() for path in files("out")} == before
    # A copy of the folder is the same images.
    copy = shutil.copytree(bead_folder, tmp_path / "copy")
    assert segment(copy, "-o", "out").code == 0
    assert {row["status"] for row in table("out/counts.csv")} == {"skipped"}


def test_a_lost_mask_is_made_again(segment, bead_folder):
    segment(bead_folder, "-o", "out")
    Path("out/masks/dark_masks.tif").unlink()
    assert segment(bead_folder, "-o", "out").code == 0
    assert Path("out/masks/dark_masks.tif").exists()
    assert Counter(row["status"] for row in table("out/counts.csv")) == {"skipped": 6, "ok": 1}


def test_a_changed_image_is_refused_until_overwrite(segment, bead_folder):
    segment(bead_folder, "-o", "out")
    mask = Path("out/masks/dark_masks.tif").read_bytes()
    Image.fromarray(discs(8, dark=True)[0]).save(bead_folder / "dark.png")
    said = segment(bead_folder, "-o", "out")
    assert said.code == 1
    assert "dark.png" in said.error
    assert "--overwrite" in said.error
    assert Path("out/masks/dark_masks.tif").read_bytes() == mask
    row = next(row for row in table("out/counts.csv") if row["image"] == "dark.png")
    assert (row["status"], row["count"]) == ("failed", "")
    assert "dark.png" not in {bead["image"] for bead in table("out/beads.csv")}
    assert segment(bead_folder, "-o", "out", "--overwrite").code == 0
    assert counts("out/counts.csv")[("dark.png", 0)] == 8
    assert len(np.unique(tifffile.imread("out/masks/dark_masks.tif"))) == 9


def test_other_settings_are_refused_until_overwrite(segment, bead_folder):
    segment(bead_folder, "-o", "out")
    before = {path: Path("out", path).read_bytes() for path in files("out")}
    said = segment(bead_folder, "-o", "out", "--min-area", "50000")
    assert said.code == 3
    assert "--overwrite" in said.error
    assert {path: Path("out", path).read_bytes() for path in files("out")} == before
    assert segment(bead_folder, "-o", "out", "--min-area", "50000", "--overwrite").code == 0
    assert set(counts("out/counts.csv").values()) == {0}
    assert table("out/beads.csv") == []


def test_another_model_is_refused(segment, bead_folder, run, tmp_path):
    from conftest import write_model

    segment(bead_folder, "-o", "out")
    other = write_model(tmp_path / "other.onnx", facts={"name": "other"})
    assert "another model" in run("segment", bead_folder, "-o", "out", "-m", other).error


@pytest.mark.parametrize(
    "name", ["masks/dark_masks.tif", "counts.csv", "beads.csv", "run.json", "settings.toml"]
)
def test_what_beadctl_did_not_write_is_never_replaced(segment, bead_folder, name):
    mine = Path("out", name)
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    said = segment(bead_folder, "-o", "out")
    assert said.code == 3
    assert mine.name in said.error
    assert mine.read_text() == "mine"
    assert files("out") == {name}


@pytest.mark.parametrize(
    "names",
    # The same stem, also for file systems in which case and the composition of accents make no difference.
    [("a.tif", "a.png"), ("A.tif", "a.png"), ("\u00e9.tif", "e\u0301.png")],
    ids=["suffix", "case", "accent"],
)
def test_two_images_with_one_mask_are_refused_before_any_work(names, segment, run, model_path, tmp_path):
    for name in names:
        Image.fromarray(discs(2)[0]).save(tmp_path / name)
    said = segment(*names, "-o", "out")
    assert said.code == 3
    assert " and ".join(names) in said.error
    assert not Path("out").exists()
    # A count without files has nothing to collide.
    assert run("count", *names, "-m", model_path).code == 0


def test_one_name_in_two_folders_is_two_images(segment, tmp_path):
    for count, folder in enumerate(("one", "two"), start=2):
        (tmp_path / folder).mkdir()
        Image.fromarray(discs(count)[0]).save(tmp_path / folder / "a.tif")
    assert segment("one", "two", "-o", "out").code == 0
    assert counts("out/counts.csv") == {("one/a.tif", 0): 2, ("two/a.tif", 0): 3}
    assert {"masks/one/a_masks.tif", "masks/two/a_masks.tif"} <= files("out")


def test_results_within_the_images_folder_are_not_images(segment, bead_folder):
    out = bead_folder / "results"
    assert segment(bead_folder, "-o", out).code == 0
    assert segment(bead_folder, "-o", out).code == 0
    assert len(table(out / "counts.csv")) == len(COUNTS) + 1


def test_zero_is_a_count_and_has_a_mask(segment, tmp_path):
    tifffile.imwrite("none.tif", np.full((40, 50), 7, np.uint8))
    assert segment("none.tif", "-o", "out").code == 0
    (row,) = table("out/counts.csv")
    assert (row["status"], row["count"], row["covered_fraction"]) == ("ok", "0", "0")
    assert row["mean_diameter_px"] == ""
    assert not tifffile.imread("out/masks/none_masks.tif").any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (9, 11)])
def test_tiny_planes_pass(segment, shape):
    tifffile.imwrite("tiny.tif", np.arange(np.prod(shape), dtype=np.uint16).reshape(shape))
    assert segment("tiny.tif", "-o", "out").code == 0
    assert tifffile.imread("out/masks/tiny_masks.tif").shape == shape


def test_a_failed_image_is_a_row_and_the_others_are_done(segment, bead_folder):
    (bead_folder / "broken.tif").write_bytes((bead_folder / "stack.tif").read_bytes()[:2000])
    said = segment(bead_folder, "-o", "out")
    assert said.code == 1
    assert said.error.startswith("error: broken.tif: ")
    rows = {row["image"]: row for row in table("out/counts.csv")}
    assert (rows["broken.tif"]["status"], rows["broken.tif"]["count"]) == ("failed", "")
    assert rows["broken.tif"]["reason"]
    assert Counter(row["status"] for row in table("out/counts.csv")) == {"ok": 7, "failed": 1}
    assert not Path("out/masks/broken_masks.tif").exists()
    # Mended, it is done by a rerun without --overwrite.
    tifffile.imwrite(bead_folder / "broken.tif", discs(1)[0])
    assert segment(bead_folder, "-o", "out").code == 0
    assert counts("out/counts.csv")[("broken.tif", 0)] == 1


def test_an_image_that_is_still_written_is_a_row_and_a_rerun_does_it(segment, bead_folder, monkeypatch):
    def growing(path, *arguments):
        image = open_image(path, *arguments)
        if path.name == "dark.png":
            with path.open("ab") as file:
                file.write(bytes(9))
        return image

    with monkeypatch.context() as patch:
        patch.setattr(import_module("beadctl.results.run"), "open_image", growing)
        said = segment(bead_folder, "-o", "out")
    assert said.code == 1
    assert said.error == "error: dark.png: changed while it was read; run again once it is complete"
    assert Counter(row["status"] for row in table("out/counts.csv")) == {"ok": 6, "failed": 1}
    assert not Path("out/masks/dark_masks.tif").exists()
    assert segment(bead_folder, "-o", "out").code == 0
    assert counts("out/counts.csv")[("dark.png", 0)] == COUNTS[("dark.png", 0)]


def test_options_reach_the_pixels(segment, tmp_path):
    image, _ = discs(5)
    image[40:60, 0:8] = image.max()
    tifffile.imwrite("edge.tif", image)
    for out, options, wanted in (
        ("all", (), 6),
        ("inner", ("--exclude-border",), 5),
        ("large", ("--min-area", "100"), 1),
    ):
        assert segment("edge.tif", "-o", out, *options).code == 0
        assert counts(f"{out}/counts.csv") == {("edge.tif", 0): wanted}
    stack = np.stack([discs(count)[0] for count in (1, 2, 3)])
    tifffile.imwrite("stack.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    assert segment("stack.tif", "-o", "plane", "--plane", "1", "--pixel-size", "2").code == 0
    (row,) = table("plane/counts.csv")
    assert (row["count"], row["pixel_size_um"]) == ("2", "2")


def environment():
    # One thread a process keeps the interruption in the middle of the work.
    return os.environ | {"OMP_NUM_THREADS": "1"}


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "beadctl", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=hear_interrupts if sys.platform != "win32" else None,  # noqa: PLW1509
    )


def hear_interrupts():
    """A shell starts background jobs deaf to SIGINT, and children inherit that; these shall hear it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def many(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for index in range(24):
        tifffile.imwrite(folder / f"i{index:02d}.tif", discs(index % 5 + 1, 240, 240, seed=index)[0])
    return folder


def interrupt(process, out, number):
    """Send a signal once a few images are done."""
    deadline = time.monotonic() + 60
    while len(list(Path(out).glob("masks/*_masks.tif"))) < 3:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(number)
    return process.communicate(timeout=60)


def whole_files(out):
    """Every file that has its name is whole."""
    done = set()
    for path in Path(out).rglob("*"):
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix == ".tif":
            assert tifffile.imread(path).shape == (240, 240)
            done.add(path.name.removesuffix("_masks.tif"))
        elif path.suffix == ".png":
            Image.open(path).load()
        elif path.suffix == ".json":
            json.loads(path.read_text().partition("\n")[0] if "parts" in path.parts else path.read_text())
    return done


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_killed_run_leaves_whole_files_and_is_taken_up(segment, many, model_path):
    process = start("segment", many, "-m", model_path, "-o", "out")
    interrupt(process, "out", signal.SIGKILL)
    done = whole_files("out")
    assert 3 <= len(done) < 24
    stamps = {name: Path(f"out/masks/{name}_masks.tif").stat().st_mtime_ns for name in done}
    assert segment(many, "-o", "out").code == 0
    assert {name: Path(f"out/masks/{name}_masks.tif").stat().st_mtime_ns for name in done} == stamps
    assert segment(many, "-o", "straight").code == 0
    assert Path("out/beads.csv").read_bytes() == Path("straight/beads.csv").read_bytes()
    assert counts("out/counts.csv") == counts("straight/counts.csv")
    assert set(counts("out/counts.csv").values()) == {1, 2, 3, 4, 5}
    status = {row["image"][:3]: row["status"] for row in table("out/counts.csv")}
    assert {name for name in status if status[name] == "skipped"} == done


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_keeps_what_is_done(segment, many, model_path, number, code):
    process = start("segment", many, "-m", model_path, "-o", "out")
    _, err = interrupt(process, "out", number)
    assert process.returncode == code
    assert "Traceback" not in err
    assert [line for line in err.splitlines() if line.startswith("error: ")] == [err.splitlines()[-1]]
    assert "run the same command again" in err
    done = whole_files("out")
    rows = table("out/counts.csv")
    assert len(rows) == 24
    assert {row["image"][:3] for row in rows if row["status"] == "ok"} == done
    assert {row["reason"] for row in rows if row["status"] == "failed"} == {
        "not reached: the run was stopped"
    }
    assert json.loads(Path("out/run.json").read_text())["outcome"] == "stopped"
    assert segment(many, "-o", "out").code == 0
    assert len(whole_files("out")) == 24


SLOW = """
import sys, time
from importlib import import_module
from beadctl.cli.main import main
module, stage, calls = import_module(sys.argv.pop(1)), sys.argv.pop(1), []
real = getattr(module, stage)

def slow(*arguments, **named):
    calls.append(1)
    if len(calls) == 4:
        print("slow", flush=True)
        time.sleep(60)
    return real(*arguments, **named)

setattr(module, stage, slow)
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("stage", STAGES)
def test_a_signal_waits_for_no_slow_step(segment, many, model_path, stage):
    """A plane of a gigapixel is labelled for minutes, and a batch system kills after seconds."""
    words = ["segment", many, "-m", model_path, "-o", "out", "-q"]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, STAGES[stage], stage, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout.readline() == "slow\n"
    began = time.monotonic()
    process.send_signal(signal.SIGUSR1)
    _, err = process.communicate(timeout=60)
    # Two seconds, and what a machine with other work may take longer.
    assert time.monotonic() - began < 6
    assert process.returncode == 143
    done = [row["image"][:3] for row in table("out/counts.csv") if row["status"] == "ok"]
    assert set(done) == whole_files("out")
    assert 1 <= len(done) <= 3
    assert f"terminated (segmenting: {len(done)} of 24 done)" in err
    assert json.loads(Path("out/run.json").read_text())["outcome"] == "stopped"


def test_results_are_nobodys_input(bead_folder, model_path, capsys):
    images = bead_folder
    first = main.run(["count", str(images), "-m", str(model_path), "-q", "--format", "csv"])
    before = capsys.readouterr().out
    for out in (images / "segmented", images):
        assert main.run(["segment", str(images), "-m", str(model_path), "-o", str(out), "-q"]) == first
        assert main.run(["segment", str(images), "-m", str(model_path), "-o", str(out), "-q"]) == first
        with (out / "counts.csv").open(encoding="utf-8") as file:
            assert len(file.readlines()) == len(before.splitlines())
    capsys.readouterr()
    assert main.run(["count", str(images / "segmented"), "-m", str(model_path)]) == 1
    said = capsys.readouterr()
    assert "left out: 12 results of beadctl" in said.err
    main.run(["count", str(images / "segmented" / "masks"), "-m", str(model_path), "-q", "--format", "csv"])
    assert "_masks.tif" in capsys.readouterr().out


def test_images_in_the_folder_of_results_are_not_missed(segment, run, bead_folder, model_path, tmp_path):
    # The folder of results, below the input, holds images itself.
    out = bead_folder / "deep"
    for _ in range(2):
        assert segment(bead_folder, "-o", out).code == 0
        assert "deep/sixteen.tif" in {row["image"] for row in table(out / "counts.csv")}
    said = run("count", out, "-m", model_path, "--format", "csv")
    assert [line.split(",")[0] for line in said.out.splitlines()] == ["image", "sim.tif", "sixteen.tif"]
    assert "left out: 12 results of beadctl" in said.err


def test_results_are_no_input_of_the_run_that_adds_to_them(segment, run, bead_folder):
    assert segment(bead_folder, "-o", "out").code == 0
    before = Path("out/counts.csv").read_bytes()
    for said in (
        segment("out/masks", "-o", "out"),
        segment("out/masks/dark_masks.tif", "-o", "./out", "--overwrite"),
        run("count", "--labels", "out/masks", "-o", "out"),
    ):
        assert said.code == 3
        assert "_masks.tif: is itself a result in" in said.error
    assert Path("out/counts.csv").read_bytes() == before
    assert segment("out/masks", "-o", "others").code == 0


def test_the_saved_settings_do_not_overwrite_again(bead_folder, model_path, tmp_path):
    out = tmp_path / "out"
    main.run(["segment", str(bead_folder), "-m", str(model_path), "-o", str(out), "-q", "--overwrite"])
    assert "overwrite = false" in (out / "settings.toml").read_text(encoding="utf-8")


def mask_of_dark():
    return Path("out/masks/dark_masks.tif")


def test_a_mask_that_was_changed_is_not_done_and_not_replaced(segment, bead_folder):
    segment(bead_folder, "-o", "out", "--save", "masks")
    before = mask_of_dark().read_bytes()
    mask_of_dark().write_bytes(before[:-1] + b"?")
    said = segment(bead_folder, "-o", "out", "--save", "masks")
    assert said.code == 1
    assert "dark_masks.tif is not as beadctl wrote it" in said.error
    assert "--overwrite" in said.error
    assert mask_of_dark().read_bytes() == before[:-1] + b"?"
    assert ("dark.png", "failed") in {(row["image"], row["status"]) for row in table("out/counts.csv")}
    assert segment(bead_folder, "-o", "out", "--save", "masks", "--overwrite").code == 0
    assert mask_of_dark().read_bytes() == before


def test_a_foreign_overlay_is_not_the_result_of_a_run_that_wrote_none(segment, bead_folder):
    segment(bead_folder, "-o", "out", "--save", "masks")
    mine = Path("out/overlays/dark_overlay.png")
    mine.parent.mkdir()
    mine.write_text("mine")
    said = segment(bead_folder, "-o", "out")
    assert said.code == 1
    assert "dark_overlay.png" in said.error
    assert mine.read_text() == "mine"
    mine.unlink()
    assert segment(bead_folder, "-o", "out").code == 0
    assert segment(bead_folder, "-o", "out", "--save", "masks").code == 0
    again = segment(bead_folder, "-o", "out")
    assert (again.code, {row["status"] for row in table("out/counts.csv")}) == (0, {"skipped"})


def test_a_foreign_picture_of_one_plane_of_a_stack_is_kept(segment, bead_folder):
    mine = Path("out/overlays/stack_p0001_overlay.png")
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    said = segment(bead_folder, "-o", "out")
    assert said.code == 1
    assert "stack_p0001_overlay.png" in said.error
    assert mine.read_text() == "mine"
    assert Counter(row["status"] for row in table("out/counts.csv")) == {"ok": 4, "failed": 1}
    assert not list(Path("out").rglob(".beadctl-*"))


def test_masks_of_an_entry_without_stamps_count_as_done(segment, bead_folder):
    segment(bead_folder, "-o", "out", "--save", "masks")
    part = Path("out/.beadctl/parts/dark.png.json")
    first, _, beads = part.read_text().partition("\n")
    content = json.loads(first)
    del content["written"]
    part.write_text(json.dumps(content) + "\n" + beads)
    assert segment(bead_folder, "-o", "out", "--save", "masks").code == 0
    assert {row["status"] for row in table("out/counts.csv")} == {"skipped"}


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names there are Unicode")
def test_an_image_of_an_earlier_run_whose_name_is_no_utf8_is_still_there(segment, bead_folder):
    named = Path(os.fsdecode(os.fsencode(bead_folder) + b"/5\xb5m.png"))
    (bead_folder / "dark.png").rename(named)
    segment(bead_folder, "-o", "out")
    said = segment(bead_folder / "rgb.png", "-o", "out")
    assert "no longer there" not in said.err
    assert r"5\xb5m.png" in {row["image"] for row in table("out/counts.csv")}


def test_overlays_of_an_earlier_result_do_not_stay_beside_another(segment, run, bead_folder):
    segment(bead_folder, "-o", "out")
    mine = Path("out/overlays/rgb_overlay.png")
    mine.write_text("mine")
    masks = ("-o", "out", "--save", "masks", "--overwrite")
    # By the same settings they are still right, and recorded.
    assert segment(bead_folder, *masks).code == 0
    assert "overlays/dark_overlay.png" in files("out")
    changed = run("verify", "out")
    assert changed.out.splitlines()[1:] == ["overlays/rgb_overlay.png,overlays,changed"]
    assert segment(bead_folder, *masks, "--min-area", "50000").code == 0
    assert {name for name in files("out") if name.startswith("overlays/")} == {"overlays/rgb_overlay.png"}
    assert mine.read_text() == "mine"
    assert run("verify", "out").code == 0
