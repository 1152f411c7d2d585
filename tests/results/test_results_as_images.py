"""Results that lie among images are left out, and images among results are not."""

from pathlib import Path

from helpers.images import COUNTS
from helpers.results_folder import table

from beadctl.cli import main


def test_results_within_the_images_folder_are_not_images(segment, bead_folder):
    out = bead_folder / "results"
    assert segment(bead_folder, "-o", out).code == 0
    assert segment(bead_folder, "-o", out).code == 0
    assert len(table(out / "counts.csv")) == len(COUNTS) + 1


def test_results_are_nobodys_input(bead_folder, model_path, capsys):
    images = bead_folder
    first = main.run(["count", str(images), "-m", str(model_path), "-q", "--format", "csv"])
    before = capsys.readouterr().out
    for out in (images / "segmented", images):
        assert main.run(["segment", str(images), "-m", str(model_path), "-o", str(out), "-q"]) == first
        assert main.run(["segment", str(images), "-m", str(model_path), "-o", str(out), "-q"]) == first
        with (out / "counts.csv").open(encoding="utf-8") as file:
            assert len(file.readlines()) == len(before.splitlines())
    capsys.readouterr()
    assert main.run(["count", str(images / "segmented"), "-m", str(model_path)]) == 1
    said = capsys.readouterr()
    assert "left out: results of beadctl, 12 files" in said.err
    main.run(["count", str(images / "segmented" / "masks"), "-m", str(model_path), "-q", "--format", "csv"])
    assert "_masks.tif" in capsys.readouterr().out


def test_images_in_the_folder_of_results_are_not_missed(segment, run, bead_folder, model_path, tmp_path):
    # The folder of results, below the input, holds images itself.
    out = bead_folder / "deep"
    for _ in range(2):
        assert segment(bead_folder, "-o", out).code == 0
        assert "deep/sixteen.tif" in {row["image"] for row in table(out / "counts.csv")}
    said = run("count", out, "-m", model_path, "--format", "csv")
    assert [line.split(",")[0] for line in said.out.splitlines()] == ["image", "sim.tif", "sixteen.tif"]
    assert "left out: results of beadctl, 12 files" in said.err


def test_results_are_no_input_of_the_run_that_adds_to_them(segment, run, bead_folder):
    assert segment(bead_folder, "-o", "out").code == 0
    before = Path("out/counts.csv").read_bytes()
    for said in (
        segment("out/masks", "-o", "out"),
        segment("out/masks/dark_masks.tif", "-o", "./out", "--overwrite"),
        run("count", "--labels", "out/masks", "-o", "out"),
    ):
        assert said.code == 3
        assert "_masks.tif: is itself a result in" in said.error
    assert Path("out/counts.csv").read_bytes() == before
    assert segment("out/masks", "-o", "others").code == 0
