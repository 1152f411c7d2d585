"""Stacks: one count each by ``--project`` or ``--link-z``, and fields of whole files by ``--unit file``."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import discs
from helpers.results_folder import table

from beadctl.segmentation.measure import measure

CENTRES = ((20, 20), (20, 60), (20, 100), (60, 20), (60, 60), (60, 100))


def spheres():
    """Label images of spheres cut by 7 planes: seven beads, six of them in 3 to 5 planes.

    Numbers differ from plane to plane, and the seventh lies above another one, with a plane between.
    """
    rng = np.random.default_rng(3)
    planes = np.zeros((7, 80, 120), np.uint16)
    middles = [1, 2, 3, 4, 5, 1]
    rows, columns = np.indices(planes.shape[1:])
    for z, plane in enumerate(planes):
        numbers = rng.permutation(np.arange(1, 60))
        for index, ((y, x), middle) in enumerate(zip(CENTRES, middles, strict=True)):
            radius2 = 81 - 16 * (z - middle) ** 2
            if radius2 > 0:
                plane[(rows - y) ** 2 + (columns - x) ** 2 <= radius2] = numbers[index]
    # Above the last one, in focus at plane 5 with nothing in plane 4.
    planes[5][(rows - 60) ** 2 + (columns - 100) ** 2 <= 64] = 77
    return planes


def save(path, planes, axes="ZYX"):
    Path(path).parent.mkdir(exist_ok=True)
    tifffile.imwrite(path, planes, imagej=True, metadata={"axes": axes})


def rows_of(said):
    assert said.code == 0, said.err
    return json.loads(said.out)


def test_linked_beads_are_counted_once_where_they_are_largest(run):
    planes = spheres()
    save("z/stack.tif", planes)
    each = rows_of(run("count", "--labels", "z", "--format", "json"))
    assert sum(row["count"] for row in each) > 20
    (row,) = rows_of(
        run("count", "--labels", "z", "--link-z", "--format", "json", "-o", "out", "--pixel-size", "0.5")
    )
    assert (row["plane"], row["position"], row["count"], row["singlets"]) == (0, "", 7, 7)
    assert row["density_per_mm2"] == pytest.approx(7 / (80 * 120 / 4) * 1e6)
    beads = table("out/beads.csv")
    assert len(beads) == 7
    largest = measure(planes[1].astype(np.uint32)).area_px.max()
    assert sorted(int(bead["area_px"]) for bead in beads)[1:] == [largest] * 6
    assert {bead["plane"] for bead in beads} == {"0"}
    assert sorted(int(bead["in_plane"]) for bead in beads) == [1, 1, 2, 3, 4, 5, 5]
    for bead in beads:
        plane = planes[int(bead["in_plane"])]
        assert plane[round(float(bead["y_px"])), round(float(bead["x_px"]))] == int(bead["label"])
    assert row["mean_diameter_px"] == pytest.approx(
        np.mean([float(bead["diameter_px"]) for bead in beads]), rel=1e-5
    )
    again = run("count", "--labels", "z", "--link-z", "--format", "json", "-o", "out", "--pixel-size", "0.5")
    assert [(one["status"], one["count"]) for one in rows_of(again)] == [("skipped", 7)]
    # Planes each are another setting.
    assert run("count", "--labels", "z", "-o", "out", "--pixel-size", "0.5").code == 3


def test_times_are_kept_apart_and_touching_beads_are_groups(run):
    planes = spheres()
    touching = np.zeros_like(planes)
    touching[2:4, 20:30, 20:30] = 5
    touching[3:5, 20:30, 30:40] = 9
    save("z/stack.tif", np.stack([planes, touching, 0 * planes]), "TZYX")
    first, second, third = rows_of(run("count", "--labels", "z", "--link-z", "--format", "json"))
    assert [row["position"] for row in (first, second, third)] == ["T=0", "T=1", "T=2"]
    assert [row["plane"] for row in (first, second, third)] == [0, 7, 14]
    assert [row["count"] for row in (first, second, third)] == [7, 2, 0]
    assert (second["singlets"], second["doublets"]) == (0, 1)


def test_stacks_whose_planes_lie_apart_in_the_file_are_linked(run):
    """All times of the first Z come before the second Z, as in OME's order XYTZC."""
    planes = spheres()
    (folder := Path("z")).mkdir()
    pages = np.stack([planes, planes[::-1], 0 * planes], axis=1)
    tifffile.imwrite(folder / "stack.ome.tif", pages, metadata={"axes": "ZTYX"})
    rows = rows_of(run("count", "--labels", "z", "--link-z", "--format", "json", "-o", "out"))
    assert [(row["position"], row["plane"], row["count"]) for row in rows] == [
        ("T=0", 0, 7),
        ("T=1", 1, 7),
        ("T=2", 2, 0),
    ]
    beads = table("out/beads.csv")
    assert [int(bead["plane"]) for bead in beads] == [0] * 7 + [1] * 7
    for bead in beads:
        z, time = divmod(int(bead["in_plane"]), 3)
        place = round(float(bead["y_px"])), round(float(bead["x_px"]))
        assert pages[z, time][place] == int(bead["label"])


@pytest.mark.parametrize(
    ("rule", "count", "filtered"),
    [
        ((), 3, 0),
        (("--max-diameter", "16"), 2, 1),
        (("--min-diameter", "9"), 1, 2),
        (("--min-diameter", "16", "--max-diameter", "18"), 0, 3),
        (("--min-circularity", "1"), 0, 3),
        (("--region", "0,0,20,60"), 0, 0),
        (("--counting-frame", "12"), 1, 0),
        (("--exclude-border",), 2, 0),
    ],
)
def test_a_linked_bead_is_judged_where_it_is_largest(run, rule, count, filtered):
    """A ball of 20 px, one of 8 px that leans, and one of 8 px that reaches the border in one plane."""
    planes = np.zeros((11, 60, 60), np.uint16)
    z, y, x = np.indices(planes.shape)
    planes[(z - 5) ** 2 + (y - 28) ** 2 + (x - 40) ** 2 < 100] = 1
    planes[(z - 2) ** 2 + (y - 45) ** 2 + (x - 20 - z + 2) ** 2 <= 16] = 2
    planes[(z - 8) ** 2 + (y - 55) ** 2 + (x - 45) ** 2 <= 16] = 3
    save("z/stack.tif", planes)
    (row,) = rows_of(run("count", "--labels", "z", "--link-z", *rule, "--format", "json"))
    assert (row["count"], row["filtered"]) == (count, filtered)
    assert row["singlets"] == count


def test_a_stack_with_a_bad_plane_has_no_count(run):
    planes = spheres().astype(np.float32)
    planes[3] += 0.5 * (planes[3] > 0)
    save("z/stack.tif", np.stack([planes, spheres()]), "TZYX")
    said = run("count", "--labels", "z", "--link-z", "--format", "json")
    assert said.code == 1
    bad, good = json.loads(said.out)
    assert (bad["status"], bad["plane"], bad["count"], good["count"]) == ("failed", 0, None, 7)
    assert "its plane 3: holds values that are not whole numbers" in said.error


def test_a_stack_with_a_bad_plane_keeps_its_place_where_planes_lie_apart(run):
    planes = np.stack([spheres(), spheres()], axis=1).astype(np.float32)
    planes[3, 0] += 0.5 * (planes[3, 0] > 0)
    Path("z").mkdir()
    tifffile.imwrite("z/stack.ome.tif", planes, metadata={"axes": "ZTYX"})
    said = run("count", "--labels", "z", "--link-z", "--format", "json")
    rows = json.loads(said.out)
    assert [(row["position"], row["plane"], row["count"]) for row in rows] == [
        ("T=0", 0, None),
        ("T=1", 1, 7),
    ]
    assert "its plane 6: holds values" in said.error


def images(count=4):
    """A Z stack in which each bead is in focus in one plane and fainter in the others."""
    sharp = discs(count, 96, 128)[0].astype(float)
    background = np.median(sharp)
    weights = (0.4, 0.7, 1.0, 0.7, 0.4)
    planes = [background + weight * (sharp - background) for weight in weights]
    return np.rint(planes).astype(np.uint8)


@pytest.mark.parametrize("how", ["max", "mean", "sharpest"])
def test_a_projected_stack_has_one_count(run, model_path, how):
    save("z/stack.tif", np.stack([images(), images(3)]), "TZYX")
    rows = rows_of(run("count", "z", "--project", how, "-m", model_path, "--format", "json"))
    assert [(row["position"], row["count"]) for row in rows] == [("T=0", 4), ("T=1", 3)]
    assert [row["plane"] for row in rows] == ([2, 7] if how == "sharpest" else [0, 5])


def test_a_manual_count_of_a_file_is_compared_with_its_only_row(run, model_path):
    """Of the sharpest plane, whose number nobody knows beforehand."""
    save("z/stack.tif", images())
    Path("manual.csv").write_text("file,count\nstack.tif,5\n")
    said = run(
        *("count", "z", "--project", "sharpest", "-m", model_path, "--manual", "manual.csv", "-o", "out")
    )
    assert said.code == 0
    (row, _) = table("out/agreement.csv")
    assert (row["planes"], row["bias"]) == ("1", "-1")


def test_the_manual_count_of_one_plane_is_not_that_of_another(run):
    save("z/stack.tif", spheres())
    Path("manual.csv").write_text("file,plane,count\nstack.tif,0,2\nstack.tif,1,3\n")
    said = run("count", "--labels", "z", "--plane", "3", "--manual", "manual.csv", "-o", "out")
    assert said.code == 1
    assert "stack.tif plane 0, stack.tif plane 1: no planes of this run" in said.error
    assert not Path("out/agreement.csv").exists()


def test_a_manual_count_of_a_stack_is_not_compared_with_its_first_plane(run):
    save("z/stack.tif", spheres())
    save("z/one.tif", spheres()[3:4])
    Path("manual.csv").write_text("file,count\nstack.tif,9\none.tif,2\n")
    flags = "--labels", "z", "--manual", "manual.csv"
    said = run("count", *flags, "-o", "out")
    assert said.code == 1
    assert "--manual: stack.tif: of which plane is the count? fill in the column plane" in said.error
    assert [row["planes"] for row in table("out/agreement.csv")] == ["1", "1"]
    assert run("count", *flags, "--unit", "file", "-o", "file").code == 0
    assert table("file/agreement.csv")[0]["planes"] == "2"


def test_segment_writes_one_mask_for_a_projected_stack(run, model_path):
    save("z/stack.tif", np.stack([images(), images(3)]), "TZYX")
    assert run("segment", "z", "--project", "max", "-m", model_path, "-o", "out").code == 0
    assert tifffile.imread("out/masks/stack_masks.tif").shape == (2, 96, 128)


def test_the_network_links_planes_too(run, model_path):
    save("z/stack.tif", images())
    (row,) = rows_of(run("count", "z", "--link-z", "-m", model_path, "--format", "json"))
    assert row["count"] == 4
    assert row["doubt"] is not None
    rule = "--max-diameter", f"{row['mean_diameter_px']}"
    (fewer,) = rows_of(run("count", "z", "--link-z", *rule, "-m", model_path, "--format", "json"))
    assert 0 < fewer["filtered"] < 4
    assert fewer["count"] == 4 - fewer["filtered"]


def test_the_field_of_linked_planes_is_where_any_of_them_has_values(run, model_path):
    """As in a stack whose planes were aligned, so that each has another edge without values."""
    planes = images().astype(np.float32)
    for z, plane in enumerate(planes):
        plane[:, : 12 - 3 * z] = np.nan
    for stack, missing in ((planes, 0), (planes[:3], 6)):
        save("z/stack.tif", stack)
        (row,) = rows_of(run("count", "z", "--link-z", "-m", model_path, "--format", "json"))
        assert row["field_area_px"] == 96 * (128 - missing)


def test_files_are_fields(run):
    for name, counts in (("A_1", (5, 3)), ("A_2", (4, 6)), ("A_3", (7, 1))):
        save(f"fields/{name}.tif", np.stack([discs(count)[1] for count in counts]), "TYX")
    Path("manual.csv").write_text("file,count\nA_1.tif,8\nA_2.tif,9\n")
    flags = "--labels", "fields", "--group-by", "^A", "--pixel-size", "0.5", "--depth-um", "100"
    by_file = run("count", *flags, "--unit", "file", "--manual", "manual.csv", "-o", "file")
    assert by_file.code == 0
    (file,) = table("file/groups.csv")
    assert (file["fields"], file["beads"]) == ("3", "26")
    assert float(file["mean_count"]) == pytest.approx(26 / 3, rel=1e-5)
    assert float(file["field_area_um2"]) == 2 * 96 * 128 / 4
    assert run("count", *flags, "-o", "plane").code == 0
    (plane,) = table("plane/groups.csv")
    assert (plane["fields"], plane["beads"], plane["mean_count"]) == ("6", "26", "4.33333")
    # The density of a file is that of its planes.
    assert plane["density_per_mm2"] == file["density_per_mm2"]
    assert plane["beads_per_ml"] == file["beads_per_ml"]
    assert table("file/agreement.csv")[0]["bias"] == "0.5"
    # Rows of planes stay.
    assert len(table("file/counts.csv")) == 6


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (("--project", "max"), 2, "--project max: label images have no brightness; count stacks by --link-z"),
        (("--unit", "file", "--manual", "manual.csv"), 2, "manual.csv: counts planes, and --unit file files"),
        (("--link-z",), 1, "name the axes with --axes, such as ZYX"),
        (("--project", "best"), 2, "best"),
        (("--link-z", "--plane", "0"), 2, "--link-z: --plane 0 leaves one plane of a stack; leave out one"),
    ],
)
def test_wrong_usage(run, flags, code, words):
    Path("z").mkdir()
    tifffile.imwrite("z/pages.tif", spheres(), metadata=None)
    Path("manual.csv").write_text("file,count,plane\npages.tif,4,1\n")
    said = run("count", "--labels", "z", *flags, "-q")
    assert said.code == code
    assert words in said.err


def test_a_stack_is_projected_or_linked(run, model_path):
    save("z/stack.tif", images())
    said = run("count", "z", "--project", "max", "--link-z", "-m", model_path)
    assert said.code == 2
    assert "--project max: leaves no planes to link; leave out --link-z" in said.error
    said = run("segment", "z", "--project", "max", "--plane", "0", "-m", model_path)
    assert said.code == 2
    assert "--project max: --plane 0 leaves one plane of a stack; leave out one of them" in said.error
