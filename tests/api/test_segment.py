"""`beadctl.segment` gives what `beadctl segment` writes."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from helpers.images import COUNTS, discs
from PIL import Image

import beadctl
from beadctl.results.ledger import BEAD_COLUMNS, COLUMNS

IMAGES = sorted({name for name, _ in COUNTS})


@pytest.fixture(scope="module")
def model(model_path):
    return beadctl.open_model(model_path, device="cpu", threads=1)


@pytest.mark.filterwarnings("ignore::beadctl.FileNote")
def test_labels_and_tables_are_those_of_the_command(run, model, model_path, bead_folder):
    said = run(
        "segment", bead_folder, "-m", model_path, "-o", "out", "--save", "masks", "--pixel-size", 0.25,
        "--min-diameter", "2um", "--exclude-border",
    )  # fmt: skip
    assert said.code == 0
    counts, beads = (pd.read_csv(f"out/{name}.csv", keep_default_na=False) for name in ("counts", "beads"))
    assert len(beads) > 10
    for name, number in COUNTS:
        result = beadctl.segment(
            bead_folder / name,
            model=model,
            pixel_size=0.25,
            plane=number if name == "stack.tif" else None,
            min_diameter="2um",
            exclude_border=True,
        )
        (path,) = Path("out/masks").rglob(f"{Path(name).stem}_masks.tif")
        labels = tifffile.imread(path)
        np.testing.assert_array_equal(result.labels, labels[number] if labels.ndim > 2 else labels)
        assert result.labels.dtype == np.uint32
        here = beads[(beads.image == name) & (beads.plane == number)]
        assert tuple(result.beads) == BEAD_COLUMNS[2:-1]
        assert result.count == len(here) == COUNTS[name, number]
        for column, values in result.beads.items():
            if column == "flags":
                assert values.tolist() == here[column].tolist()
            else:
                np.testing.assert_allclose(values, pd.to_numeric(here[column]), rtol=1e-5)
        row = counts[(counts.image == name) & (counts.plane == number)].iloc[0]
        for column in set(COLUMNS) - {"image"}:
            value = getattr(result.row, column)
            told = row[column]
            assert (
                told == ""
                if value is None
                else told == value or float(told) == pytest.approx(value, rel=1e-5)
            )
        assert result.quality == tuple(row["quality"].split())


def test_an_array_gives_the_beads_of_its_file(model, bead_folder):
    for name, options in (("dark.png", {}), ("rgb.png", {"axes": "YXS"}), ("deep/sixteen.tif", {})):
        path = bead_folder / name
        pixels = np.asarray(Image.open(path)) if name.endswith("png") else tifffile.imread(path)
        file = beadctl.segment(path, model=model)
        array = beadctl.segment(pixels, model=model, pixel_size=file.row.pixel_size_um, **options)
        np.testing.assert_array_equal(array.labels, file.labels)
        pd.testing.assert_frame_equal(pd.DataFrame(array.beads), pd.DataFrame(file.beads))
        assert array.count == COUNTS[name, 0]


def test_any_array_that_numpy_takes(model):
    image, _ = discs(4)
    wanted = beadctl.segment(image, model=model)
    assert wanted.count == 4
    turned = np.ascontiguousarray(image.T).T
    alike = [turned, image.astype(">u2"), image.tolist(), image.astype(np.float64)]
    for array in alike:
        np.testing.assert_array_equal(beadctl.segment(array, model=model).labels, wanted.labels)


@pytest.mark.parametrize("package", ["dask.array", "xarray"])
def test_lazy_and_named_arrays(model, package):
    module = pytest.importorskip(package)
    image, _ = discs(4)
    stack = np.stack([image, image[::-1]])
    if package == "xarray":
        lazy, options = module.DataArray(stack, dims=("z", "y", "x")), {}
    else:
        lazy, options = module.from_array(stack, chunks=(1, 50, 50)), {"axes": "ZYX"}
    result = beadctl.segment(lazy, model=model, plane=0, **options)
    np.testing.assert_array_equal(result.labels, beadctl.segment(image, model=model).labels)


def test_a_model_by_its_path_is_the_opened_one(model, model_path):
    image, _ = discs(3)
    by_path = beadctl.segment(image, model=str(model_path))
    np.testing.assert_array_equal(by_path.labels, beadctl.segment(image, model=model).labels)
    assert beadctl.segment(image, model=model, region="0,0,1,1").count == 0


def test_a_file_of_several_planes_asks_for_one(model, bead_folder):
    with pytest.raises(beadctl.ImageError, match=r"stack.tif: has 3 planes; choose one by plane=0..2"):
        beadctl.segment(bead_folder / "stack.tif", model=model)
    assert beadctl.segment(bead_folder / "stack.tif", model=model, project="max").count > 0


@pytest.mark.parametrize(
    ("image", "options", "kind", "message"),
    [
        ("missing.tif", {}, beadctl.ImageError, "missing.tif: no such file"),
        (".", {}, beadctl.ImageError, "a folder"),
        ([[0, 1], [2, 3]], {"diameter": "5um"}, beadctl.ImageError, "array: its pixel size is unknown"),
        ([[0, 1], [2, 3]], {"region": "9,9,3,3"}, beadctl.AnnotationError, "array: "),
        ([[0, 1], [2, 3]], {"model": "missing.onnx"}, beadctl.ModelError, "missing.onnx: no such model"),
    ],
)
def test_errors_are_those_of_beadctl(model, image, options, kind, message):
    with pytest.raises(kind) as error:
        beadctl.segment(image, **{"model": model, **options})
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert isinstance(error.value, beadctl.BeadctlError)


def test_nothing_is_printed_and_notes_are_warnings(model, model_path, bead_folder, capfd):
    path = bead_folder / "deep/sixteen.tif"
    with pytest.warns(beadctl.FileNote, match="its own pixel size, 0.5 um, is used"):
        beadctl.segment(path, model=beadctl.open_model(model_path), pixel_size=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        beadctl.segment(path, model=model)
    assert capfd.readouterr() == ("", "")


def test_a_doubtful_model_is_a_warning_at_the_line_that_opens_it(tmp_path):
    from helpers.model import write_model

    path = write_model(tmp_path / "poor.onnx", facts={"validation": {"val_f1": 0.2}})
    with pytest.warns(beadctl.BeadctlWarning, match="poor.onnx: ") as heard:
        beadctl.open_model(path)
    assert [Path(one.filename).name for one in heard] == [Path(__file__).name]
