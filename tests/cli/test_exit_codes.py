"""Exit codes and streams of every subcommand, and the table of them in the guide."""

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.images import discs

from beadctl.cli.main import COMMANDS
from beadctl.errors import ExitCode

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "examples/counting/README.md"

# Subcommand: what its standard output holds, and calls by their exit code.
CALLS = {
    "tile": (
        "",
        {0: "images masks -o {new} --size 64 --overlap 8", 1: "images odd", 3: "images masks -o file"},
    ),
    "train": ("", {3: "--tiles absent -o {new}"}),
    "tune": ("table", {3: "images masks -o file"}),
    "eval": ("figures", {0: "images masks -m {model}", 1: "images odd -m {model}", 3: "--tiles absent"}),
    "compare-losses": ("table", {3: "--tiles absent -o {new}"}),
    "export": ("", {3: "absent"}),
    "segment": (
        "",
        {
            0: "images -m {model} -o {new}",
            1: "broken -m {model} -o {new}",
            3: "images -m absent.onnx -o {new}",
        },
    ),
    "count": ("table", {0: "images -m {model}", 1: "broken -m {model}", 3: "images -m absent.onnx"}),
    "merge": ("", {0: "shards", 1: "broken_shards", 3: "images"}),
    "report": ("", {0: "results", 3: "images"}),
    "show": ("overlays", {0: "results", 1: "broken/words.tif -m {model}", 3: "images"}),
    "verify": ("table", {0: "results", 1: "changed", 3: "images"}),
    "audit": (
        "table",
        {0: "images masks --no-find", 1: "images shifted --no-find", 3: "images masks -m file"},
    ),
    "simulate": ("", {0: "{new} --count 1 --size 64", 3: "file --count 1 --size 64"}),
    "info": ("facts", {0: "images/a.tif", 1: "broken/words.tif", 3: "file.onnx"}),
    "completions": ("script", {0: "bash"}),
}
# Subcommands whose output on failure is a table too: of what could be done, or of what is wrong.
PARTIAL = {"eval", "count", "verify", "audit"}
# Subcommands that train, which takes long: their code 1 is seen by tests of their own.
TRAINING = {"compare-losses", "tune"}


@pytest.fixture
def files(run, model_path, tmp_path):
    for folder in ("images", "masks", "odd", "broken", "shifted"):
        (tmp_path / folder).mkdir()
    for name, count in (("a", 6), ("b", 8), ("c", 9)):
        image, labels = discs(count)
        tifffile.imwrite(f"images/{name}.tif", image)
        tifffile.imwrite(f"masks/{name}.tif", labels)
        tifffile.imwrite(f"odd/{name}.tif", labels[:50])
        tifffile.imwrite(f"shifted/{name}.tif", np.roll(labels, 12, (0, 1)))
    tifffile.imwrite("broken/a.tif", discs(3)[0])
    Path("broken/words.tif").write_text("Dear microscope,")
    for name in ("file", "file.onnx"):
        Path(name).write_text("mine")
    for name in ("results", "changed"):
        assert run("segment", "images", "-m", model_path, "-o", name).code == 0
    Path("changed/counts.csv").write_text("mine")
    for folder, name, code in (("images", "shards", 0), ("broken", "broken_shards", 1)):
        assert run("segment", folder, "-m", model_path, "-o", name, "--shard", "1/1").code == code
    return {"model": model_path}


@pytest.mark.parametrize("command", COMMANDS)
def test_codes_and_streams(run, files, command):
    holds, calls = CALLS[command]
    for code, call in calls.items():
        said = run(command, *call.format(**files, new=f"new_{code}").split())
        assert said.code == code, (call, said.err)
        assert "Traceback" not in said.err
        assert bool(said.out) == bool(holds and (code == 0 or (code == 1 and command in PARTIAL))), call
        # Each failure is a line; what differs or is bad is the result of verify and audit.
        assert bool(said.errors) == (code == 3 or (code == 1 and command not in ("verify", "audit"))), call
        assert all(line.startswith("error: ") for line in said.errors)


@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_usage_is_2_and_one_line(run, command):
    for arguments in (["--no-such-flag"], [""]):
        said = run(command, *arguments)
        assert (said.code, said.out) == (ExitCode.USAGE, "")
        assert said.error
    assert run(command, "--help").code == 0


def test_the_guide_has_the_table():
    section = GUIDE.read_text(encoding="utf-8").split("## Exit codes and streams\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE)
    assert [name for name, _, _ in rows] == list(COMMANDS)
    for name, out, failed in rows:
        assert (out.strip() == "nothing") == (CALLS[name][0] == ""), name
        assert (failed.strip() == "-") == (1 not in CALLS[name][1] and name not in TRAINING), name
