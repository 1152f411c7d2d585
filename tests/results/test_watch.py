"""Watching a folder: what arrives is done once, and all is as a plain run would leave it."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from helpers.ome import write_ome_set

from beadctl.cli.settings import stated
from beadctl.console import Messages, stopping
from beadctl.errors import Interrupted, OutputError
from beadctl.images import Found, Selection
from beadctl.lock import NAME
from beadctl.model.session import Model
from beadctl.results import image_work
from beadctl.results import run as results_run
from beadctl.results.arrivals import LOOK_S, MOST_SHARE, MOST_WAIT, Arrivals, Folder
from beadctl.results.formats import Output
from beadctl.results.outputs import Names, Outputs
from beadctl.results.sources import ByNetwork
from beadctl.results.watch import BEING_WRITTEN, watch
from beadctl.segmentation.options import SegmentOptions

SAVED = (Output.MASKS, Output.COCO)


def table(path):
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def states(out):
    return {row["image"]: (row["status"], row["count"]) for row in table(out / "counts.csv")}


def nothing():
    """Let a look pass."""


class Microscope:
    """Does a step between two looks, and one that returns False again; sends Ctrl-C at the end."""

    def __init__(self, *steps):
        self._steps, self._tries = list(steps), 0

    def __call__(self, seconds):
        if not self._steps:
            raise Interrupted(signal.SIGINT)
        if self._steps[0]() is False:
            self._tries += 1
            assert self._tries < 2000
            time.sleep(0.02)
        else:
            del self._steps[0]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


@pytest.fixture
def source(model_path):
    model = Model(model_path, "cpu", 1)
    return ByNetwork(model, SegmentOptions.of(model.facts))


@pytest.fixture
def watching(folder, source, tmp_path):
    """A function that watches until the steps of a microscope are over."""
    settings = stated({}).settings.model_dump(mode="json")

    def call(*steps, out=tmp_path / "out", **others):
        return watch(
            Folder(folder, [out], Selection()),
            source,
            Outputs(out, SAVED),
            settings=settings,
            messages=Messages(),
            wait=Microscope(*steps),
            **others,
        )

    return call


@pytest.fixture
def plain(run, folder, model_path, tmp_path):
    def call(out):
        return run("segment", folder, "-m", model_path, "-o", tmp_path / out, "--save", ",".join(SAVED))

    return call


def files(out):
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name not in ("run.json", "settings.toml")
    }


def test_what_arrives_is_done_once_and_all_is_as_after_a_plain_run(
    watching, plain, folder, tmp_path, monkeypatch, capsys
):
    opened, real = [], image_work.open_image

    def noted(path, *arguments, **named):
        opened.append(path.name)
        return real(path, *arguments, **named)

    monkeypatch.setattr(image_work, "open_image", noted)
    whole = tmp_path / "whole.tif"
    tifffile.imwrite(whole, discs(5)[0], compression="zlib")
    content, half = whole.read_bytes(), folder / "a10.tif"

    def grow(share):
        half.write_bytes(content[: int(share * len(content))])

    def counted(name, count):
        return lambda: (
            (tmp_path / "out/counts.csv").exists()
            and states(tmp_path / "out").get(name)
            == (
                "ok",
                str(count),
            )
        )

    tifffile.imwrite(folder / "b.tif", discs(3)[0])
    tally = watching(
        lambda: grow(0.3),
        counted("b.tif", 3),
        (folder / "day2").mkdir,
        lambda: tifffile.imwrite(folder / "day2/c.tif", discs(4)[0]),
        lambda: grow(0.6),
        counted("day2/c.tif", 4),
        lambda: grow(1),
        counted("a10.tif", 5),
        # The place of a9 is before a10, although it comes last.
        lambda: tifffile.imwrite(folder / "a9.tif", discs(2)[0]),
        counted("a9.tif", 2),
        *[nothing] * 3,
    )
    assert (tally.failed, tally.planes, tally.beads) == (False, 4, 14)
    assert opened.count("b.tif") == opened.count("c.tif") == opened.count("a9.tif") == 1
    said = capsys.readouterr().err
    assert "a10.tif: 5 beads\n" in said
    assert "images: 4, failed: 0, beads: 14\n" in said.splitlines(keepends=True)[-1]
    out = tmp_path / "out"
    record = json.loads((out / "run.json").read_text())
    assert (record["outcome"], record["images"]) == ("finished", 4)
    assert not (out / NAME).exists()

    assert plain("plain").code == 0
    assert files(out) == files(tmp_path / "plain")
    # Both are gone on with by a plain run, which finds nothing to do.
    opened.clear()
    assert plain("out").code == plain("plain").code == 0
    assert opened == []
    assert files(out) == files(tmp_path / "plain")
    assert {row["status"] for row in table(out / "counts.csv")} == {"skipped"}


def test_a_stack_that_grows_after_it_was_counted_is_counted_again(watching, plain, folder, tmp_path):
    planes = [discs(count, 64, 128)[0] for count in (2, 0, 5)]

    def write(number):
        tifffile.imwrite(folder / "a.tif", np.stack(planes[:number]), imagej=True, metadata={"axes": "ZYX"})

    def has(number):
        return lambda: len(table(tmp_path / "out/counts.csv")) == number

    write(2)
    tally = watching(nothing, has(2), lambda: write(3), nothing, has(3))
    assert (tally.failed, tally.beads) == (False, 7)
    assert plain("plain").code == 0
    assert files(tmp_path / "out") == files(tmp_path / "plain")


def test_an_image_that_never_becomes_whole_is_a_failed_row(watching, plain, folder, tmp_path, capsys):
    (folder / "half.tif").write_bytes(b"II*\0" + b"\0" * 400)
    number = iter(range(100))

    def write_on():
        (folder / "open.tif").write_bytes(b"II*\0" * (next(number) + 1))

    tifffile.imwrite(folder / "a.tif", discs(3)[0])
    tally = watching(*[write_on] * 5)
    said = capsys.readouterr().err
    # It is tried several times, and said once, and at the end.
    assert said.count("warning: half.tif: ") == said.count("error: half.tif: ") == 1
    rows = {row["image"]: row for row in table(tmp_path / "out/counts.csv")}
    assert {name: row["status"] for name, row in rows.items()} == {
        "a.tif": "ok",
        "half.tif": "failed",
        "open.tif": "failed",
    }
    assert tally.failed
    assert rows["open.tif"]["reason"] == BEING_WRITTEN
    # The reason is that of a plain run.
    assert plain("plain").code == 1
    others = {row["image"]: row for row in table(tmp_path / "plain/counts.csv")}
    assert rows["half.tif"] == others["half.tif"]


@pytest.mark.filterwarnings("ignore::beadctl.errors.FileNote")
def test_of_a_stack_with_a_plane_that_failed_that_plane_alone_is_an_error(watching, folder, capsys):
    write_ome_set(folder, np.stack([discs(count, 64, 128)[0] for count in (1, 2, 3)]))
    (folder / "t1.ome.tif").unlink()
    tally = watching(nothing, nothing, nothing)
    assert (tally.failed, tally.beads) == (True, 4)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: t0.ome.tif, plane 1: its set lacks 1 file (t1.ome.tif); copy what is missing to its folder"
    ]


def test_images_that_are_complete_but_not_done_are_said(watching, folder, tmp_path, source, monkeypatch):
    """A signal while an image is worked on: it is not reached, as in a plain run."""
    real = results_run._result

    def result(item, *arguments):
        if item.path.name == "b.tif":
            raise Interrupted(signal.SIGTERM)
        return real(item, *arguments)

    monkeypatch.setattr(results_run, "_result", result)
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(folder / name, discs(3)[0])
    with pytest.raises(Interrupted, match="watching: 1 of 2 done"):
        watching(*[nothing] * 5)
    rows = table(tmp_path / "out/counts.csv")
    assert [(row["status"], row["reason"][:11]) for row in rows] == [("ok", ""), ("failed", "not reached")]
    assert json.loads((tmp_path / "out/run.json").read_text())["outcome"] == "stopped"


def test_the_report_is_kept_current_and_written_at_the_end(watching, folder, tmp_path):
    shown = []

    def write_report():
        shown.append(len(table(tmp_path / "out/counts.csv")))

    tifffile.imwrite(folder / "a.tif", discs(3)[0])
    watching(
        lambda: bool(shown),
        lambda: tifffile.imwrite(folder / "b.tif", discs(3)[0]),
        lambda: shown[-1] == 2,
        write_report=write_report,
    )
    assert (shown[0], shown[-1]) == (1, 2)


def test_no_result_replaces_that_of_another_image(watching, folder, tmp_path, capsys):
    tifffile.imwrite(folder / "a.tif", discs(3)[0])
    tally = watching(nothing, lambda: tifffile.imwrite(folder / "a.tiff", discs(6)[0]), *[nothing] * 4)
    assert tally.failed
    assert states(tmp_path / "out") == {"a.tif": ("ok", "3"), "a.tiff": ("failed", "")}
    assert "would both write a_masks.tif" in capsys.readouterr().err
    # Both are there at the next start, which is refused.
    with pytest.raises(OutputError, match="would both write a_masks"):
        watching()


def test_an_image_that_is_written_anew_by_halves_is_counted_again(watching, plain, folder, tmp_path):
    """It was done, then its file was a part for some looks, and whole again."""
    path, part = folder / "a.tif", b"II*\0" + b"\0" * 300
    tifffile.imwrite(path, discs(3)[0])
    first = path.read_bytes()

    def has(status):
        return lambda: [row["status"] for row in table(tmp_path / "out/counts.csv")] == [status]

    tally = watching(
        *[nothing] * 2,
        has("ok"),
        lambda: path.write_bytes(part),
        nothing,
        has("failed"),
        lambda: tifffile.imwrite(path, discs(5)[0]),
        nothing,
        has("ok"),
        lambda: path.write_bytes(part),
        nothing,
        has("failed"),
        # As it was: its result is there, and this run has written it.
        lambda: tifffile.imwrite(path, discs(5)[0]),
        nothing,
        has("ok"),
        lambda: path.write_bytes(first),
        nothing,
        nothing,
    )
    assert (tally.failed, tally.beads) == (False, 3)
    assert plain("plain").code == 0
    assert files(tmp_path / "out") == files(tmp_path / "plain")


def test_a_mask_that_came_before_its_image_is_left_out_again(watching, plain, folder, tmp_path):
    tifffile.imwrite(folder / "a_masks.tif", discs(2)[0])
    tally = watching(
        nothing,
        lambda: states(tmp_path / "out") == {"a_masks.tif": ("ok", "2")},
        lambda: tifffile.imwrite(folder / "a.tif", discs(4)[0]),
        *[nothing] * 3,
    )
    assert (tally.failed, tally.beads) == (False, 4)
    assert plain("plain").code == 0
    assert table(tmp_path / "out/counts.csv") == table(tmp_path / "plain/counts.csv")
    assert table(tmp_path / "out/beads.csv") == table(tmp_path / "plain/beads.csv")


@pytest.mark.parametrize("first", ["a.tif", "a_masks.tif/b.tif", "a.tif.json/b.tif"])
def test_a_folder_named_like_a_result_does_not_end_the_watching(watching, folder, tmp_path, first):
    names = ["a.tif", "a_masks.tif/b.tif", "a.tif.json/b.tif"]

    def arrive(*names):
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            tifffile.imwrite(folder / name, discs(4)[0])

    (folder / first).parent.mkdir(exist_ok=True)
    tifffile.imwrite(folder / first, discs(4)[0])
    tally = watching(
        (tmp_path / "out/counts.csv").exists,
        lambda: arrive(*(name for name in names if name != first)),
        lambda: len(states(tmp_path / "out")) == 3,
        lambda: arrive("c.tif"),
        lambda: states(tmp_path / "out").get("c.tif") == ("ok", "4"),
    )
    done = {name for name, (status, _) in states(tmp_path / "out").items() if status == "ok"}
    assert tally.failed
    assert done >= {first, "c.tif"}
    assert done != {*names, "c.tif"}


def test_a_name_is_free_once_its_image_is_gone(watching, folder, tmp_path):
    """A program may rename a file to another that gives a result of the same name."""
    (folder / "a.tif").write_bytes(b"")
    tally = watching(
        *[nothing] * 2,
        lambda: tifffile.imwrite(folder / "a.tiff", discs(4)[0]),
        *[nothing] * 2,
        lambda: states(tmp_path / "out") == {"a.tif": ("failed", ""), "a.tiff": ("failed", "")},
        (folder / "a.tif").unlink,
        lambda: states(tmp_path / "out") == {"a.tiff": ("ok", "4")},
    )
    assert (tally.failed, tally.beads) == (False, 4)


@pytest.mark.parametrize("place", ["results", "."])
def test_results_may_lie_in_the_folder_and_are_no_images(watching, folder, place):
    tifffile.imwrite(folder / "a.tif", discs(3)[0])
    out = folder / place

    def add():
        tifffile.imwrite(folder / "b.tif", discs(4)[0])

    tally = watching((out / "counts.csv").exists, add, *[nothing] * 3, out=out)
    assert (tally.planes, tally.beads) == (2, 7)
    assert states(out) == {"a.tif": ("ok", "3"), "b.tif": ("ok", "4")}


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("a.tif", "b.tif", "c/a.tif"), None),
        (("a.tif", "A.png"), "a_masks.tif"),
        (("a.tif", "a_p0000.tif"), "a_p0000_overlay.png"),
        (("a_p0000.tif", "a.tif"), "a_p0000_overlay.png"),
        (("a_p0000.tif", "a_p0001.tif"), None),
    ],
)
def test_names_that_results_share(names, problem):
    taken = Names()
    found = [Found(Path(name), Path(name)) for name in names]
    said = [taken.problem(item) for item in found][-1]
    assert (said is None) == (problem is None)
    assert problem is None or problem.casefold() in said.casefold()
    # The same image again, as one that changed.
    assert taken.problem(found[0]) is None


class Looks:
    """Arrivals in a folder, looked at by hand."""

    def __init__(self, folder):
        self.waited_s = []
        self._arrivals = Arrivals(Folder(folder, [], Selection()), self.waited_s.append)

    def __call__(self, failing=False):
        self._arrivals.look()
        complete = list(self._arrivals.complete())
        for item in complete if failing else ():
            self._arrivals.failed(item)
        return [item.path.name for item in complete]

    @property
    def arrivals(self):
        return self._arrivals


def test_an_image_is_complete_when_two_looks_see_the_same(folder):
    looks, path = Looks(folder), folder / "a.tif"
    assert looks() == []
    for size in (10, 20, 30):
        path.write_bytes(b"x" * size)
        assert looks() == []
    assert [looks() for _ in range(4)] == [["a.tif"], [], [], []]
    path.write_bytes(b"x" * 40)
    assert [looks() for _ in range(3)] == [[], ["a.tif"], []]
    # One that is moved into the place of another has another time or size.
    (folder / "new").write_bytes(b"x" * 50)
    (folder / "new").rename(path)
    assert [looks() for _ in range(3)] == [[], ["a.tif"], []]
    path.unlink()
    assert looks() == []
    assert looks.arrivals.images == ()


def test_one_that_fails_is_tried_again_less_and_less_often(folder):
    looks = Looks(folder)
    (folder / "a.tif").write_bytes(b"x")
    tried = [number for number in range(1, 40) if looks(failing=True)]
    assert tried == [2, 4, 8, 16, 32]
    # What it lacks may be another file, which comes after hours.
    for _ in range(500):
        looks(failing=True)
    assert any(looks(failing=True) for _ in range(MOST_WAIT))


def test_a_folder_out_of_reach_loses_nothing(folder):
    looks = Looks(folder)
    (folder / "a.tif").write_bytes(b"x")
    assert [looks(), looks()] == [[], ["a.tif"]]
    folder.rename(folder.with_name("away"))
    assert looks() == []
    assert "no such file or folder" in looks.arrivals.lost
    assert [item.path.name for item in looks.arrivals.images] == ["a.tif"]
    folder.with_name("away").rename(folder)
    (folder / "b.tif").write_bytes(b"x")
    assert [looks(), looks(), looks()] == [[], ["b.tif"], []]
    assert looks.arrivals.lost == ""


def test_what_is_not_read_is_known_from_the_first_look_on(folder):
    looks = Looks(folder)
    (folder / "a.svs").write_bytes(b"x")
    looks()
    assert "1 .svs" in looks.arrivals.unread
    assert looks.arrivals.lost == ""


def test_looks_at_a_slow_folder_are_rarer(folder, monkeypatch):
    looks = Looks(folder)
    looks.arrivals.pause()
    looks()
    looks.arrivals._took_s = 3.0
    looks.arrivals.pause()
    assert looks.waited_s == [LOOK_S, 3.0 / MOST_SHARE]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("images", "--shard", "1/2"), "does not go with --shard"),
        (("images", "--dry-run"), "does not go with --dry-run"),
        (("images", "--cluster", "local:2"), "does not go with --cluster"),
        (("images/a.tif",), "give one folder"),
        (("images", "images"), "give one folder"),
        (("absent",), "absent: no such folder"),
    ],
)
def test_what_cannot_be_watched_is_one_line(run, folder, model_path, words, problem):
    tifffile.imwrite(folder / "a.tif", discs(3)[0])
    said = run("segment", *words, "--watch", "-m", model_path, "-o", "out")
    assert said.code == 2
    assert problem in said.error
    assert not Path("out").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_signal_ends_the_command_in_good_order(run, folder, model_path, tmp_path):
    out = tmp_path / "out"
    words = ["segment", folder, "--watch", "-m", model_path, "-o", out, "--save", "masks", "--report"]
    process = subprocess.Popen(
        [sys.executable, "-m", "beadctl", *map(str, words)], stderr=subprocess.PIPE, text=True
    )
    tifffile.imwrite(folder / "a.tif", discs(3)[0])
    while not (out / "counts.csv").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "error" not in said
    assert "images: 1, failed: 0, beads: 3" in said
    assert states(out) == {"a.tif": ("ok", "3")}
    assert json.loads((out / "run.json").read_text())["outcome"] == "finished"
    assert not list(out.rglob(f"*{NAME}"))
    # The page is that of the run that has ended.
    page = (out / "report.html").read_bytes()
    assert run("report", out).code == 0
    assert (out / "report.html").read_bytes() == page


def test_waiting_ends_with_a_signal(monkeypatch):
    began = time.monotonic()
    stopping.wait(0.15)
    assert time.monotonic() - began >= 0.15
    monkeypatch.setattr(stopping, "_listening", [stopping.StopRequest(signal.SIGTERM)])
    with pytest.raises(Interrupted):
        stopping.wait(60)
