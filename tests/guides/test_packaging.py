"""What people install beadctl with: extras, containers, the conda recipe and the workflows say what holds."""

import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from helpers.guides import ROOT, run_page, stubs
from packaging.requirements import Requirement

from beadctl import __version__

yaml = pytest.importorskip("yaml")

EXAMPLES = ROOT / "examples"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PYTHONS = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
CONTAINER = (EXAMPLES / "containers/Dockerfile").read_text(encoding="utf-8")
APPTAINER = (EXAMPLES / "containers/beadctl.def").read_text(encoding="utf-8")
RECIPE = yaml.safe_load((EXAMPLES / "packaging/recipe.yaml").read_text(encoding="utf-8"))
WORKFLOWS = {path.name: path for path in (ROOT / ".github/workflows").glob("*.yml")}
needs_bash = pytest.mark.skipif(
    shutil.which("bash") is None or sys.platform == "win32", reason="bash is not installed"
)


def test_the_table_of_extras_is_that_of_the_project():
    section = (EXAMPLES / "installing/README.md").read_text(encoding="utf-8").split("## Extras\n")[1]
    rows = re.findall(r"^\| `([\w-]+)` \| .+ \| (.+) \|$", section.split("\n## ")[0], re.MULTILINE)
    table = dict(rows)
    assert set(table) == set(EXTRAS)
    for name in table.keys() - {"test"}:
        assert sorted(table[name].split(", ")) == sorted(Requirement(line).name for line in EXTRAS[name]), (
            name
        )


def test_pythons_are_named_alike():
    assert PYTHONS[0] == PROJECT["requires-python"].removeprefix(">=")
    guide = (EXAMPLES / "installing/README.md").read_text(encoding="utf-8")
    assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}" in guide
    jobs = yaml.safe_load(WORKFLOWS["readme.yml"].read_text(encoding="utf-8"))["jobs"]
    assert jobs["count"]["strategy"]["matrix"]["python"] == PYTHONS
    assert {entry["python"] for entry in jobs["test"]["strategy"]["matrix"]["include"]} <= set(PYTHONS)


def test_the_conda_recipe_is_that_of_the_project():
    assert RECIPE["context"]["version"] == __version__
    assert RECIPE["about"]["license"] == PROJECT["license"]
    assert RECIPE["about"]["license_file"] == PROJECT["license-files"]
    (entry,) = (f"{name} = {target}" for name, target in PROJECT["scripts"].items())
    assert RECIPE["build"]["python"]["entry_points"] == [entry]
    python, *run = RECIPE["requirements"]["run"]
    assert python == f"python {PROJECT['requires-python']}" == RECIPE["requirements"]["host"][0]
    wanted = [Requirement(line) for line in PROJECT["dependencies"]]
    assert run == [f"{line.name} {line.specifier}" for line in wanted]
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    assert RECIPE["requirements"]["host"][2:] == [line.replace(">=", " >=") for line in build]


def test_both_container_recipes_install_the_same():
    base = re.search(r"^ARG BASE=(\S+)", CONTAINER, re.MULTILINE)[1]
    assert f"\nFrom: {base}\n" in APPTAINER
    for name in ("VARIANT", "EXTRAS"):
        (default,) = re.findall(rf"^ARG {name}=(\S+)", CONTAINER, re.MULTILINE)
        assert f"    {name}={default}\n" in APPTAINER
    assert set(default.split(",")) <= set(EXTRAS)
    installs = [
        [line.split("install ", 1)[1].split(' ".[')[0] for line in text.splitlines() if "pip install" in line]
        for text in (CONTAINER, APPTAINER)
    ]
    assert all("-c constraints.txt" in line for lines in installs for line in lines)
    copied = set(re.findall(r"^COPY (?!--)(.+) \S+$", CONTAINER, re.MULTILINE))
    names = sorted(" ".join(copied).split())
    assert all((ROOT / name).exists() for name in names)
    assert names == sorted(re.findall(r"^    (\S+) /src/\S+$", APPTAINER, re.MULTILINE))
    let_in = (EXAMPLES / "containers/Dockerfile.dockerignore").read_text(encoding="utf-8")
    assert names == sorted(re.findall(r"^!(\S+)$", let_in, re.MULTILINE))
    # The last stage is what runs.
    assert re.search(r"^USER (?!0|root)", CONTAINER.rpartition("\nFROM ")[2], re.MULTILINE)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_are_bounded_and_may_only_read(name):
    workflow = yaml.safe_load(WORKFLOWS[name].read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
        for step in job["steps"]:
            assert "run" in step or re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
            assert "${{" not in step.get("run", "")


@needs_bash
@pytest.mark.parametrize("name", ["count", "test"])
def test_workflows_run_the_commands_of_the_readme(tmp_path, name):
    shutil.copy(ROOT / "README.md", tmp_path)
    bin_folder = stubs(tmp_path / "bin", beadctl="")
    path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", ROOT / ".github/readme.sh", name],
        cwd=tmp_path,
        env=os.environ | {"STUBS": str(bin_folder), "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert done.stdout == re.search(rf"<!-- ci: {name} -->\n```sh\n(.*?)```", readme, re.DOTALL)[1]
    used = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS.values())
    assert f"bash .github/readme.sh {name}" in used


@needs_bash
@pytest.mark.parametrize("page", ["installing", "containers", "packaging"])
def test_the_guides_run(tmp_path, page):
    names = ("uv", "uvx", "pipx", "docker", "apptainer", "rattler-build", "beadctl")
    run_page(EXAMPLES / page / "README.md", tmp_path, **dict.fromkeys(names, ""))


@pytest.mark.parametrize(
    ("program", "paths"),
    [("hadolint", [EXAMPLES / "containers/Dockerfile"]), ("actionlint", sorted(WORKFLOWS.values()))],
)
def test_linters_find_nothing(program, paths):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    done = subprocess.run([program, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
