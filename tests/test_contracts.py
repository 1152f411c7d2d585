import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
IMAGE = ROOT / "examples" / "images" / "spheres.tif"


def test_import_contracts_hold():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def imported(*arguments: object) -> set[str]:
    """Return the packages that a fresh interpreter has loaded after a run of the command line."""
    code = (
        "import sys; from beadctl.cli.main import run\n"
        "try: code = run(sys.argv[1:])\n"
        "except SystemExit as end: code = end.code or 0\n"
        "print(code, *sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    code_said, *names = done.stderr.splitlines()[-1].split()
    assert code_said == "0", done.stderr
    return set(names)


HEAVY = {"torch", "onnx", "onnxscript", "matplotlib"}


@pytest.mark.parametrize("arguments", ["--help", "segment --help", "info --settings"])
def test_words_come_without_heavy_imports(arguments):
    heavy = HEAVY | {"numpy", "scipy", "skimage", "tifffile", "onnxruntime"}
    assert not imported(*arguments.split()) & heavy


def test_using_a_model_never_loads_torch(tmp_path, model_path):
    seen = imported("segment", IMAGE, "-m", model_path, "-o", tmp_path / "out", "-q")
    assert "onnxruntime" in seen
    assert not seen & HEAVY
    assert not imported("count", IMAGE, "-m", model_path, "-q") & HEAVY
    assert not imported("info", model_path) & HEAVY


def test_simulating_and_tiling_never_load_torch(tmp_path):
    assert not imported("simulate", tmp_path / "sim", "--count", "3", "--size", "64") & HEAVY
    folders = tmp_path / "sim" / "images", tmp_path / "sim" / "masks"
    assert not imported("tile", *folders, "-o", tmp_path / "tiles", "--size", "64", "--overlap", "0") & HEAVY


def test_builds_of_onnxruntime_meet_only_in_the_extra_for_gpus():
    """They overwrite each other's files, so that no other extra may bring the second."""
    extras = PROJECT["optional-dependencies"]
    wanted = {name: [Requirement(line) for line in lines] for name, lines in extras.items()}
    wanted["core"] = [Requirement(line) for line in PROJECT["dependencies"]]
    builds = {
        name: [line.name for line in lines if line.name.startswith("onnxruntime")]
        for name, lines in wanted.items()
    }
    assert {name: found for name, found in builds.items() if found} == {
        "core": ["onnxruntime"],
        "gpu": ["onnxruntime-gpu"],
    }
    drawn = {
        extra
        for lines in wanted.values()
        for line in lines
        if line.name == "beadctl"
        for extra in line.extras
    }
    assert "gpu" not in drawn


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = {}
    for line in lines:
        if line and not line.startswith("#"):
            match = re.fullmatch(r"([a-z0-9-]+)==([0-9][0-9a-z.]*)", line)
            assert match, f"{line}: not NAME==VERSION"
            found[match[1]] = match[2]
    return found


def test_constraints_pin_every_dependency_within_its_bounds():
    pinned = pins()
    assert list(pinned) == sorted(pinned)
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    for line in PROJECT["dependencies"] + extras:
        wanted = Requirement(line)
        if wanted.name != "beadctl":
            assert wanted.specifier.contains(pinned[canonicalize_name(wanted.name)]), line
