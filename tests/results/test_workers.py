"""Images that workers finish, in an order of their own: what is written and told of them."""

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
import tifffile
from helpers.images import discs

from beadctl.errors import ClusterError, ImageError
from beadctl.images import find
from beadctl.model.session import Model
from beadctl.results import run as results_run
from beadctl.results.formats import Output
from beadctl.results.image_work import ImageWork
from beadctl.results.outputs import Outputs
from beadctl.results.sources import ByNetwork
from beadctl.results.tally import Tally
from beadctl.segmentation.options import SegmentOptions

IMAGES = 5


class Workers:
    """Finishes some of the images, the last one first, once it has them all; it may then be lost."""

    places, facts = 1, {"device_used": "elsewhere"}

    def __init__(self, source, finished=range(IMAGES), broken=None, images=IMAGES, is_lost=lambda: False):
        self.work = ImageWork(source, tuple(Output), keyed=True)
        self.finished, self.broken, self.images, self.is_lost = list(finished), broken, images, is_lost
        self.given, self.ended = [], False

    def submit(self, item, path):
        assert item.path == Path(path).absolute()
        self.given.append((item, Future()))
        return self.given[-1][1]

    def check(self):
        while len(self.given) == self.images and self.finished:
            item, future = self.given[self.finished.pop()]
            if item.name.name == self.broken:
                future.set_exception(ImageError("killed its worker"))
            else:
                future.set_result(self.work.begin(item)())
        if self.is_lost():
            raise ClusterError("the scheduler is lost")

    def give_up(self):
        self.ended = True
        self.work.give_up()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for number in range(IMAGES):
        tifffile.imwrite(folder / f"{number}.tif", discs(number + 1, 64, 96)[0])
    return find([folder])


@pytest.fixture(scope="module")
def source(model_path):
    model = Model(model_path, "cpu", 1)
    return ByNetwork(model, SegmentOptions.of(model.facts))


def done(found, source, folder):
    """Run images; return what was taken, the order in which it was written, the tally and the files."""
    taken, tally, written = [], Tally(), []
    real = results_run._written

    def noted(item, *arguments):
        written.append(item.name.name)
        return real(item, *arguments)

    def take(result):
        taken.append(result.rows[0].image)
        tally.add(result)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results_run, "_written", noted)
        try:
            results_run.run(found, source, Outputs(folder, tuple(Output)), take, miss=tally.miss)
        except ClusterError as error:
            taken.append(str(error))
    files = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return taken, written, tally, files


NAMES = [f"{number}.tif" for number in range(IMAGES)]


def test_results_are_written_as_they_come_and_told_in_order(found, source, tmp_path):
    taken, written, tally, files = done(found, source, tmp_path / "alone")
    assert (taken, written) == (NAMES, NAMES)
    workers = Workers(source)
    by_workers = done(found, replace(source, workers=workers), tmp_path / "workers")
    assert by_workers == (NAMES, NAMES[::-1], tally, files)
    assert workers.ended
    assert all(item.path.is_absolute() for item, _ in workers.given)


def test_a_rerun_gives_workers_what_is_missing_alone(found, source, tmp_path):
    done(found[:2], source, tmp_path / "out")
    workers = Workers(source, finished=range(3), images=3)
    taken, written, tally, _ = done(found, replace(source, workers=workers), tmp_path / "out")
    assert taken == NAMES
    assert written == NAMES[:1:-1]
    assert tally.images == ["skipped", "skipped", "ok", "ok", "ok"]


def test_what_came_is_told_where_workers_are_lost(found, source, tmp_path):
    parts = tmp_path / "out/.beadctl/parts"
    workers = Workers(source, finished=(1, 4), is_lost=lambda: len(list(parts.glob("*.json"))) == 2)
    taken, written, tally, files = done(found, replace(source, workers=workers), tmp_path / "out")
    assert taken == ["1.tif", "4.tif", "the scheduler is lost"]
    assert written == ["4.tif", "1.tif"]
    assert tally.images == [None, "ok", None, None, "ok"]
    assert {path.name for path in files if path.match("*_masks.tif")} == {"1_masks.tif", "4_masks.tif"}


def test_an_image_that_workers_give_up_is_a_row(found, source, tmp_path):
    workers = Workers(source, broken="2.tif")
    taken, _, tally, _ = done(found, replace(source, workers=workers), tmp_path / "out")
    assert taken == NAMES
    (failed,) = [state for state in tally.images if not isinstance(state, str)]
    assert (failed.rows[0].image, failed.rows[0].reason) == ("2.tif", "killed its worker")
    assert not Path(tmp_path, "out/masks/2_masks.tif").exists()
