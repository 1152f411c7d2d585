"""Every command of the README and the guides runs, in order, in a copy of the tree."""

import csv
import re
import shutil
import sys
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.commandline import commands, parse
from helpers.guides import ROOT, blocks, copy_tree, run_block, run_page, stubs
from PIL import Image
from scipy import ndimage

from beadctl.audit.table import COLUMNS as AUDIT_COLUMNS
from beadctl.dataset.manifest import COLUMNS as MANIFEST_COLUMNS
from beadctl.dataset.manifest import SPLITS, read_manifest
from beadctl.images import InMemory, InputName, NetworkInput, levels_of
from beadctl.results.compared import COLUMNS as AGREEMENT_COLUMNS
from beadctl.results.groups import COLUMNS as GROUP_COLUMNS
from beadctl.results.ledger import BEAD_COLUMNS, COLUMNS
from beadctl.results.series import LEVEL_COLUMNS, SERIES_COLUMNS
from beadctl.results.sizes import BAR_COLUMNS
from beadctl.results.sizes import COLUMNS as SIZE_COLUMNS
from beadctl.segmentation.bead_table import FLAGS
from beadctl.simulate import render
from beadctl.training.records import EpochRecord

pytestmark = pytest.mark.skipif(
    shutil.which("bash") is None or sys.platform == "win32", reason="bash is not installed"
)

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "examples").glob("*/README.md"))]
LINES = [
    (page, words)
    for page in PAGES
    for block in blocks(page)
    if block.language == "sh"
    for words in commands(block.text)
]


def guide(name: str) -> Path:
    return ROOT / "examples" / name / "README.md"


def test_readme_commands(tmp_path):
    tree = run_page(README, tmp_path)
    assert len((tree / "counts.csv").read_text().splitlines()) == 10
    for name in ("results/overlays/spheres_overlay.png", "mine.onnx", "results-mine/beads.csv"):
        assert (tree / name).exists()
    assert (tree / "segmented/counts.csv").exists()


def test_counting_guide(tmp_path):
    tree = run_page(guide("counting"), tmp_path)
    assert (tree / "outlines/geojson/spheres.geojson").exists()
    assert not (tree / "outlines/overlays").exists()
    made, kept = (
        np.asarray(Image.open(path).convert("RGB")).astype(int)
        for path in (tree / "overlay.png", guide("counting").with_name("overlay.png"))
    )
    # Another processor may round a few pixels differently.
    assert np.mean(np.any(made != kept, axis=-1)) < 0.01


def test_statistics_guide(tmp_path):
    tree = run_page(guide("statistics"), tmp_path)
    for name in (
        "grouped/groups.csv",
        "series-report/dilution.svg",
        "agreement/agreement.csv",
        "diameters/sizes.csv",
    ):
        assert (tree / name).exists()


def test_model_file_guide(tmp_path):
    run_page(guide("model-file"), tmp_path)


def test_the_contrast_of_the_model_file_guide_is_that_of_the_network():
    """The page's own function, on a plane whose size is no multiple of the grid."""
    (text,) = (block.text for block in blocks(guide("model-file")) if block.language == "python")
    names = {"np": np, "ndimage": ndimage}
    exec(text[text.index("def contrast") : text.index("if facts[")], names)
    plane = render(np.random.default_rng(4), (93, 150)).image
    levels = levels_of(plane)
    value = (plane - (levels.low + levels.high) / 2) / ((levels.high - levels.low) / 2)
    _, *channels = NetworkInput.of(InMemory(plane), InputName.LOCAL).apply(plane)
    for channel, sigma_px in zip(channels, InputName.LOCAL.sigmas_px, strict=True):
        np.testing.assert_allclose(channel, names["contrast"](value, sigma_px), atol=1e-4)


@pytest.mark.slow
def test_the_training_block_of_the_readme_runs_as_printed_in_five_minutes(tmp_path):
    """Without the settings that make the trainings of the other tests tiny."""
    (block,) = (block for block in blocks(README) if "beadctl train" in block.text)
    tree, bin_folder = copy_tree(tmp_path), stubs(tmp_path / "bin")
    began = time.monotonic()
    run_block(block, tree, bin_folder, {"BEADCTL_TRAIN__WORKERS": "0"})
    assert time.monotonic() - began < 300
    beads = dict.fromkeys(SPLITS, 0)
    for row in read_manifest(tree / "tiles"):
        beads[row.split] += row.beads
    assert all(beads.values())
    assert (tree / "results-mine/counts.csv").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["training", "losses", "cluster", "python"])
def test_training_guides(tmp_path, name):
    run_page(guide(name), tmp_path)


@pytest.mark.slow
def test_default_model_guide(tmp_path):
    """The recipe with two scenes in place of hundreds."""
    few = """
given=("$@")
few=2
[[ $* != *--suspensions* ]] || few=40
for i in "${!given[@]}"; do [[ ${given[i]} != --count ]] || given[i+1]=$few; done
exec "$PYTHON" -m beadctl "${given[@]}\""""
    tree = run_page(
        guide("default-model"),
        tmp_path,
        settings={
            "BEADCTL_TRAIN__MAX_MINUTES": "0.01",
            "BEADCTL_TRAIN__STEPS_PER_EPOCH": "1",
            "BEADCTL_TRAIN__EPOCHS": "1",
            "BEADCTL_TRAIN__WORKERS": "0",
        },
        beadctl=few,
    )
    assert (tree / "made/bead.onnx").exists()


@pytest.mark.slow
def test_fine_tuning_guide(tmp_path):
    """The experiment on simulated scenes in place of the real ones."""
    rng = np.random.default_rng(3)
    for part, count in (("train", 60), ("val", 3)):
        folder = tmp_path / "beadctl" / part
        folder.mkdir(parents=True)
        rows = ["image,y,x"]
        for index in range(count):
            while not (scene := render(rng, 128)).labels.any():
                pass
            tifffile.imwrite(folder / f"{index:03}.tif", scene.image)
            centres = [np.argwhere(scene.labels == label).mean(0) for label in np.unique(scene.labels)[1:]]
            rows += [f"{index:03}.tif,{y:.1f},{x:.1f}" for y, x in centres]
        (folder.parent / f"{part}_centres.csv").write_text("\n".join(rows) + "\n")
    shutil.copytree(ROOT / "examples", tmp_path / "beadctl/examples")
    tree = run_page(
        guide("fine-tuning"),
        tmp_path,
        settings={
            "BEADCTL_TRAIN__EPOCHS": "1",
            "BEADCTL_TRAIN__STEPS_PER_EPOCH": "5",
            "BEADCTL_TRAIN__WORKERS": "0",
        },
    )
    assert (tree / "tuned/tuned.onnx").exists()
    with (tree / "out/scores.csv").open() as file:
        assert [row["model"] for row in csv.DictReader(file)] == ["default", "tuned", "scratch"]


@pytest.mark.slow
def test_loss_study_guide(tmp_path):
    """The study's commands are parsed; 108 trainings are too many."""
    tree = tmp_path / "beadctl"
    shutil.copytree(ROOT / "examples", tree / "examples")
    (tree / "MICROBEADS").mkdir()
    said = tmp_path / "said"
    run_page(
        guide("loss-study"),
        tmp_path,
        beadctl=f'printf "%s\\0" "$@" >>"{said}"; printf "\\n" >>"{said}"',
        python="",
    )
    lines = [line.rstrip("\0").split("\0") for line in said.read_text().splitlines()]
    assert {line[0] for line in lines} == {"tile", "compare-losses"}
    for line in lines:
        parse(line)


@pytest.mark.parametrize(("page", "words"), LINES, ids=lambda value: str(value)[-40:])
def test_command_line_is_valid(page, words):
    del page
    parse(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_links_and_named_files_exist(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target
    for name in re.findall(r"`((?:examples|completions|tests|beadctl)/[\w./-]*\w/?)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"python (tests/[\w/]+\.py)", text):
        assert (ROOT / name).exists(), name


def table_of(page: Path, heading: str) -> list[str]:
    """The names in the first column of the tables below a heading."""
    section = page.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    first = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [name for cell in first for name in re.findall(r"`([^`]+)`", cell)]


def test_columns_are_listed():
    assert sorted(table_of(guide("counting"), "Columns of counts.csv")) == sorted(COLUMNS)
    tables = {
        "groups": GROUP_COLUMNS,
        "dilution_series": SERIES_COLUMNS,
        "dilution_levels": LEVEL_COLUMNS,
        "agreement": AGREEMENT_COLUMNS,
        "sizes": SIZE_COLUMNS,
        "size_histogram": BAR_COLUMNS,
    }
    for name, columns in tables.items():
        assert sorted(table_of(guide("statistics"), f"Columns of {name}.csv")) == sorted(columns), name
    epoch = EpochRecord(*[0] * (len(fields(EpochRecord)) - 1), weights={"dice": 0.7}).row()
    for name, columns in {"audit": AUDIT_COLUMNS, "manifest": MANIFEST_COLUMNS, "history": epoch}.items():
        assert sorted(table_of(guide("training"), f"Columns of {name}.csv")) == sorted(columns), name
    named = table_of(guide("counting"), "Columns of beads.csv")
    assert sorted(named) == sorted((*BEAD_COLUMNS, *FLAGS))
