"""``count --sizes`` and ``--nominal-um``: tables and plots of diameters, in um and in px."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.results_folder import table
from PIL import Image

SHAPE = (160, 200)
LATTICE = [(y, x) for y in range(20, 150, 30) for x in range(20, 190, 30)]


def squares(edges):
    """A label image of squares of these edges, px, apart from each other."""
    labels = np.zeros(SHAPE, np.uint16)
    for label, (edge, (y, x)) in enumerate(zip(edges, LATTICE, strict=False), 1):
        labels[y : y + edge, x : x + edge] = label
    return labels


def diameter(edge):
    return np.sqrt(4 * np.square(edge) / np.pi)


@pytest.fixture
def count(run):
    return lambda *arguments: run("count", "--labels", *arguments)


@pytest.fixture
def labels():
    return Path("labels")


SMALL, LARGE = [4, 5, 5, 6] * 4, [11, 12, 12, 13] * 4


@pytest.fixture
def two_samples(run, labels):
    """Sample A has small beads, B has large ones; a border cuts one of B."""
    labels.mkdir()
    for name, edges in (("A_1", SMALL), ("A_2", SMALL), ("B_1", LARGE)):
        image = squares(edges)
        if name == "B_1":
            image[0:15, 190:200] = 999
        tifffile.imwrite(labels / f"{name}.tif", image)


def test_tables_and_plots_of_groups_in_um(count, labels, two_samples):
    said = count(
        *(labels, "-o", "out", "--pixel-size", "0.5", "--group-by", "^(?P<sample>[AB])"),
        *("--nominal-um", "2.8", "--tolerance", "10%"),
    )
    assert said.code == 0
    assert "Diameters" in said.err
    small, large = table("out/sizes.csv")
    um = diameter(np.array(SMALL * 2)) / 2
    assert (small["sample"], small["unit"], small["beads"], small["cut"]) == ("A", "um", "32", "0")
    assert (large["beads"], large["cut"]) == ("16", "1")
    assert float(small["mean"]) == pytest.approx(um.mean(), rel=1e-5)
    assert [float(small[name]) for name in ("d10", "d50", "d90")] == pytest.approx(
        np.percentile(um, [10, 50, 90]), rel=1e-5
    )
    assert float(small["modes"].split()[0]) == pytest.approx(np.median(um), rel=0.02)
    assert (small["nominal_um"], small["tolerance_um"]) == ("2.8", "0.28")
    assert (small["inside"], small["inside_share"], large["inside_share"]) == ("16", "0.5", "0")
    assert float(small["inside_share_low"]) < 0.5 < float(small["inside_share_high"])
    bars = table("out/size_histogram.csv")
    for sample, beads in (("A", 32), ("B", 16)):
        own = [bar for bar in bars if bar["sample"] == sample]
        assert sum(int(bar["beads"]) for bar in own) == beads
        area = sum(float(bar["density"]) * (float(bar["high"]) - float(bar["low"])) for bar in own)
        assert area == pytest.approx(1, rel=1e-4)
    with Image.open("out/sizes.png") as picture:
        assert picture.width == 1144
    assert "D50" in Path("out/sizes.svg").read_text()
    # A rerun, which skips the images, gives the same tables and plots, to the byte.
    names = ("sizes.csv", "size_histogram.csv", "sizes.png", "sizes.svg")
    before = [Path("out", name).read_bytes() for name in names]
    again = count(
        *(labels, "-o", "out", "--pixel-size", "0.5", "--group-by", "^(?P<sample>[AB])"),
        *("--nominal-um", "2.8", "--tolerance", "10%"),
    )
    assert again.code == 0
    assert [Path("out", name).read_bytes() for name in names] == before


def test_without_a_pixel_size_diameters_are_px(count, labels, two_samples):
    said = count(labels, "--sizes", "-o", "out")
    assert said.code == 0
    (row,) = table("out/sizes.csv")
    assert (row["sample"], row["unit"], row["beads"], row["nominal_um"]) == ("all", "px", "48", "")
    low, high = sorted(map(float, row["modes"].split()))
    assert (low, high) == pytest.approx((diameter(5), diameter(12)), rel=0.1)
    # Without a folder the table is on standard error alone.
    assert "Diameters" in count(labels, "--sizes").err


def test_a_nominal_diameter_without_a_pixel_size_is_one_line(count, labels, two_samples):
    said = count(labels, "--nominal-um", "1", "-o", "out")
    assert said.code == 1
    assert len(said.errors) == 1
    assert "the pixel size is unknown, which --nominal-um needs; give --pixel-size" in said.error
    (row,) = table("out/sizes.csv")
    assert (row["unit"], row["inside"], row["beads"]) == ("px", "", "48")
    assert row["reason"]


def test_pixel_sizes_that_are_known_in_part(count, labels, two_samples):
    tifffile.imwrite(
        labels / "C.ome.tif",
        squares(SMALL),
        metadata={"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5},
    )
    said = count(labels, "--sizes")
    assert said.code == 1
    assert said.error.endswith("the pixel size of 3 of its 4 planes is unknown; give --pixel-size")


def test_fields_without_beads(count, labels):
    labels.mkdir()
    tifffile.imwrite(labels / "none.tif", squares([]))
    assert count(labels, "--sizes", "-o", "out").code == 0
    (row,) = table("out/sizes.csv")
    assert (row["beads"], row["mean"], row["modes"]) == ("0", "", "")
    assert table("out/size_histogram.csv") == []
    assert not Path("out/sizes.png").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--tolerance", "5%"), "--tolerance 5%: of which diameter? give --nominal-um"),
        (
            ("--nominal-um", "1", "--tolerance", "much"),
            "--tolerance much: not a tolerance; write 5% or 0.1um",
        ),
        (("--nominal-um", "0"), "nominal_um"),
    ],
)
def test_wrong_usage(count, labels, two_samples, flags, words):
    said = count(labels, "-o", "out", *flags)
    assert said.code == 2
    assert len(said.errors) == 1
    assert words in said.errors[0]
    assert not Path("out").exists()
