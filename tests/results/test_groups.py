"""From the rows of planes to groups: what is pooled, what is refused, and what a folder of results gets."""

import csv
import dataclasses
import math
from pathlib import PurePosixPath

import numpy as np
import pytest
from helpers.counted_fields import ModelOfError

from beadctl.console import Messages
from beadctl.counting.detection import combined_interval, detection_interval, field_interval
from beadctl.counting.interval import Interval
from beadctl.errors import SettingsError
from beadctl.evaluation.bands import fitted_bands
from beadctl.images import Found
from beadctl.results.groups import COLUMNS, Grouping, tell_groups, write_groups
from beadctl.results.ledger import Row

NAMES = ("A_10x_1.tif", "A_10x_2.tif", "A_100x_1.tif", "B_10x_1.tif")


def found(*names):
    return [Found(PurePosixPath(name), PurePosixPath(name)) for name in names or NAMES]


def plane(image, count, um=0.5, px=4 * 10**6, index=0, position=""):
    area_um2 = px * um**2 if um else None
    return Row(
        image, index, position, "ok", count, pixel_size_um=um, field_area_px=px, field_area_um2=area_um2
    )


def grouping(expression=None, depth_um=None, dilution=None, names=NAMES):
    return Grouping.of(found(*names), expression, None, depth_um, dilution)


def test_groups_are_samples_and_dilutions_in_the_order_of_their_images():
    groups = grouping(r"(?P<sample>\w)_(?P<dilution>\d+)x", "100")
    rows = groups.rows([plane(name, count) for name, count in zip(NAMES, (52, 48, 6, 0), strict=True)])
    assert [(row.sample, row.dilution, row.fields, row.beads) for row in rows] == [
        ("A", 10, 2, 100),
        ("A", 100, 1, 6),
        ("B", 10, 1, 0),
    ]
    first = rows[0]
    # A field of 1 mm2 and 100 um holds 0.1 uL.
    assert (first.mean_count, first.field_area_um2, first.density_per_mm2) == (50, 1e6, 50)
    assert first.beads_per_ml == pytest.approx(50 * 10 * 1e4)
    assert first.beads_per_ml_high == pytest.approx(first.mean_count_high * 1e5)
    assert first.density_per_mm2_low == pytest.approx(first.mean_count_low)
    assert [row.interval_by for row in rows] == ["fields", "poisson", "poisson"]
    assert (rows[2].mean_count, rows[2].cv) == (0, None)
    assert rows[2].beads_per_ml_high > 0


def test_a_part_of_a_name_is_no_formula():
    names = ("plate-1.tif", "plate=2.tif", "plate3.tif")
    rows = grouping("plate(.)", names=names).rows([plane(name, 1) for name in names])
    assert [row.sample for row in rows] == [r"\x2d", r"\x3d", "3"]


def test_a_depth_alone_makes_one_group_and_takes_the_dilution():
    (row,) = grouping(depth_um="100", dilution="20+-1").rows([plane(name, 50) for name in NAMES])
    assert (row.sample, row.dilution, row.fields) == ("all", 20, 4)
    assert row.beads_per_ml == pytest.approx(50 * 20 * 1e4)
    exact = grouping(depth_um="100", dilution="20").rows([plane(name, 50) for name in NAMES])[0]
    assert row.beads_per_ml_high > exact.beads_per_ml_high
    undiluted = grouping(depth_um="100").rows([plane(name, 50) for name in NAMES])[0]
    assert (undiluted.dilution, undiluted.beads_per_ml) == (None, pytest.approx(50 * 1e4))


def test_planes_are_fields_and_those_without_a_count_are_told():
    planes = [
        plane("s.tif", count, index=index, position=f"T={index}") for index, count in enumerate((9, 9, 90))
    ]
    planes.append(Row("s.tif", 3, "T=3", "failed", reason="truncated"))
    (row,) = grouping(".", names=("s.tif",)).rows(planes)
    assert (row.fields, row.failed, row.outliers) == (3, 1, "s.tif T=2")


@pytest.mark.parametrize("sizes", [(0.5, 0.65), (0.5, None)])
def test_pixel_sizes_that_differ_are_a_reason(sizes, capsys):
    planes = [plane(name, 50, um) for name, um in zip(NAMES, sizes, strict=False)]
    rows = grouping("^A").rows(planes)
    assert rows[0].mean_count is None
    assert tell_groups(rows, Messages())
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "group A: its images differ in pixel size" in line
    assert "0.5 um" in line


def test_a_pixel_size_of_fewer_digits_is_the_same():
    assert not grouping("^A").rows([plane(NAMES[0], 5, 0.645), plane(NAMES[1], 6, 0.6451)])[0].reason


def test_a_depth_without_a_pixel_size_is_a_reason():
    (row,) = grouping(depth_um="100").rows([plane(name, 50, None) for name in NAMES])
    assert "give --pixel-size" in row.reason
    assert (row.mean_count, row.density_per_mm2, row.beads_per_ml) == (50, None, None)


def test_a_group_without_counts_is_a_reason():
    (row,) = grouping("B").rows([Row("B_10x_1.tif", 0, "", "failed", reason="truncated")])
    assert (row.fields, row.failed, row.reason) == (0, 1, "none of its images has a count")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("A", "sheet.csv", None, None), "give one of them"),
        ((None, None, None, "10"), "--dilution 10: beads per mL need the depth too"),
        ((r"_(?P<dilution>\d+)x", None, "100", "10"), "--group-by gives dilutions too"),
        (
            (r"(?P<sample>[AB])_(?P<dilution>100)?", None, "100", None),
            "--group-by: states no dilution for A_10x_1.tif, A_10x_2.tif, B_10x_1.tif, but for others",
        ),
        (
            (r"(?P<sample>[AB])_.*_(?P<replicate>2)?", None, None, None),
            "--group-by: states no replicate for A_10x_1.tif, A_100x_1.tif, but for others of the group",
        ),
    ],
)
def test_settings_that_contradict_each_other(given, words):
    with pytest.raises(SettingsError) as caught:
        Grouping.of(found(), *given)
    assert words in str(caught.value)


def test_dilutions_of_some_images_alone_group_counts_but_give_no_concentration():
    groups = grouping(r"(?P<sample>[AB])_(?P<dilution>100)?").rows([plane(name, 50) for name in NAMES])
    assert [(row.sample, row.dilution) for row in groups] == [("A", None), ("A", 100), ("B", None)]


def test_replicates_of_one_group_alone_are_used_there():
    expression = r"(?P<sample>[AB])_(?P<dilution>\d+)x_(?P<replicate>(?<=A_10x_)\d)?"
    rows = grouping(expression).rows([plane(name, 50) for name in NAMES])
    assert [row.replicates for row in rows] == [2, 0, 0]


def with_errors(row, low, high):
    return dataclasses.replace(row, field_low=low, field_high=high)


def test_errors_of_the_model_widen_density_and_concentration():
    planes = [plane(name, count) for name, count in zip(NAMES, (40, 60, 45, 55), strict=True)]
    (plain,) = grouping(depth_um="100").rows(planes)
    (row,) = grouping(depth_um="100").rows(
        [with_errors(one, 0.9 * one.count, 1.2 * one.count) for one in planes]
    )
    assert plain.combined_low is None
    assert (row.mean_count_low, row.mean_count_high) == (plain.mean_count_low, plain.mean_count_high)
    # On the scale of the root of the sum of four fields.
    root = math.sqrt(4 * 50 + 3 / 8)
    down = math.hypot(*(math.sqrt(4 * end + 3 / 8) - root for end in (plain.mean_count_low, 45)))
    up = math.hypot(*(math.sqrt(4 * end + 3 / 8) - root for end in (plain.mean_count_high, 60)))
    assert row.combined_low == pytest.approx(((root - down) ** 2 - 3 / 8) / 4)
    assert row.combined_high == pytest.approx(((root + up) ** 2 - 3 / 8) / 4)
    assert row.beads_per_ml_high == pytest.approx(1e4 * row.combined_high)
    assert row.density_per_mm2_low == pytest.approx(row.combined_low)
    # One image without figures leaves the group without.
    some = [with_errors(planes[0], 30, 50), *planes[1:]]
    assert grouping(depth_um="100").rows(some) == [plain]


def test_a_group_of_one_field_has_the_interval_of_its_count():
    field = Interval(40, 70)
    (row,) = grouping("B").rows([with_errors(plane(NAMES[3], 50), field.low, field.high)])
    ends = combined_interval(50, field)
    assert (row.combined_low, row.combined_high) == pytest.approx((ends.low, ends.high))
    (empty,) = grouping("B").rows([with_errors(plane(NAMES[3], 0), 0, 3)])
    ends = combined_interval(0, Interval(0, 3))
    assert (empty.combined_low, empty.combined_high) == pytest.approx((ends.low, ends.high))


def test_a_blank_has_no_wider_interval_with_more_fields():
    """Twice as many fields without beads: half the limit of the mean, nearly."""
    ends = []
    for fields in (1, 2, 4):
        rows = [plane(f"{index}.tif", 0) for index in range(fields)]
        names = [row.image for row in rows]
        (row,) = grouping("tif", names=names).rows([with_errors(one, 0, 1.2) for one in rows])
        assert (row.mean_count, row.combined_low) == (0, 0)
        ends.append(row.combined_high)
    assert ends == pytest.approx([ends[0], ends[0] / 2, ends[0] / 4])
    assert ends[0] == pytest.approx(combined_interval(0, Interval(0, 1.2)).high)


@pytest.mark.parametrize("fields", [1, 4])
def test_coverage_of_a_known_concentration(fields):
    """Of samples whose images are alike hard: 2e6 beads a mL of the stock, at 1:10 in a chamber of 100 um."""
    error, rng, held, plain = ModelOfError(missed=0.08, wrong=0.02), np.random.default_rng(8), [], []
    means = np.exp(rng.uniform(np.log(20), np.log(300), 500)).tolist()
    bands = fitted_bands([error.observed(rng, mean) for mean in means])
    names = [f"{index}.tif" for index in range(fields)]
    # Beads of 2e5 a mL in a depth of 100 um: 20 beads a mm2, in fields of 1, 4 and 10 mm2.
    for px in (4 * 10**6, 16 * 10**6, 40 * 10**6):
        for _ in range(150):
            hard, planes = error.hardness(rng), []
            for name in names:
                one = error.observed(rng, 2e5 * px * 0.25 * 100 / 1e12, hard)
                if band := one.band_of(bands):
                    ends = field_interval(
                        one.count, detection_interval(one.count, band), one.thresholds, band.widening
                    )
                    planes.append(with_errors(plane(name, one.count, px=px), ends.low, ends.high))
            # Doubtful counts are too few for a band.
            if len(planes) < fields:
                continue
            (row,) = grouping(depth_um="100", dilution="10", names=names).rows(planes)
            held.append(row.beads_per_ml_low <= 2e6 <= row.beads_per_ml_high)
            factor = row.beads_per_ml / row.mean_count if row.mean_count else 0
            plain.append(factor * row.mean_count_low <= 2e6 <= factor * row.mean_count_high)
    assert len(held) > 300
    assert 0.93 <= np.mean(held) <= 0.985
    assert np.mean(plain) < 0.9


def test_without_groups_and_depth_there_are_none():
    assert grouping() is None


def test_images_that_belong_to_no_group_are_told():
    assert list(grouping("^A").notes(found())) == [(True, "images that belong to no group: 1 (B_10x_1.tif)")]
    assert list(grouping(".").notes(found())) == []


def test_fields_whose_counts_have_a_flag_are_told(capsys):
    planes = [dataclasses.replace(plane(name, 5), quality="doubtful dense") for name in NAMES[:2]]
    rows = grouping(r"(?P<sample>\w)_").rows([*planes, plane(NAMES[2], 7), plane(NAMES[3], 7)])
    assert [(row.sample, row.fields, row.flagged) for row in rows] == [("A", 3, 2), ("B", 1, 0)]
    tell_groups(rows, Messages())
    assert "flagged" in capsys.readouterr().err
    tell_groups(rows[1:], Messages())
    assert "flagged" not in capsys.readouterr().err
    assert not tell_groups([], Messages())


def test_the_table_is_read_back(tmp_path):
    rows = grouping("^A").rows([plane(NAMES[0], 5), plane(NAMES[1], 6)])
    write_groups(tmp_path, rows)
    with (tmp_path / "groups.csv").open(newline="") as file:
        (read,) = csv.DictReader(file)
    assert tuple(read) == COLUMNS
    assert (read["sample"], read["fields"], read["mean_count"], read["dilution"]) == ("A", "2", "5.5", "")
