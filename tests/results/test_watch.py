"""Watching a folder: what arrives is done once, and all is as a plain run would leave it."""

import json
import signal
import time

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from helpers.ome import write_ome_set
from helpers.results_folder import states, table

from beadctl.cli.settings import stated
from beadctl.console import Messages
from beadctl.errors import Interrupted, OutputError
from beadctl.images import Selection
from beadctl.lock import NAME
from beadctl.model.session import Model
from beadctl.results import image_work
from beadctl.results import run as results_run
from beadctl.results.arrivals import Folder
from beadctl.results.formats import Output
from beadctl.results.outputs import Outputs
from beadctl.results.sources import ByNetwork
from beadctl.results.watch import BEING_WRITTEN, watch
from beadctl.segmentation.options import SegmentOptions

SAVED = (Output.MASKS, Output.COCO)


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
