"""`beadctl report` and `segment --report`: what the page holds, also of files that are not as they were."""

import base64
import csv
import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import COUNTS, discs
from helpers.report_page import HOSTILE, Page, unpacked

from beadctl.console import SILENT
from beadctl.report import page as pages
from beadctl.report import picture, shares
from beadctl.report.kept import Kept


@pytest.fixture
def results(finished, tmp_path):
    """A copy of them, to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "out"))


def rows(folder):
    with (folder / "counts.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def shown(folder):
    """Return what is shown of each plane, by image and plane."""
    planes = Page.read(folder / "report.html").planes
    table = rows(folder)
    return {(table[key]["image"], int(table[key]["plane"])): plane for key, plane in planes.items()}


def test_a_report_is_the_same_from_segment_and_afterwards(run, results):
    path = results / "report.html"
    before = path.read_bytes()
    said = run("report", results)
    assert (said.code, said.out) == (0, "")
    assert "8 planes to look at" in said.err
    assert path.read_bytes() == before


def test_the_next_page_draws_only_what_is_new(results, monkeypatch):
    """As `segment --watch` writes pages again and again."""
    drawn, draw = [], picture.drawn
    monkeypatch.setattr(picture, "drawn", lambda plane: drawn.append(plane.path) or draw(plane))
    path, kept = results / "report.html", Kept()
    pages.write(results, SILENT, kept)
    first, number = path.read_bytes(), len(drawn)
    assert number > 1
    pages.write(results, SILENT, kept)
    assert len(drawn) == number
    assert path.read_bytes() == first

    # Another time of its file may be another content; a smaller share needs smaller pictures.
    image = next(path for path in drawn if drawn.count(path) == 1)
    state = image.stat()
    os.utime(image, (state.st_atime, state.st_mtime + 2))
    try:
        pages.write(results, SILENT, kept)
    finally:
        os.utime(image, (state.st_atime, state.st_mtime))
    assert drawn[number:] == [image]
    assert path.read_bytes() == first
    monkeypatch.setattr(shares, "MOST_BYTES", 3000)
    pages.write(results, SILENT, kept)
    assert len(drawn) > number + 1


def test_failed_and_flagged_planes_come_first_and_none_is_missing(finished):
    page = Page.read(finished / "report.html")
    states = [row["data-state"] for row in page.rows]
    assert states == sorted(states, key=("failed", "flagged", "ok").index)
    assert states[0] == "failed"
    wanted = [f"{row['image']} {row['position']}".strip() for row in rows(finished)]
    assert sorted(name.strip() for name in page.images) == sorted(wanted)
    flagged = [row["image"] for row in rows(finished) if row["quality"]]
    assert states.count("flagged") == len(flagged)
    assert "words.tif" in page.words
    assert "not a TIFF" in page.words
    # The tables of the terminal have the mean.
    assert "median diameter" in page.words


def test_beads_and_pictures_are_those_of_the_run(finished):
    planes = shown(finished)
    for key, count in COUNTS.items():
        plane = planes[key]
        beads = unpacked(plane["beads"])
        assert len(beads["label"]) == count
        assert len(beads.get("o", [])) == count
        for name in ("thumbnail", "picture"):
            assert base64.b64decode(plane[name])[8:12] == b"WEBP"
    assert planes["deep/sixteen.tif", 0]["um"] == 0.5
    (line,) = {tuple(unpacked(planes["rgb.png", 0]["beads"])["o"][0])}
    labels = tifffile.imread(finished / "masks/rgb_masks.tif")
    y, x = np.nonzero(labels == unpacked(planes["rgb.png", 0]["beads"])["label"][0])
    vertices = np.cumsum(np.reshape(line, (-1, 2)), axis=0) / 2
    assert np.abs(vertices.mean(0) - (x.mean() + 0.5, y.mean() + 0.5)).max() < 1


def test_names_of_files_stay_text(finished):
    page = Page.read(finished / "report.html")
    assert HOSTILE in page.words
    assert HOSTILE in [name.strip() for name in page.images]
    for tag, has in page.elements:
        assert not [name for name in has if name.startswith("on")], (tag, has)
        assert has.get("src") != "x"
    # A script more would be one of a name.
    kinds = [has.get("type") for has, _ in page.scripts]
    assert kinds.count(None) == 3
    assert len(kinds) == 3 + 1 + len(page.planes)


def test_a_name_that_ends_a_script_stays_text(run, tmp_path):
    """Such a name has a slash, so it can only be one of a folder and a file."""
    labels = tmp_path / "labels" / "a<"
    labels.mkdir(parents=True)
    tifffile.imwrite(labels / "script>.tif", discs(3)[1])
    assert run("count", "--labels", "labels", "-o", "out", "--group-by", "a<.script>").code == 0
    assert run("report", "out").code == 0
    page = Page.read(Path("out/report.html"))
    assert page.images == ["a</script>.tif "]
    assert len(page.scripts) == 3 + 1 + 1
    assert len(page.planes) == 1


def test_the_page_asks_for_nothing_and_runs_only_its_own_scripts(finished):
    page = Page.read(finished / "report.html")
    for tag, has in page.elements:
        for name in ("src", "href", "data", "poster", "action"):
            assert (has.get(name) or "data:").startswith(("data:", "overlays/")), (tag, has)
    (policy,) = [has["content"] for tag, has in page.elements if tag == "meta" and "http-equiv" in has]
    assert "default-src 'none'" in policy
    hashes = re.findall(r"'sha256-([^']+)'", policy)
    own = [text for has, text in page.scripts if not has]
    assert hashes == [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in own]
    assert "@import" not in page.words
    assert "url(" not in page.words


def test_counts_without_label_images_are_circles(run, bead_folder, model_path):
    run("count", bead_folder / "dark.png", "-m", model_path, "-o", "out")
    assert run("report", "out").code == 0
    (plane,) = shown(Path("out")).values()
    beads = unpacked(plane["beads"])
    assert "o" not in beads
    assert len(beads["d"]) == COUNTS["dark.png", 0]


def test_counted_label_images_are_the_outlines(run, tmp_path):
    (tmp_path / "labels").mkdir()
    labels = discs(5)[1] * 3
    tifffile.imwrite("labels/a.tif", labels)
    assert run("count", "--labels", "labels", "-o", "out").code == 0
    assert run("report", "out").code == 0
    (plane,) = shown(Path("out")).values()
    beads = unpacked(plane["beads"])
    assert beads["label"] == [3, 6, 9, 12, 15]
    assert all(len(line) > 20 for line in beads["o"])


def test_linked_stacks_show_the_beads_of_their_planes(run, bead_folder, model_path):
    run("count", bead_folder / "stack.tif", "-m", model_path, "-o", "out", "--link-z")
    assert run("report", "out").code == 0
    ((plane, row),) = zip(shown(Path("out")).values(), rows(Path("out")), strict=True)
    assert len(unpacked(plane["beads"])["label"]) == int(row["count"])


def test_what_changed_since_the_run_is_not_shown(run, bead_folder, model_path):
    results = Path("out")
    assert run("segment", bead_folder, "-m", model_path, "-o", results, "--save", "masks").code == 0
    (bead_folder / "dark.png").unlink()
    shutil.copy(bead_folder / "stack.tif", bead_folder / "deep/sixteen.tif")
    edited = results / "masks/rgb_masks.tif"
    edited.write_bytes(edited.read_bytes() + b" ")
    said = run("report", results)
    assert said.code == 0
    assert f"warning: {results}/report.html: planes without picture or beads: 2;" in said.err
    planes = shown(results)
    assert planes["dark.png", 0]["note"] == "the image file is no longer where the run read it"
    assert planes["deep/sixteen.tif", 0]["note"] == "the image file changed since the run"
    for key in (("dark.png", 0), ("deep/sixteen.tif", 0)):
        assert "picture" not in planes[key]
        assert len(unpacked(planes[key]["beads"])["o"]) == COUNTS[key]
    assert "o" not in unpacked(planes["rgb.png", 0]["beads"])
    # A part of the ledger that is not that of the table.
    (results / ".beadctl/parts/stack.tif.json").unlink()
    assert run("report", results).code == 0
    assert shown(results)["stack.tif", 0] == {"note": "its results changed since; run again"}


def test_a_page_holds_no_more_than_its_bytes(run, results, monkeypatch):
    bare = (results / "report.html").stat().st_size
    assert bare < shares.PAGE_BYTES
    monkeypatch.setattr(shares, "PAGE_BYTES", 30_000)
    monkeypatch.setattr(shares, "LEAST_BYTES", 9_000)
    said = run("report", results)
    assert "planes with figures and no picture: 5" in said.err
    page = Page.read(results / "report.html")
    assert len(page.planes) == 3
    assert len(page.rows) == 9
    assert sum(len(str(plane)) for plane in page.planes.values()) < 42_000
    # The others can be looked at as overlays.
    overlays = [has["href"] for tag, has in page.elements if tag == "a"]
    assert overlays
    assert all((results / name).exists() for name in overlays)


def test_a_table_holds_the_first_rows_and_says_so(run, results, monkeypatch):
    monkeypatch.setattr(pages, "MOST_ROWS", 4)
    assert run("report", results).code == 0
    page = Page.read(results / "report.html")
    assert len(page.rows) == 4
    assert page.rows[0]["data-state"] == "failed"
    assert "The first 4 of 9 planes" in page.words


@pytest.fixture
def grouped(run, bead_folder, model_path, tmp_path):
    """Results of two groups, without a report."""
    images = bead_folder / "dark.png", bead_folder / "rgb.png"
    out = tmp_path / "grouped"
    assert run("count", *images, "-m", model_path, "-o", out, "--group-by", "dark|rgb").code == 0
    return out


def test_groups_and_plots_of_the_run_are_in_the_page(run, bead_folder, model_path):
    images = bead_folder / "dark.png", bead_folder / "rgb.png"
    assert run("count", *images, "-m", model_path, "-o", "out", "--group-by", "dark|rgb").code == 0
    # As --sizes would write them, which draws for seconds.
    Path("out/sizes.csv").write_text("sample,unit,beads,mean\n007,px,7,10.0412\n")
    Path("out/sizes.svg").write_text("<svg/>")
    record = json.loads(Path("out/run.json").read_text())
    names = dict.fromkeys(("sizes.csv", "sizes.svg"), "")
    Path("out/run.json").write_text(json.dumps({**record, "files": record["files"] | names}))
    Path("out/agreement.csv").write_text("band,planes\nof another run,1\n")
    assert run("report", "out").code == 0
    page = Page.read(Path("out/report.html"))
    assert "Mean count of the fields of each group" in page.words
    assert "\n007px710.04" in page.words
    assert "of another run" not in page.words
    plots = [has["src"] for tag, has in page.elements if tag == "img" and has.get("src")]
    assert [base64.b64decode(plot.partition(",")[2]) for plot in plots] == [b"<svg/>"]
    (intervals,) = [json.loads(text)["intervals"] for has, text in page.scripts if has.get("id") == "facts"]
    assert [(one["group"], one["mean"]) for one in intervals[0]] == [("dark", 4.0), ("rgb", 3.0)]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("groups.csv", lambda content: content.replace(b",", b";")),
        ("groups.csv", lambda content: content.replace(b",4,4,", b",4,4 beads,")),
        ("groups.csv", lambda content: content + b"caf\xe9"),
        ("beads.csv", lambda content: content.replace(b",", b";")),
        ("beads.csv", lambda content: re.sub(rb"0(\.\d+)", rb"o\1", content)),
    ],
)
def test_a_table_that_a_spreadsheet_changed_is_one_line(run, grouped, name, change):
    path = grouped / name
    changed = change(path.read_bytes())
    assert changed != path.read_bytes()
    path.write_bytes(changed)
    said = run("report", grouped)
    assert said.code == 3
    assert f"{name}: is not as beadctl wrote it; run again" in said.error


def test_settings_in_another_encoding_are_shown(run, grouped):
    with (grouped / "settings.toml").open("ab") as file:
        file.write(b"# caf\xe9\n")
    assert run("report", grouped).code == 0
    assert "# caf\ufffd" in Page.read(grouped / "report.html").words


def test_settings_model_and_versions_are_in_the_page(finished):
    words = Page.read(finished / "report.html").words
    assert 'save = [\n    "masks",\n    "overlays",\n]' in words
    for fact in ("blobs", "CC0-1.0", "onnxruntime", "beadctl"):
        assert fact in words


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda out: shutil.rmtree(out / ".beadctl"), "holds no results of beadctl"),
        (lambda out: (out / "run.json").unlink(), "run.json: is missing"),
        (lambda out: (out / "run.json").write_text('{"settings": 3}'), "run.json: cannot be read"),
        (
            lambda out: (out / "run.json").write_text('{"settings": {"data": {"axes": 3}}}'),
            "run.json: cannot be read",
        ),
        (lambda out: (out / "counts.csv").unlink(), "counts.csv: cannot be read"),
        (lambda out: (out / "counts.csv").write_text("image,plane,count\na,0,many\n"), "is not as beadctl"),
        (lambda out: (out / "report.html").write_text("<p>mine</p>"), "is not a report of beadctl"),
    ],
)
def test_what_cannot_be_reported_is_one_line(run, results, prepare, words):
    prepare(results)
    before = (results / "report.html").read_bytes()
    said = run("report", results)
    assert (said.code, said.out) == (3, "")
    assert words in said.error
    assert (results / "report.html").read_bytes() == before


def test_a_report_of_other_counts_is_removed_or_written_again(run, tmp_path, model_path):
    (tmp_path / "images").mkdir()
    words = ("segment", "images", "-m", model_path, "-o", "out")
    for number, more in enumerate((["--report"], [], ["--report"], ["--report"])):
        tifffile.imwrite(tmp_path / f"images/{number}.tif", discs(number + 1)[0])
        said = run(*words, *more)
        assert said.code == 0
        removed = "removed, as the counts that they are of have changed: report.html" in said.err
        assert removed == (not more)
        assert Path("out/report.html").exists() == bool(more)
    assert run(*words).code == 0
    assert len(Page.read(Path("out/report.html")).rows) == 4
    # A page of someone else stays.
    Path("out/report.html").write_text("<p>mine</p>")
    tifffile.imwrite(tmp_path / "images/9.tif", discs(9)[0])
    assert run(*words).code == 0
    assert Path("out/report.html").read_text() == "<p>mine</p>"


def test_shards_leave_the_report_to_the_merge(run, bead_folder, model_path):
    for shard in ("1/2", "2/2"):
        said = run("segment", bead_folder, "-m", model_path, "-o", "out", "--report", "--shard", shard)
        assert said.code == 0
        assert "the report is of all shards: beadctl merge writes it" in said.err
        assert not Path("out/report.html").exists()
    assert run("report", "out").error.endswith("merge its shards with beadctl merge")
    assert run("merge", "out").code == 0
    assert len(Page.read(Path("out/report.html")).planes) == 7


def test_without_jinja_nothing_is_done(run, bead_folder, model_path, monkeypatch):
    monkeypatch.setattr("beadctl.errors.find_spec", lambda name: None)
    said = run("segment", bead_folder, "-m", model_path, "-o", "out", "--report")
    assert said.code == 3
    assert 'pip install "beadctl[report]"' in said.error
    assert not Path("out").exists()


def test_the_licence_of_each_library_is_in_the_package_and_in_the_page(finished):
    vendor = Path(pages.__file__).parent / "vendor"
    licences = (vendor / "LICENSES.txt").read_text(encoding="utf-8")
    for script in vendor.glob("*.js"):
        assert script.name in licences
    assert licences.strip() in Page.read(finished / "report.html").words
