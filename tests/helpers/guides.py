"""Run the commands of a Markdown page as a reader would, in a copy of the tree."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(sh|python|toml)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)

# Stand-ins for what a test cannot or must not start. `python` makes an environment of stand-ins and runs no
# tests; a job runs at once, on the node's `beadctl`, which has no GPU.
STUBS = {
    "python": """
case "$1 ${2:-}" in
"-m venv") mkdir -p "$3/bin"; touch "$3/bin/activate"; for f in beadctl pip python; do
    ln -sf "$STUBS/$f" "$3/bin/$f"; done ;;
"-m pytest") ;;
"tests/benchmarks/"*) [ -f "$1" ] ;;
*) exec "$PYTHON" "$@" ;;
esac""",
    "beadctl": 'exec "$PYTHON" -m beadctl "$@"',
    "pip": '[ "$1" = install ] || [ "$1" = uninstall ]',
    "pytest": "",
    "ruff": "",
    "mypy": "",
    "lint-imports": "",
    "sbatch": """
tasks=; wrap=
while [ $# -gt 0 ]; do case "$1" in
    --array=1-*) tasks=$(seq 1 "${1#--array=1-}"); shift ;;
    --export=ALL,*) for pair in $(tr , " " <<<"${1#--export=ALL,}"); do export "$pair"; done; shift ;;
    --wrap) wrap=$2; shift 2 ;;
    --parsable | --dependency=afterany:7) shift ;;
    *) script=$1; shift ;;
esac; done
export SLURM_SUBMIT_DIR=$PWD PATH=$STUBS/node:$PATH
for task in $tasks; do
    SLURM_ARRAY_TASK_ID=$task SLURM_ARRAY_TASK_COUNT=$(wc -w <<<"$tasks") \
        bash ${wrap:+-c "$wrap"} ${script:+"$script"} >&2
done
[ -n "$tasks" ] || bash ${wrap:+-c "$wrap"} ${script:+"$script"} >&2
echo 7""",
    "qsub": """
tasks=
while [ $# -gt 0 ]; do case "$1" in
    -J) tasks=$(seq 1 "${2#1-}"); shift 2 ;;
    -v) for pair in $(tr , " " <<<"$2"); do export "$pair"; done; shift 2 ;;
    -W) [ "$2" = "depend=afterany:7[].host" ]; shift 2 ;;
    *) script=$1; shift ;;
esac; done
export PBS_O_WORKDIR=$PWD PATH=$STUBS/node:$PATH
for task in $tasks; do PBS_ARRAY_INDEX=$task bash "$script" >&2; done
[ -n "$tasks" ] || bash "$script" >&2
echo "7[].host\"""",
    "torchrun": 'while [ "$1" != -m ]; do shift; done; shift; exec "$@"',
    "node/srun": 'shift; exec "$@"',
    "node/scontrol": 'echo "$3"',
    "node/beadctl": 'exec "$PYTHON" -m beadctl "${@/#cuda/cpu}"',
    ".ci/run": "",
}
# Few tiles and one small step for each training; a flag in a guide goes over these.
TINY = {
    "BEADCTL_TILE__OVERLAP": "0",
    "BEADCTL_TILE__MIN_BEADS": "4",
    "BEADCTL_TILE__KEEP_EMPTY": "0",
    "BEADCTL_TRAIN__MAX_MINUTES": "0.001",
    "BEADCTL_TRAIN__STEPS_PER_EPOCH": "1",
    "BEADCTL_TRAIN__WORKERS": "0",
    "BEADCTL_TRAIN__PRECISION": "fp32",
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and its text."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page that can be run, in order."""
    return [Block(*match) for match in FENCE.findall(page.read_text(encoding="utf-8"))]


def copy_tree(folder: Path) -> Path:
    """Return a copy of what the pages name: the examples, the model, and files at the root."""
    tree = folder / "beadctl"
    shutil.copytree(ROOT / "examples", tree / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "beadctl/model").mkdir(parents=True)
    shutil.copy(ROOT / "beadctl/model/bead.onnx", tree / "beadctl/model")
    shutil.copy(ROOT / "constraints.txt", tree)
    shutil.copytree(ROOT / "tests/benchmarks", tree / "tests/benchmarks")
    return tree


def stubs(folder: Path, **more: str) -> Path:
    """Write the stand-ins to a folder and return it; `more` replaces some by name."""
    for name, body in (STUBS | more).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/bash\nset -euo pipefail\n{body}\n")
        path.chmod(0o755)
    return folder


def run_page(page: Path, folder: Path, *, settings: dict[str, str] = TINY, **replaced: str) -> Path:
    """Run every block of a page in a copy of the tree; return the copy.

    Parameters
    ----------
    page : Path
        The Markdown file.
    folder : Path
        An empty folder.
    settings : dict of str to str
        Further environment variables.
    replaced : str
        Stand-ins beside or instead of `STUBS`, by name.
    """
    tree = copy_tree(folder) if not (folder / "beadctl").exists() else folder / "beadctl"
    bin_folder = stubs(folder / "bin", **replaced)
    shutil.copytree(bin_folder / ".ci", tree / ".ci", dirs_exist_ok=True)
    for block in blocks(page):
        run_block(block, tree, bin_folder, settings)
    return tree


def run_block(block: Block, tree: Path, bin_folder: Path, settings: dict[str, str]) -> None:
    """Run one block in `tree`; fail with its text and what it printed."""
    environment = os.environ | settings
    environment |= {
        # Test workers share the cores.
        "OMP_NUM_THREADS": "1",
        "BEADCTL_INFERENCE__THREADS": "1",
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "STUBS": str(bin_folder),
        "PYTHON": sys.executable,
        # The package of this test, although the copy of the tree has a folder of the same name.
        "PYTHONPATH": str(ROOT),
        "PYTHONSAFEPATH": "1",
    }
    match block.language:
        case "sh":
            command = ["bash", "-euo", "pipefail", "-c", block.text]
        case "python":
            command = [sys.executable, "-c", block.text]
        case _:
            path = tree / "written.toml"
            path.write_text(block.text, encoding="utf-8")
            command = ["bash", "-c", f"beadctl info --settings --config {shlex.quote(str(path))}"]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{block.text}\nexit code {done.returncode}\n{done.stdout}\n{done.stderr}"
