"""`beadctl.count` gives the table that `beadctl count` prints."""

import io
import shutil
import threading
import warnings

import numpy as np
import pandas as pd
import pytest

import beadctl
import beadctl.api.count
from beadctl.results.ledger import COLUMNS, TYPES

pytestmark = pytest.mark.filterwarnings("ignore::beadctl.BeadctlWarning")


@pytest.fixture(scope="module")
def model(model_path):
    return beadctl.open_model(model_path, device="cpu", threads=1)


def test_the_table_is_that_of_the_command(run, model, model_path, bead_folder, capsys):
    (bead_folder / "bad.tif").write_bytes(b"II*\0")
    asked = {"min_area": "20px", "exclude": "dark*"}
    said = run("count", bead_folder, "-m", model_path, "--min-area", "20px", "--exclude", "dark*")
    assert said.code == 1
    wanted, steps = pd.read_csv(io.StringIO(said.out), dtype=str, keep_default_na=False), []
    with pytest.warns(beadctl.BeadctlWarning, match=r"bad.tif: .*damaged or truncated"):
        table = beadctl.count(bead_folder, model=model, progress=lambda *step: steps.append(step), **asked)
    assert capsys.readouterr() == ("", "")
    assert tuple(table) == COLUMNS
    assert steps == [(number, 5) for number in range(1, 6)]
    for name, values in table.items():
        if TYPES[name] is str:
            assert values.tolist() == wanted[name].tolist()
        else:
            np.testing.assert_allclose(values, pd.to_numeric(wanted[name]), rtol=1e-5, err_msg=name)
    frame = pd.DataFrame(table)
    assert frame["count"].sum() > 10
    assert frame[frame["status"] == "failed"]["count"].isna().tolist() == [True]


def test_files_and_folders_in_their_order(model, bead_folder):
    threads = set()
    with pytest.warns(beadctl.BeadctlWarning, match="sim.tif: count") as heard:
        table = beadctl.count(
            [str(bead_folder / "rgb.png"), bead_folder / "deep"],
            model=model,
            progress=lambda *_: threads.add(threading.get_ident()),
        )
    # Progress bars of notebooks and windows may be moved in their own thread alone.
    assert threads == {threading.get_ident()}
    assert {one.filename for one in heard} == {__file__}
    assert table["image"].tolist() == ["rgb.png", "sim.tif", "sixteen.tif"]
    assert table["count"].dtype == np.int64


def test_linked_planes_are_one_row(model, bead_folder):
    table = beadctl.count(bead_folder / "stack.tif", model=model, link_z=True)
    assert len(table["image"]) == 1
    with pytest.raises(beadctl.SettingsError, match="--link-z"):
        beadctl.count(bead_folder / "stack.tif", model=model, link_z=True, project="max")


def test_what_is_left_out_is_a_warning(model, bead_folder):
    shutil.copy(bead_folder / "rgb.png", bead_folder / "rgb_masks.png")
    with pytest.warns(beadctl.BeadctlWarning, match="left out: .*rgb_masks.png"):
        table = beadctl.count(bead_folder, model=model)
    assert "rgb_masks.png" not in table["image"]


def test_an_exception_of_the_progress_ends_the_work(model, bead_folder):
    done = []

    def progress(number, total):
        done.append(number)
        if number == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        beadctl.count(bead_folder, model=model, progress=progress)
    # Those that were finished meanwhile are told too.
    assert len(done) < 5


def test_warnings_as_errors_end_the_work(model, bead_folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error", beadctl.BeadctlWarning)
        with pytest.raises(beadctl.FileNote, match="its own pixel size"):
            beadctl.count(bead_folder / "deep/sixteen.tif", model=model, pixel_size=2)


def test_no_image_is_an_error(model, tmp_path):
    with pytest.raises(beadctl.ImageError, match="no images"):
        beadctl.count(tmp_path, model=model)
    with pytest.raises(beadctl.ImageError, match="give images or a folder"):
        beadctl.count([], model=model)
    with pytest.raises(beadctl.SettingsError, match="did you mean include"):
        beadctl.count(tmp_path, model=model, includes="*.tif")
