"""`beadctl verify`: one row for each file of a run that is no longer the same."""

import csv
import io
import json
from pathlib import Path

import pytest
import tifffile
from helpers.images import discs

from beadctl.results.formats import Output


@pytest.fixture
def results(run, bead_folder, model_path, tmp_path):
    """The folder of a run with every output and a region file."""
    region = tmp_path / "field.tif"
    tifffile.imwrite(region, discs(1)[0] * 0 + 255)
    for name in ("stack.tif", "deep/sim.tif"):
        (bead_folder / name).unlink()
    said = run(
        *("segment", bead_folder, "-m", model_path, "-o", "out", "--region", region),
        *("--save", ",".join(Output)),
    )
    assert said.code == 0, said.err
    return Path("out")


def rows(said):
    return [tuple(row.values()) for row in csv.DictReader(io.StringIO(said.out))]


def test_an_untouched_run_is_verified(run, results):
    said = run("verify", results)
    assert (said.code, rows(said)) == (0, [])
    # Three images with eight outputs each, the joined one, model, region, two tables and the settings.
    assert "33 files checked, 0 not as they were" in said.err
    assert "warning" not in said.err


def touched(path):
    path.write_bytes(path.read_bytes() + b" ")


def test_tables_of_groups_are_verified(run, bead_folder, model_path):
    words = ("count", bead_folder, "-m", model_path, "-o", "out", "--group-by", "dark|rgb")
    assert run(*words).code == 0
    assert run("verify", "out").code == 0
    touched(Path("out/groups.csv"))
    assert rows(run("verify", "out")) == [("groups.csv", "table", "changed")]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("masks/dark_masks.tif", "masks"),
        ("overlays/deep/sixteen_overlay.png", "overlays"),
        ("geojson/rgb.geojson", "geojson"),
        ("rois/dark_rois.zip", "rois"),
        ("crops/deep/sixteen_crops.tif", "crops"),
        ("probability/rgb_probability.tif", "probability"),
        ("coco/rgb_coco.json", "coco"),
        ("coco/coco.json", "coco"),
        ("counts.csv", "table"),
        ("beads.csv", "table"),
        ("settings.toml", "settings"),
    ],
)
def test_a_changed_result_is_a_row(run, results, name, kind):
    touched(results / name)
    said = run("verify", results)
    assert (said.code, rows(said)) == (1, [(name, kind, "changed")])
    (results / name).unlink()
    said = run("verify", results)
    assert (said.code, rows(said)) == (1, [(name, kind, "missing")])


def test_changed_inputs_are_rows(run, results, bead_folder, model_path, tmp_path, monkeypatch):
    touched(bead_folder / "dark.png")
    (bead_folder / "deep/sixteen.tif").unlink()
    touched(tmp_path / "field.tif")
    said = run("verify", results)
    assert said.code == 1
    assert rows(said) == [
        (str(tmp_path / "field.tif"), "region", "changed"),
        (str(bead_folder / "dark.png"), "image", "changed"),
        (str(bead_folder / "deep/sixteen.tif"), "image", "missing"),
    ]


def test_a_changed_model_is_a_row_from_any_folder(run, bead_folder, model_path, tmp_path, monkeypatch):
    own = tmp_path / "own.onnx"
    own.write_bytes(model_path.read_bytes())
    assert run("count", bead_folder, "-m", "own.onnx", "-o", "out").code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run("verify", "../out").code == 0
    touched(own)
    said = run("verify", "../out")
    assert (said.code, rows(said)) == (1, [(str(own), "model", "changed")])


def test_a_rerun_that_skips_everything_is_verified(run, results, bead_folder, model_path, tmp_path):
    again = ("segment", bead_folder, "-o", "out", "--region", tmp_path / "field.tif", "-m", model_path)
    assert run(*again).code == 0
    assert run("verify", results).code == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        pytest.param(10**5 * "[", id="nested"),
        '{"files": 3}',
        '{"model_sha256": 3}',
        '{"options": 3}',
        '{"inputs": "a.tif"}',
        '{"model": 3, "model_sha256": "0"}',
        '{"model_sha256": "0"}',
        '{"options": {"region": {"region": {"text": "well.tif"}}}}',
    ],
)
def test_a_broken_record_is_one_line(run, results, text):
    (results / "run.json").write_text(text)
    said = run("verify", results)
    assert said.code == 3
    assert "run.json: cannot be read" in said.error


def test_a_record_that_is_missing_is_one_line(run, results, bead_folder, divided):
    (results / "run.json").unlink()
    said = run("verify", results)
    assert (said.code, said.out) == (3, "")
    assert said.error.endswith("run.json: is missing, so nothing is known of the run; run again")
    divided("count", bead_folder, "-o", "divided", count=2, numbers=(1,))
    assert run("verify", "divided").error.endswith("merge its shards with beadctl merge")


@pytest.mark.parametrize("name", ["a\0.onnx", "a\ud800.onnx"])
def test_a_name_that_no_file_can_have_is_a_row(run, results, name):
    (results / "run.json").write_text(json.dumps({"model": name, "model_sha256": "0"}))
    said = run("verify", results)
    assert said.code == 1
    assert "model,cannot be read (no file can have this name)" in said.out


def test_a_folder_without_results_is_one_line(run, tmp_path):
    for name, problem in (("absent", "no such folder"), (".", "holds no results")):
        said = run("verify", name)
        assert (said.code, said.out) == (3, "")
        assert f"{name}: {problem}" in said.error


def test_what_an_older_run_did_not_record_is_said(run, results):
    part = results / ".beadctl/parts/dark.png.json"
    first, _, beads = part.read_text().partition("\n")
    content = json.loads(first)
    del content["written"]
    part.write_text(json.dumps(content) + "\n" + beads)
    record = json.loads((results / "run.json").read_text())
    del record["files"]
    (results / "run.json").write_text(json.dumps(record))
    said = run("verify", results)
    assert said.code == 0
    assert "images done by a beadctl that recorded no masks and overlays: 1" in said.err
    assert "holds no tables" in said.err


def test_the_saved_settings_repeat_a_run_to_the_byte(run, results, bead_folder):
    (results.parent / "beadctl.toml").write_text("[instances]\nthreshold = 0.9\n")
    assert run("segment", bead_folder, "-o", "again", "--config", "out/settings.toml").code == 0

    def content(folder):
        paths = [path for path in Path(folder).rglob("*") if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}

    first, second = content("out"), content("again")
    assert first.keys() == second.keys()
    differing = {name for name in first if first[name] != second[name]}
    # The record has the times, and the settings the folder.
    assert differing == {"run.json", "settings.toml"}
    first, second = ((Path(folder) / "settings.toml").read_text() for folder in ("out", "again"))
    assert first == second.replace('"again"', '"out"')
