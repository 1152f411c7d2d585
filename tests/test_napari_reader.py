"""The reader for napari, without napari: layers of a label image that a run wrote."""

import re
import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import discs

import beadctl
from beadctl.napari_reader import get_reader

ROOT = Path(__file__).parents[1]


@pytest.fixture
def results(run, model_path, bead_folder, tmp_path):
    assert run("segment", bead_folder, "-m", model_path, "-o", "out", "-q").code == 0
    return tmp_path / "out"


def layers(masks):
    return {kind: (data, attributes) for data, attributes, kind in get_reader(str(masks))(str(masks))}


def test_a_label_image_opens_with_its_image_and_its_beads(results, bead_folder):
    masks = results / "masks/deep/sixteen_masks.tif"
    found = layers(masks)
    assert list(found) == ["image", "labels", "points"]
    np.testing.assert_array_equal(found["image"][0], discs(7, dtype=np.uint16)[0])
    labels, attributes = found["labels"]
    np.testing.assert_array_equal(labels, tifffile.imread(masks))
    features = attributes["features"]
    assert features["index"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert features["area_px"].tolist() == [(labels == label).sum() for label in range(1, 8)]
    assert set(features["image"]) == {"deep/sixteen.tif"}
    centres, attributes = found["points"]
    for label, centre in enumerate(centres, start=1):
        np.testing.assert_allclose(centre, np.argwhere(labels == label).mean(0), atol=0.01)
    assert attributes["size"].shape == (7,)
    # The pixel size is known.
    assert all(attributes["scale"] == [0.5, 0.5] for _, attributes in found.values())


def test_beads_of_a_stack_lie_in_their_planes(results):
    found = layers(results / "masks/stack_masks.tif")
    assert found["image"][0].shape == found["labels"][0].shape == (3, 64, 128)
    assert "features" not in found["labels"][1]
    assert np.bincount(found["points"][0][:, 0].astype(int), minlength=3).tolist() == [2, 0, 5]
    assert found["points"][1]["scale"] == [1, 1, 1]


def test_without_its_image_the_label_image_opens(results, bead_folder):
    (bead_folder / "dark.png").unlink()
    assert list(layers(results / "masks/dark_masks.tif")) == ["labels", "points"]


def test_other_files_are_left_to_other_readers(results, bead_folder, tmp_path):
    mine = tmp_path / "a_masks.tif"
    tifffile.imwrite(mine, discs(3)[1])
    for path in (mine, bead_folder / "dark.png", results / "overlays/dark_overlay.png", results / "absent"):
        assert get_reader(str(path)) is None
    assert get_reader([str(results / "masks/dark_masks.tif")]) is None


def test_the_manifest_names_the_reader():
    text = (Path(beadctl.__file__).parent / "napari.yaml").read_text()
    module, function = re.search(r"python_name: (\S+):(\S+)", text).groups()
    assert getattr(import_module(module), function) is get_reader
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["napari.manifest"] == {project["name"]: "beadctl:napari.yaml"}
    assert re.search(r"^name: (\S+)$", text, re.MULTILINE)[1] == project["name"]
