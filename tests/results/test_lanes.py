"""Planes that are worked on at the same time: the same results in the same order, within the same memory."""

import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beadctl import memory
from beadctl.errors import ModelError
from beadctl.images import find
from beadctl.model.session import Model
from beadctl.results.formats import Output
from beadctl.results.lanes import MOST_LANES, Lanes, Room
from beadctl.results.outputs import Outputs
from beadctl.results.run import run as run_images
from beadctl.results.sources import ByNetwork
from beadctl.segmentation.options import SegmentOptions


@dataclass(frozen=True)
class Drawn(ByNetwork):
    """Beads of the network, in lanes that a test chooses, without those of some planes."""

    lanes: int = 1
    small_px: int = 0
    broken: tuple[str, ...] = ()
    error: type[Exception] = ValueError

    def begin(self, plane):
        if f"{plane.path.name} {plane.index}" in self.broken:
            raise self.error("broken")
        return super().begin(plane)


def done(found, source, folder):
    """Return the rows of a run in the order in which they were taken, its beads, and its files."""
    shutil.rmtree(folder, ignore_errors=True)
    taken = []
    try:
        # A linked stack has tables alone.
        save = () if source.rule.link_z else tuple(Output)
        run_images(found, source, Outputs(folder, save), taken.append)
    except ModelError as error:
        taken.append(str(error))
    files = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    beads = [list(result.beads()) for result in taken if not isinstance(result, str)]
    return taken, beads, files


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for number, size in enumerate((40, 150, 64, 90)):
        tifffile.imwrite(folder / f"{number}.tif", discs(1 + number, size, 150)[0])
    stack = np.stack([discs(count, 64, 128)[0] for count in (2, 3, 5, 1)])
    tifffile.imwrite(folder / "2z.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    return find([folder])


@pytest.fixture(scope="module")
def models(model_path):
    return {threads: Model(model_path, "cpu", threads) for threads in (1, 3)}


places = st.fixed_dictionaries(
    {
        "lanes": st.integers(1, MOST_LANES),
        # No plane is small, some are, all are.
        "small_px": st.sampled_from([0, 4 * 64 * 150, 10**9]),
    }
)
broken = st.sets(st.sampled_from(["0.tif 0", "1.tif 0", "2z.tif 1", "2z.tif 3", "3.tif 0"]), max_size=2)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn=places,
    threads=st.sampled_from([1, 3]),
    tile_size=st.sampled_from([0, 32]),
    link_z=st.booleans(),
    broken=broken,
)
def test_results_depend_on_no_lanes_threads_and_tiles(
    images, models, tmp_path, drawn, threads, tile_size, link_z, broken
):
    def source(threads, tile_size, **drawn):
        model = models[threads]
        options = SegmentOptions.of(model.facts, tile_size=tile_size, link_z=link_z)
        return Drawn(model, options, broken=tuple(broken), **drawn)

    alone = done(images, source(1, 0, lanes=1, small_px=0), tmp_path / "out")
    assert done(images, source(threads, tile_size, **drawn), tmp_path / "out") == alone
    assert [result.rows[0].image for result in alone[0]] == [str(item.name) for item in images]
    assert {result.failed for result in alone[0]} == ({True, False} if broken else {False})


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=places, last=st.sampled_from(["0.tif 0", "2.tif 0", "2z.tif 2", "3.tif 0"]))
def test_no_image_is_written_after_one_that_ends_the_run(images, models, tmp_path, drawn, last):
    options = SegmentOptions.of(models[1].facts)
    source = Drawn(models[1], options, broken=(last,), error=ModelError, **drawn)
    taken, _, files = done(images, source, tmp_path / "out")
    before = [str(item.name) for item in images]
    before = before[: before.index(last.split()[0])]
    assert [one if isinstance(one, str) else one.rows[0].image for one in taken] == [*before, "broken"]
    masks = {path.name for path in files if path.match("*_masks.tif")}
    assert masks == {f"{Path(name).stem}_masks.tif" for name in before}


@given(number=st.integers(1, 4), wanted=st.lists(st.booleans(), min_size=1, max_size=12))
def test_a_room_holds_no_more_than_its_places_and_lets_in_by_turns(number, wanted):
    room, lock = Room(number), threading.Lock()
    inside, most, entered = [0], [0], []

    def stay(turn, places):
        with room.taken(places):
            with lock:
                inside[0] += places
                most[0] = max(most[0], inside[0])
                entered.append(turn)
            with lock:
                inside[0] -= places

    threads = []
    # While all places are held, threads ask in a known order.
    with room.taken(number):
        for turn, is_large in enumerate(wanted):
            threads.append(threading.Thread(target=stay, args=(turn, number if is_large else 1)))
            threads[-1].start()
            while len(room._asking) <= turn:
                pass
        assert entered == []
    for thread in threads:
        thread.join()
    assert most[0] <= number
    assert sorted(entered) == list(range(len(wanted)))
    # A large one is alone: those who asked before have left, and later ones have not come.
    for turn, is_large in enumerate(wanted):
        if is_large:
            assert sorted(entered[:turn]) == list(range(turn))


def test_small_planes_share_the_memory_of_one_tile():
    lanes = Lanes(3, 3 * 512**2)
    assert [lanes.places(pixels) for pixels in (1, 512**2, 512**2 + 1, 10**9)] == [1, 1, 3, 3]
    assert Lanes(1, 0).places(512**2) == 1


def test_the_memory_of_a_run_is_planned_once(run, bead_folder, model_path, monkeypatch):
    free = iter([8 * 2**30])
    monkeypatch.setattr(memory, "usable_bytes", lambda: next(free))
    assert run("count", bead_folder, "-m", model_path).code == 0
