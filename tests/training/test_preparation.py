"""From settings to a prepared run: numbers, size of the samples, folder, start."""

import json

import pytest
from helpers.training import write_tiles

torch = pytest.importorskip("torch")

from beadctl.cli import training_arguments as arguments
from beadctl.cli.settings import stated
from beadctl.console import Messages
from beadctl.errors import SettingsError
from beadctl.training.choices import SelectName
from beadctl.training.preparation import prepared
from beadctl.training.records import selected

QUIET = Messages(-1)


def asked(**flags):
    return arguments.asked(stated({name.replace("__", "."): value for name, value in flags.items()}))


def test_choices_of_the_settings_are_those_of_the_plan(tmp_path):
    """As plain words they would be no members, by which the loop tells them apart."""
    plan = prepared(asked(train__select="count", train__simulate=2), QUIET).plan
    assert plan.select is SelectName.COUNT
    worse, better = ({"count_mape": error} for error in (0.5, 0.1))
    assert selected(better, plan.select) > selected(worse, plan.select)
    assert selected(better, "count") > selected(worse, "count")


@pytest.mark.parametrize(("stated_px", "size"), [(None, 32), (16, 16)])
def test_the_size_is_that_of_the_tiles_unless_it_is_asked_for(tmp_path, stated_px, size):
    tiles = write_tiles(tmp_path / "tiles")
    run = prepared(asked(data__tiles=str(tiles), data__size=stated_px, train__depth=2), QUIET)
    assert (run.plan.size, run.tiles) == (size, tiles)
    assert run.out.parts == ("runs", f"combined-{size}")
    recorded = run.options.settings
    assert (recorded["data"]["size"], recorded["train"]["lr"]) == (size, 1e-3)


def test_the_network_of_the_start_is_in_plan_and_record():
    run = prepared(asked(train__simulate=2, train__start="default"), QUIET)
    assert run.start.source == "default"
    assert run.plan.start == run.start.origin
    for name, value in run.start.network.items():
        assert getattr(run.plan, name) == value
        assert run.options.settings["train"][name] == value
    assert run.plan.lr == run.options.settings["train"]["lr"] == 3e-4
    json.dumps(run.options.settings)


def test_the_least_area_is_in_pixels():
    settings = stated({"instances.min_area": "6px", "train.simulate": 2}).settings
    assert arguments.export_options(settings).min_area_px == 6
    assert prepared(asked(instances__min_area="6", train__simulate=2), QUIET).plan.min_area_px == 6
    with pytest.raises(SettingsError, match=r"--min-area 25um2 .*give it in px"):
        asked(instances__min_area="25um2")
