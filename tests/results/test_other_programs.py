"""What `segment` writes, opened by the programs that people use; the guide's commands are run as printed."""

import csv
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import shapely
import tifffile
from helpers.guides import ROOT
from helpers.images import discs
from PIL import Image

from beadctl.cli import main
from beadctl.results.formats import Output

IMAGEJ = Path("/usr/share/java/ij.jar")
GUIDE = ROOT / "examples/counting/README.md"
ODD = "5 µm, #2.tif"
COUNTS = {ODD: [5], "bright.png": [3], "depth.tif": [2, 0, 4], "film.ome.tif": [1, 3, 0, 2, 5, 1]}


@dataclass(frozen=True)
class Results:
    """A folder of results, and its tables as text."""

    folder: Path
    counts: list[dict[str, str]]
    beads: list[dict[str, str]]

    def masks(self, name: str) -> Path:
        return self.folder / "masks" / f"{name}_masks.tif"


@pytest.fixture(scope="module")
def results(tmp_path_factory, model_path) -> Results:
    """A plane of an awkward name, an RGB picture, a Z stack, a film of Z stacks, and a damaged file."""
    here = tmp_path_factory.mktemp("programs")
    images = here / "images"
    images.mkdir()
    planes = {
        name: np.stack([discs(n, 64, 128, dtype=np.uint16)[0] for n in counts])
        for name, counts in COUNTS.items()
    }
    tifffile.imwrite(
        images / ODD, planes[ODD][0], imagej=True, resolution=(2, 2), metadata={"unit": "micron"}
    )
    grey = (planes["bright.png"][0] >> 8).astype(np.uint8)
    Image.fromarray(np.stack([grey, grey // 2, grey], -1)).save(images / "bright.png")
    tifffile.imwrite(
        images / "depth.tif",
        planes["depth.tif"],
        imagej=True,
        resolution=(4, 4),
        metadata={"axes": "ZYX", "unit": "micron", "spacing": 1.5},
    )
    sizes = {"PhysicalSizeX": 650, "PhysicalSizeY": 650, "PhysicalSizeZ": 2}
    units = {"PhysicalSizeXUnit": "nm", "PhysicalSizeYUnit": "nm", "PhysicalSizeZUnit": "µm"}
    tifffile.imwrite(
        images / "film.ome.tif",
        planes["film.ome.tif"].reshape(2, 3, *planes["film.ome.tif"].shape[1:]),
        ome=True,
        metadata={"axes": "TZYX"} | sizes | units,
    )
    (images / "torn.tif").write_bytes((images / "depth.tif").read_bytes()[:99])
    folder = here / "results"
    command = ["segment", images, "-o", folder, "-m", model_path, "--save", ",".join(Output), "-q"]
    assert main.run([str(word) for word in command]) == 1, "the damaged file"
    tables = [
        list(csv.DictReader((folder / name).read_text(encoding="utf-8").splitlines()))
        for name in ("counts.csv", "beads.csv")
    ]
    result = Results(folder, *tables)
    counted = {name: [r["count"] for r in result.counts if r["image"] == name] for name in COUNTS}
    assert counted == {name: [str(n) for n in counts] for name, counts in COUNTS.items()}
    return result


def in_guide(language: str) -> str:
    """Return the only fenced block of a language in the guide."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return block


def imagej(program: str, *arguments: object) -> list[str]:
    """Run a Java program with Debian's ImageJ, without a screen; return the lines that it prints."""
    if not (IMAGEJ.exists() and shutil.which("javac")):
        pytest.skip("imagej or a JDK is not installed")
    source = Path(__file__).with_name(program)
    command = ["java", "-Djava.awt.headless=true", "-Dfile.encoding=UTF-8", "-Dsun.jnu.encoding=UTF-8"]
    command += ["-cp", str(IMAGEJ), str(source), *map(str, arguments)]
    environment = {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
    said = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300, env=environment)
    assert said.returncode == 0, said.stderr
    return said.stdout.splitlines()


def test_imagej_opens_label_images_with_their_scale(results):
    """Width, height, channels, slices, frames; pixel width and depth; highest value and number of values."""
    names = [Path(ODD).stem, "depth", "film"]
    lines = imagej("OpenImage.java", *map(results.masks, names))
    values = [[f"{count} {count + 1}" for count in counts] for counts in COUNTS.values()]
    assert lines == [
        "128 64 1 1 1 32 bits",
        "0.500000 µm 1.000000",
        *values[0],
        "128 64 1 3 1 32 bits",
        "0.250000 µm 1.500000",
        *values[2],
        "128 64 1 3 2 32 bits",
        "0.650000 µm 2.000000",
        *values[3],
    ]


def test_imagej_opens_overlays(results):
    overlays = sorted((results.folder / "overlays").rglob("*.png"))
    lines = imagej("OpenImage.java", *overlays)
    assert len(overlays) == sum(map(len, COUNTS.values()))
    # The legend is below.
    assert all(re.match(r"128 (8\d|9\d|1\d\d) 1 1 1 ", line) for line in lines[::3])


def test_imagej_opens_regions_on_their_planes(results):
    """On the label image each region holds the pixels of its bead, and no others."""
    names = [Path(ODD).stem, "depth", "film"]
    pairs = [(results.masks(name), results.folder / f"rois/{name}_rois.zip") for name in names]
    lines = [line.split() for line in imagej("OpenRegions.java", *(path for pair in pairs for path in pair))]
    images = [ODD, "depth.tif", "film.ome.tif"]
    beads = [bead for image in images for bead in results.beads if bead["image"] == image]
    assert len(lines) == len(beads) == sum(sum(COUNTS[image]) for image in images)
    for (name, position, channel, z, t, pixels, mean), bead in zip(lines, beads, strict=True):
        stacked = len(COUNTS[bead["image"]]) > 1
        assert name == (f"p{int(bead['plane']):04d}_" if stacked else "") + f"{int(bead['label']):04d}"
        assert (pixels, float(mean)) == (bead["area_px"], float(bead["label"]))
        if bead["image"] == "film.ome.tif":
            frame, slice_ = divmod(int(bead["plane"]), 3)
            assert (position, channel, z, t) == ("0", "0", str(slice_ + 1), str(frame + 1))
        else:
            assert position == str(int(bead["plane"]) + 1 if stacked else 0)


def test_imagej_opens_tables(results):
    counts, beads = results.folder / "counts.csv", results.folder / "beads.csv"
    lines = imagej("OpenTable.java", beads, "area_px", counts, "height_px")
    areas = [float(bead["area_px"]) for bead in results.beads]
    assert int(lines[0]) == len(areas)
    assert set(lines[1].split()) >= {"plane", "label", "area_px", "diameter_um", "mean_intensity"}
    assert float(lines[2]) == pytest.approx(np.mean(areas), rel=1e-4)
    assert int(lines[3]) == len(results.counts)


def test_napari_opens_label_images_and_overlays(results):
    reader = pytest.importorskip("napari_builtins.io", reason="napari is not installed").napari_get_reader
    from napari.layers import Labels, Layer

    for name, shape in (("depth", (3, 64, 128)), ("film", (2, 3, 64, 128)), (Path(ODD).stem, (64, 128))):
        path = str(results.masks(name))
        ((labels, *_),) = reader(path)(path)
        assert labels.shape == shape
        assert isinstance(Layer.create(labels), Labels)
        image = next(image for image in COUNTS if image.startswith(name))
        found = np.asarray(labels).reshape(-1, 64, 128)
        assert [len(np.unique(plane)) - 1 for plane in found] == COUNTS[image]
    path = str(results.folder / "overlays/bright_overlay.png")
    ((picture, *_),) = reader(path)(path)
    assert picture.shape[1] == 128


def test_ome_metadata_are_valid(results):
    """QuPath reads axes and sizes from them, by Bio-Formats."""
    ome_types = pytest.importorskip("ome_types", reason="ome-types is not installed")
    expected = {Path(ODD).stem: (1, 1, 0.5, None), "depth": (3, 1, 0.25, 1.5), "film": (3, 2, 0.65, 2.0)}
    for name, (slices, frames, pixel_size_um, z_step_um) in expected.items():
        path = results.masks(name)
        ome = ome_types.from_xml(tifffile.tiffcomment(path), validate=False)
        (image,) = ome.images
        pixels = image.pixels
        assert (pixels.size_x, pixels.size_y, pixels.size_c) == (128, 64, 1)
        assert (pixels.size_z, pixels.size_t, pixels.type.value) == (slices, frames, "uint32")
        assert (pixels.physical_size_x, pixels.physical_size_y) == (pixel_size_um, pixel_size_um)
        assert (pixels.physical_size_z, pixels.physical_size_x_unit.value) == (z_step_um, "µm")
        assert pixels.channels[0].name == "labels"


def test_outlines_are_those_of_the_tables(results):
    """GeoJSON that QuPath imports: closed rings in pixels, and the measurements of beads.csv."""
    for row in results.counts:
        if row["status"] != "ok":
            continue
        planes = len(COUNTS[row["image"]])
        name = row["image"].removesuffix(".tif").removesuffix(".png").removesuffix(".ome")
        numbered = f"{name}_p{int(row['plane']):04d}" if planes > 1 else name
        text = (results.folder / "geojson" / f"{numbered}.geojson").read_text(encoding="utf-8")
        beads = [b for b in results.beads if (b["image"], b["plane"]) == (row["image"], row["plane"])]
        features = json.loads(text)["features"]
        assert len(features) == len(beads) == int(row["count"])
        for feature, bead in zip(features, beads, strict=True):
            outline = shapely.from_geojson(json.dumps(feature["geometry"]))
            assert (outline.is_valid, outline.area) == (True, float(bead["area_px"]))
            # (0, 0) is the corner of the first pixel here, and its middle in the table.
            place = outline.centroid.x - 0.5, outline.centroid.y - 0.5
            assert place == pytest.approx((float(bead["x_px"]), float(bead["y_px"])), rel=1e-4)
            assert feature["properties"]["name"] == f"bead {bead['label']}"
            assert feature["properties"]["measurements"]["area_px"] == float(bead["area_px"])


def column_types(rows: list[dict[str, str]]) -> dict[str, str]:
    """Return for each column ``number``, ``text``, or ``empty``."""
    types = {}
    for name in rows[0]:
        cells = [row[name] for row in rows if row[name]]
        numeric = all(re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", cell) for cell in cells)
        types[name] = ("number" if numeric else "text") if cells else "empty"
    return types


def test_pandas_reads_the_tables(results, monkeypatch):
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    monkeypatch.chdir(results.folder.parent)
    found = {}
    exec(in_guide("py"), found)
    for name in ("counts", "beads"):
        rows, frame = getattr(results, name), found[name]
        assert list(frame.columns) == list(rows[0])
        assert len(frame) == len(rows)
        for column, kind in column_types(rows).items():
            numeric = pd.api.types.is_numeric_dtype(frame[column])
            assert kind == "empty" or numeric == (kind == "number"), column
        assert [row["image"] for row in rows] == frame["image"].tolist()
    counts = found["counts"]
    assert counts["count"].dtype == "Int64"
    assert counts["count"].sum() == sum(map(sum, COUNTS.values()))
    assert counts.loc[counts["status"] == "failed", "count"].isna().all()


def test_r_reads_the_tables(results):
    if not shutil.which("Rscript"):
        pytest.skip("Rscript (r-base-core) is not installed")
    show = """
        for (table in list(counts, beads)) {
            cat(nrow(table), names(table), "\\n")
            cat(sapply(table, class), "\\n")
        }
        writeLines(unique(beads$image), useBytes = TRUE)
        cat(sum(counts$count, na.rm = TRUE), sum(is.na(counts$count)), "\\n")
    """
    script = results.folder.parent / "read.R"
    script.write_text(f"invisible({{\n{in_guide('r')}\n}})\n{show}", encoding="utf-8")
    command = ["Rscript", "--vanilla", script.name]
    said = subprocess.run(
        command,
        cwd=script.parent,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    assert said.returncode == 0, said.stderr
    lines = [line.split() for line in said.stdout.splitlines()]
    kinds = {"integer": "number", "numeric": "number", "character": "text", "logical": "empty"}
    for place, rows in enumerate((results.counts, results.beads)):
        (length, *names), types = lines[2 * place : 2 * place + 2]
        assert int(length) == len(rows)
        assert {name: kinds[kind] for name, kind in zip(names, types, strict=True)} == column_types(rows)
    printed = said.stdout.splitlines()[4:]
    assert printed[:-1] == list(dict.fromkeys(bead["image"] for bead in results.beads))
    assert printed[-1].split() == [str(sum(map(sum, COUNTS.values()))), "1"]
